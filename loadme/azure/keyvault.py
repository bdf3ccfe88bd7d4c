"""Key Vault: the secrets that workflows refer to, in any vault, and those that steps give back, in the app's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from loadme.azure.client import brief_retry, client_options, translated
from loadme.definitions.references import Reference, parse
from loadme.errors import Terminal

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.keyvault.secrets import SecretClient

ENDPOINT = "https://{vault}.vault.azure.net"
NO_VAULT = "NoVault"
"""The code of the error that the app has no vault of its own."""


class Vault(Protocol):
    """Key Vault, as the app's identity sees it. Errors name the vault and the secret, and never its value."""

    def read(self, reference: str) -> str:
        """The value of keyvault://VAULT/SECRET, or of the version that it names.

        Raises Absent, Terminal (no role), Retryable, and ValueError for a text that is no reference.
        """

    def keep(self, name: str, value: str) -> str:
        """Keeps a value in the app's own vault, and gives its version. Raises Terminal (no vault, no role) and Retryable."""

    def kept(self, name: str, version: str) -> str:
        """A value that was kept. Raises Absent, Terminal and Retryable."""

    def remove(self, name: str) -> None:
        """Deletes what was kept under this name, all versions; nothing there is no error. Raises Terminal and Retryable.

        A vault keeps what is deleted for as long as its soft delete says; only then it is gone for good.
        """


class AzureVault:
    """The genuine Key Vault, or whatever answers as it does. `own` is the address of the app's own vault, or empty."""

    def __init__(self, credential: TokenCredential, own: str = "", *, endpoint: str = ENDPOINT, ca_file: str = "") -> None:
        self._credential = credential
        self._own = own.rstrip("/")
        self._endpoint = endpoint
        self._ca_file = ca_file
        self._clients: dict[str, SecretClient] = {}
        self._lock = Lock()

    def read(self, reference: str) -> str:
        """See Vault."""
        found = parse(reference)
        return self._value(self._endpoint.format(vault=found.vault), found)

    def keep(self, name: str, value: str) -> str:
        """See Vault."""
        client = self._client(self._own_address())
        with _translated(f"keeping secret {name} in the vault {_host(self._own)}"):
            return str(client.set_secret(name, value, content_type="text/plain", enabled=True).properties.version)

    def kept(self, name: str, version: str) -> str:
        """See Vault."""
        return self._value(self._own_address(), Reference(_host(self._own), name, version))

    def remove(self, name: str) -> None:
        """See Vault."""
        client = self._client(self._own_address())
        with _translated(f"deleting secret {name} of the vault {_host(self._own)}", absent_is_fine=True):
            client.begin_delete_secret(name)

    def close(self) -> None:
        """Closes the connections."""
        for client in self._clients.values():
            client.close()

    def _value(self, address: str, secret: Reference) -> str:
        client = self._client(address)
        with _translated(f"reading secret {secret.name} of the vault {secret.vault}"):
            return client.get_secret(secret.name, secret.version or None).value or ""

    def _own_address(self) -> str:
        if not self._own:
            raise Terminal("the app has no vault of its own for the secrets that steps give back: set LOADME_KEY_VAULT", code=NO_VAULT)
        return self._own

    def _client(self, address: str) -> SecretClient:
        with self._lock:
            if address not in self._clients:
                self._clients[address] = self._connect(address)
            return self._clients[address]

    def _connect(self, address: str) -> SecretClient:
        from azure.keyvault.secrets import SecretClient

        # The client trusts a vault only with a token for the domain that the vault is in; without a name in the address there is none.
        is_named = "{vault}." in self._endpoint
        options = client_options(self._ca_file) | {"retry_policy": brief_retry()}
        return SecretClient(address, self._credential, verify_challenge_resource=is_named, **options)


@contextmanager
def _translated(what: str, *, absent_is_fine: bool = False) -> Iterator[None]:
    from azure.core.exceptions import ResourceNotFoundError

    with translated(what):
        try:
            yield
        except ResourceNotFoundError:
            if not absent_is_fine:
                raise
        except ValueError as strange:  # the answer is not one of a vault
            raise Terminal(f"{what}: what answers there is no key vault", code="NotAVault") from strange


def _host(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.netloc}{parts.path}"
