"""Service Fabric's token service. Which identity an application has is the cluster's to say: the request cannot choose."""

from __future__ import annotations

import hmac
import uuid

from starlette.requests import Request
from starlette.responses import JSONResponse

from localcloud.identity.choosing import grant
from localcloud.identity.machine import Machine
from localcloud.tokens import TokenSigner

VERSION = "2019-07-01-preview"


class ServiceFabric:
    """`IDENTITY_ENDPOINT` with `IDENTITY_HEADER` and `IDENTITY_SERVER_THUMBPRINT`. Errors are those of Azure's documentation."""

    def __init__(self, signer: TokenSigner, machine: Machine) -> None:
        self._signer = signer
        self._machine = machine

    async def token(self, request: Request) -> JSONResponse:
        """Answers with a token, or with what is wrong with the request."""
        query, secret = request.query_params, request.headers.get("secret", "")
        if not secret:
            return _error(400, "SecretHeaderNotFound", "Secret is not found in the request headers.")
        if not hmac.compare_digest(secret.encode(), self._machine.secret.encode()):
            return _error(404, "ManagedIdentityNotFound", "Managed identity not found for the specified application host.")
        if query.get("api-version") != VERSION:
            given = query.get("api-version", "")
            return _error(400, "InvalidApiVersion", f"The api-version '{given}' is not supported. Supported version is '{VERSION}'.")
        if not query.get("resource"):
            return _error(400, "ArgumentNullOrEmpty", "The parameter 'resource' should not be null or empty string.")
        granted = grant(self._signer, query["resource"], self._machine.system)
        told = {name: granted[name] for name in ("token_type", "access_token", "resource")}
        return JSONResponse(told | {"expires_on": int(granted["expires_on"])})


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"correlationId": str(uuid.uuid4()), "code": code, "message": message}}, status)
