"""Microsoft.Storage: accounts and what is in them, as ARM sees it. The data is in Azurite, which knows nothing of these."""

from localcloud.arm.storage.accounts import Storage

__all__ = ["Storage"]
