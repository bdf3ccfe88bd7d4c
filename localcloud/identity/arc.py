"""Azure Arc's agent: whoever asks must first show that it may read a file that the agent has just written."""

from __future__ import annotations

import hmac
import os
import secrets
from collections import deque
from contextlib import suppress
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse

from localcloud.identity.choosing import choose, grant, lifetime
from localcloud.identity.machine import Machine
from localcloud.tokens import Identity, TokenSigner

VERSIONS = ("2019-08-15", "2019-11-01", "2020-06-01", "2021-02-01")
MOST_KEYS = 32


class Arc:
    """`IDENTITY_ENDPOINT` with `IMDS_ENDPOINT`. A key opens once."""

    def __init__(self, signer: TokenSigner, machine: Machine) -> None:
        self._signer = signer
        self._machine = machine
        self._keys: deque[Path] = deque()

    async def token(self, request: Request) -> JSONResponse:
        """Answers with a token, with the challenge, or with what is wrong with the request."""
        query = request.query_params
        if request.headers.get("metadata", "").lower() != "true":
            return _error(400, "invalid_request", "Required metadata header not specified")
        if query.get("api-version") not in VERSIONS:
            return _error(400, "invalid_request", "Required query variable 'api-version' is missing or not supported")
        if not query.get("resource"):
            return _error(400, "invalid_request", "Required query variable 'resource' is missing")
        if not self._is_key(request.headers.get("authorization", "")):
            return self._challenge()
        # It was told which one is meant before it told of several: the machine has an identity of its own.
        identity = choose(query, self._machine.assigned(), self._machine.system)
        if identity is None:
            return _error(400, "invalid_request", "Identity not found")
        return JSONResponse(self._grant(query["resource"], identity))

    def _grant(self, resource: str, identity: Identity) -> dict[str, str]:
        granted = grant(self._signer, resource, identity)
        seconds = lifetime(granted, self._signer.now())
        # Libraries take a token for a user-assigned identity only when the answer says whose it is.
        return granted | {
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "object_id": identity.principal_id,
            "msi_res_id": identity.resource_id,
        }

    def _challenge(self) -> JSONResponse:
        key = self._machine.arc_keys / f"{secrets.token_hex(16)}.key"
        try:
            with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48))
        except OSError as error:
            return _error(500, "localcloud", _advice(key.parent, error))
        self._keys.append(key)
        while len(self._keys) > MOST_KEYS:
            self._keys.popleft().unlink(missing_ok=True)
        return JSONResponse({"error": "unauthorized"}, 401, {"WWW-Authenticate": f"Basic realm={key}"})

    def _is_key(self, header: str) -> bool:
        given = header.partition(" ")[2].encode()
        for key in list(self._keys):
            with suppress(OSError):
                if hmac.compare_digest(given, key.read_bytes()):
                    self._keys.remove(key)
                    key.unlink()
                    return True
        return False


def _advice(folder: Path, error: OSError) -> str:
    return (
        f"The local cloud cannot write into {folder} ({error.strerror}), the only folder whose keys Azure's libraries believe. "
        f"Make it yours once: sudo install -d -o $USER {folder}"
    )


def _error(status: int, error: str, description: str) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": description}, status)
