"""`IDENTITY_ENDPOINT` with `IDENTITY_HEADER`: App Service and Azure Functions."""

from __future__ import annotations

import hmac
import uuid

from starlette.requests import Request
from starlette.responses import JSONResponse

from localcloud.identity.choosing import choose, grant
from localcloud.tokens import Identity, TokenSigner

VERSION = "2019-08-01"


class AppService:
    """`IDENTITY_ENDPOINT` of a function app."""

    def __init__(self, signer: TokenSigner, identity: Identity, secret: str) -> None:
        self._signer = signer
        self._identity = identity
        self._secret = secret.encode()

    async def token(self, request: Request) -> JSONResponse:
        """Answers with a token, or with what is wrong with the request."""
        query = request.query_params
        if not hmac.compare_digest(request.headers.get("x-identity-header", "").encode(), self._secret):
            return _error(401, "The request does not carry the X-IDENTITY-HEADER of this app.")
        if query.get("api-version") != VERSION:
            return _error(400, f"The api-version is not supported; supported is {VERSION}.")
        if not query.get("resource"):
            return _error(400, "The query parameter 'resource' is required.")
        if choose(query, [self._identity]) is None:
            return _error(400, "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.")
        return JSONResponse(grant(self._signer, query["resource"], self._identity))


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"statusCode": status, "message": message, "correlationId": str(uuid.uuid4())}, status)
