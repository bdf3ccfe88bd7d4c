"""The local cloud's own certificate authority, for Azure's SDKs send a token only over TLS."""

from __future__ import annotations

import hashlib
import os
import ssl
from pathlib import Path

import trustme

from localcloud.names import all_names


class Authority:
    """A new authority in `folder`, with one server certificate for this machine and for Azure's names of what is on it.

    `ca` holds the authority's certificate alone (what a client verifies with), `certificate` the server's, `key` its private key.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = folder / "ca.pem"
        self.certificate = folder / "server.pem"
        self.key = folder / "server.key"
        self._authority = trustme.CA(organization_name="loadme local cloud")
        server = self._authority.issue_cert("localhost", "127.0.0.1", "::1", *all_names())
        self.ca.write_bytes(self._authority.cert_pem.bytes())
        self.certificate.write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
        write_secret(self.key, server.private_key_pem.bytes())

    @property
    def thumbprint(self) -> str:
        """The SHA-1 of the server's certificate, in the form in which Service Fabric tells it."""
        first = self.certificate.read_text().partition("-----END CERTIFICATE-----")
        return hashlib.sha1(ssl.PEM_cert_to_DER_cert(first[0] + first[1])).hexdigest().upper()  # noqa: S324 - what it is made of

    def issue(self, name: str, path: Path) -> Path:
        """Writes a certificate for `name` with its key into one file, for its owner only. RSA: Azure's libraries sign with nothing else."""
        issued = self._authority.issue_cert(common_name=name, key_type=trustme.KeyType.RSA)
        write_secret(path, issued.private_key_pem.bytes() + issued.cert_chain_pems[0].bytes())
        return path


def write_secret(path: Path, data: bytes) -> None:
    """Writes a file that only its owner can read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
