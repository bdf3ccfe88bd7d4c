"""The seams to the storage account: tables, blobs and queues. Each has a protocol and an implementation for Azure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loadme.azure.client import client_options

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


# Blobs and queues have words of their own for the waits between tries, which are 15 s and more unless told otherwise.
BACKOFF: dict[str, Any] = {"initial_backoff": 0.4, "increment_base": 1, "random_jitter_range": 0.2}


@dataclass(frozen=True, kw_only=True)
class Account:
    """How to reach the storage account: by endpoints and a credential, or by a connection string, which wins.

    An endpoint is like `https://contoso.blob.core.windows.net`, or `https://127.0.0.1:10000/devstoreaccount1`.
    """

    blob_endpoint: str = ""
    queue_endpoint: str = ""
    table_endpoint: str = ""
    credential: TokenCredential | None = None
    connection_string: str = ""
    ca_file: str = ""

    def options(self) -> dict[str, Any]:
        """Keyword arguments of the account's SDK clients."""
        return client_options(self.ca_file) | BACKOFF
