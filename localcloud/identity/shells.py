"""The two forms with `MSI_ENDPOINT`: Cloud Shell, and with `MSI_SECRET` Azure Machine Learning."""

from __future__ import annotations

import hmac
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse

from localcloud.identity.choosing import choose, grant, lifetime
from localcloud.identity.machine import Machine
from localcloud.tokens import TokenSigner

MACHINE_LEARNING_VERSION = "2017-09-01"


class CloudShell:
    """A form is posted. On Azure the token is the user's; here it is the machine's."""

    def __init__(self, signer: TokenSigner, machine: Machine) -> None:
        self._signer = signer
        self._machine = machine

    async def token(self, request: Request) -> JSONResponse:
        """Answers with a token, or with what is wrong with the request."""
        if request.headers.get("metadata", "").lower() != "true":
            return _error(400, "invalid_request", "Required metadata header not specified")
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        if not form.get("resource"):
            return _error(400, "invalid_request", "Required parameter 'resource' is missing")
        granted = grant(self._signer, form["resource"], self._machine.system)
        return JSONResponse(granted | {"refresh_token": "", "expires_in": lifetime(granted, self._signer.now())})


class MachineLearning:
    """The protocol that App Service had before: a header `secret`, `clientid` to choose."""

    def __init__(self, signer: TokenSigner, machine: Machine) -> None:
        self._signer = signer
        self._machine = machine

    async def token(self, request: Request) -> JSONResponse:
        """Answers with a token, or with what is wrong with the request. The local cloud's own words: Azure's are not known."""
        query = request.query_params
        if not hmac.compare_digest(request.headers.get("secret", "").encode(), self._machine.secret.encode()):
            return _error(401, "Unauthorized", "The request does not carry the secret of this machine.")
        if query.get("api-version") != MACHINE_LEARNING_VERSION:
            return _error(400, "BadRequest", f"The api-version is not supported; supported is {MACHINE_LEARNING_VERSION}.")
        if not query.get("resource"):
            return _error(400, "BadRequest", "The query parameter 'resource' is required.")
        identity = choose(query, self._machine.assigned(), self._machine.system)
        if identity is None:
            return _error(400, "BadRequest", "The identity that was asked for is not assigned to this machine.")
        return JSONResponse(grant(self._signer, query["resource"], identity))


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status)
