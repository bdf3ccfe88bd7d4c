"""Key Vault's secrets: what vaults hold, and the address at which they are asked for it. ARM says who may."""

from localcloud.keyvault.app import AUDIENCE, Guard, create_app
from localcloud.keyvault.errors import VaultError
from localcloud.keyvault.vaults import Vaults

__all__ = ["AUDIENCE", "Guard", "VaultError", "Vaults", "create_app"]
