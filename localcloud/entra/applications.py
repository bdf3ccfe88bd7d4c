"""The applications that may log in, and by what: secrets, certificates, tokens of somebody they trust."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from localcloud.tokens import Identity

EXCHANGE = "api://AzureADTokenExchange"
"""The audience of a token that is to be exchanged for one of Entra ID's."""


@dataclass(frozen=True)
class FederatedCredential:
    """Whose tokens are as good as a secret: all three are compared to the letter, as on Azure."""

    issuer: str
    subject: str
    audience: str = EXCHANGE


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application, or a user-assigned identity, which has federated credentials only. Certificates are PEM."""

    identity: Identity
    secrets: tuple[str, ...] = ()
    certificates: tuple[bytes, ...] = ()
    federated: tuple[FederatedCredential, ...] = ()

    def knows_secret(self, given: str) -> bool:
        """Whether it is one of its secrets."""
        return any(hmac.compare_digest(given.encode(), secret.encode()) for secret in self.secrets)

    def key(self, thumbprint: str) -> RSAPublicKey | None:
        """The public key of its certificate with this thumbprint (SHA-1 or SHA-256, as a JWT's header has it)."""
        for pem in self.certificates:
            certificate = x509.load_pem_x509_certificate(pem)
            key = certificate.public_key()
            if thumbprint.rstrip("=") in _thumbprints(certificate) and isinstance(key, RSAPublicKey):
                return key
        return None


def _thumbprints(certificate: x509.Certificate) -> set[str]:
    digests = [certificate.fingerprint(kind) for kind in (hashes.SHA1(), hashes.SHA256())]  # noqa: S303 - what `x5t` is made of
    return {base64.urlsafe_b64encode(digest).decode().rstrip("=") for digest in digests}


Lookup = Callable[[str], Application | None]


class Directory:
    """Finds an application by its client id: its own first, then those of `more`, such as user-assigned identities."""

    def __init__(self, applications: Iterable[Application], more: Lookup = lambda _client_id: None) -> None:
        self._applications: dict[str, Application] = {}
        self._more = more
        for one in applications:
            self.add(one)

    def add(self, application: Application) -> None:
        """One more, or another state of one that is known."""
        self._applications[application.identity.client_id.lower()] = application

    def find(self, client_id: str) -> Application | None:
        """The application, whatever the case of the id."""
        return self._applications.get(client_id.lower()) or self._more(client_id)
