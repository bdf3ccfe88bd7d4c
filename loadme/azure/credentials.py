"""The function app's own identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.identity import ManagedIdentityCredential


def managed_identity(client_id: str | None = None) -> ManagedIdentityCredential:
    """The credential of the app's managed identity, or of the user-assigned one with this client id.

    Tokens are cached in it: make one, and share it among all clients.
    """
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=client_id or None, retry_total=2, connection_timeout=5, read_timeout=10)
