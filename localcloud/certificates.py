"""The local cloud's own certificate authority, for Azure's SDKs send a token only over TLS."""

from __future__ import annotations

import os
from pathlib import Path

import trustme


class Authority:
    """A new authority in `folder`, with one server certificate for this machine.

    `ca` holds the authority's certificate alone (what a client verifies with), `certificate` the server's, `key` its private key.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = folder / "ca.pem"
        self.certificate = folder / "server.pem"
        self.key = folder / "server.key"
        authority = trustme.CA(organization_name="loadme local cloud")
        server = authority.issue_cert("localhost", "127.0.0.1", "::1")
        self.ca.write_bytes(authority.cert_pem.bytes())
        self.certificate.write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
        write_secret(self.key, server.private_key_pem.bytes())


def write_secret(path: Path, data: bytes) -> None:
    """Writes a file that only its owner can read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
