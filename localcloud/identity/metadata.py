"""The instance metadata service (IMDS) of container groups, whose path tells one from another, and of machines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse

from localcloud.identity.choosing import Ambiguous, choose, grant, lifetime
from localcloud.tokens import Identity, TokenSigner

VERSION = "2018-02-01"
_VERSIONS = re.compile(r"\d{4}-\d{2}-\d{2}")

Identities = Callable[[str], Sequence[Identity]]


class Metadata:
    """The numbers it answers with are strings. `system` is taken when a request names no identity."""

    def __init__(self, signer: TokenSigner, identities: Identities, system: Identity | None = None) -> None:
        self._signer = signer
        self._identities = identities
        self._system = system

    async def token(self, request: Request) -> JSONResponse:
        """Answers with a token, or with what is wrong with the request."""
        query = request.query_params
        if request.headers.get("metadata", "").lower() != "true":
            return _error("Required metadata header not specified")
        # A request that came through a proxy could be somebody else's.
        if "x-forwarded-for" in request.headers:
            return _error("The request was forwarded: the X-Forwarded-For header is not allowed")
        version = query.get("api-version", "")
        if not _VERSIONS.fullmatch(version) or version < VERSION:
            return _error("Required query variable 'api-version' is missing or not supported")
        if not query.get("resource"):
            return _error("Required query variable 'resource' is missing")
        try:
            identity = choose(query, self._identities(request.path_params.get("group", "")), self._system)
        except Ambiguous:
            return _error(
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"
            )
        if identity is None:
            return _error("Identity not found")
        granted = grant(self._signer, query["resource"], identity)
        seconds = lifetime(granted, self._signer.now())
        return JSONResponse(granted | {"expires_in": seconds, "ext_expires_in": seconds})


def _error(description: str) -> JSONResponse:
    return JSONResponse({"error": "invalid_request", "error_description": description}, 400)
