"""Key Vault over HTTP. A vault is named by the path, `/vaults/{vault}/secrets/…`, or as on Azure by the first label of the host."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.keyvault import errors
from localcloud.keyvault.errors import VaultError
from localcloud.keyvault.operations import Asked, find
from localcloud.keyvault.vaults import Vaults
from localcloud.unicode import check_text

AUDIENCE = "https://vault.azure.net"
VERSIONS = (
    "2016-10-01",
    "7.0",
    "7.1",
    "7.2",
    "7.3",
    "7.4",
    "7.5",
    "7.6-preview.2",
    "7.6",
    "2025-06-01-preview",
    "2025-07-01",
    "2026-01-01-preview",
    "2026-04-01",
)
METHODS = ["GET", "PUT", "PATCH", "POST", "DELETE"]

Verify = Callable[[str, str], dict[str, Any]]


class Guard(Protocol):
    """Who may do what in which vault."""

    def check(self, vault: str, claims: Mapping[str, Any], action: str, secret: str) -> None:
        """Raises VaultError for a vault that there is not, and for one who may not; `secret` is empty for a list."""


def create_app(vaults: Vaults, verify: Verify, tenant: str, guard: Guard) -> Starlette:
    """Key Vault over `vaults`. `verify(token, audience)` gives the claims of a good token, and raises ValueError for a bad one."""
    door = _Door(vaults, verify, tenant, guard)
    return Starlette(routes=[Route("/{path:path}", door.answer, methods=METHODS)])


class _Door:
    def __init__(self, vaults: Vaults, verify: Verify, tenant: str, guard: Guard) -> None:
        self._vaults, self._verify, self._tenant, self._guard = vaults, verify, tenant, guard

    async def answer(self, request: Request) -> Response:
        headers = _usual_headers(request)
        try:
            body = await self._answered(request)
        except VaultError as error:
            return JSONResponse({"error": error.error}, error.status, {**headers, **error.headers})
        return Response(status_code=204, headers=headers) if body is None else JSONResponse(body, headers=headers)

    async def _answered(self, request: Request) -> Any:
        claims = self._claims(request)
        vault, words, base = _place(request)
        _check_version(request.query_params.get("api-version"))
        action, operation = find(request.method, words)
        self._guard.check(vault, claims, f"Microsoft.KeyVault/vaults/secrets/{action}", words[1] if len(words) > 1 else "")
        asked = Asked(vault, words, dict(request.query_params), base, _object(await request.body()))
        return operation(self._vaults, asked)

    def _claims(self, request: Request) -> dict[str, Any]:
        """Of the caller's token. A call without a good one is told where to get it, which is how clients find out."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            if scheme.lower() == "bearer" and token:
                return self._verify(token, AUDIENCE)
            reason = "AKV10000: Request is missing a Bearer or PoP token."
        except ValueError as error:
            reason = str(error)
        challenge = f'Bearer authorization="https://login.windows.net/{self._tenant}", resource="{AUDIENCE}"'
        raise VaultError(401, "Unauthorized", reason, headers={"WWW-Authenticate": challenge})


def _place(request: Request) -> tuple[str, tuple[str, ...], str]:
    """The vault, the words of the path behind it, and the address of the vault as the caller knows it."""
    words = tuple(request.scope["path"].strip("/").split("/"))
    address = f"{request.url.scheme}://{request.url.netloc}"
    if words[0].lower() == "vaults" and len(words) > 1:
        return words[1], words[2:], f"{address}/vaults/{words[1]}"
    return request.url.netloc.partition(".")[0], words, address


def _check_version(version: str | None) -> None:
    if not version:
        raise errors.bad("api-version must be specified")
    if version not in VERSIONS:
        raise errors.bad(
            f"The specified version ({version}) is not recognized. Consider using the latest supported version ({VERSIONS[-1]})."
        )


def _object(raw: bytes) -> Mapping[str, Any]:
    if not raw.strip():
        return {}
    try:
        given = json.loads(raw)
        check_text(given)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise errors.bad("The request body is not a valid JSON object.")
    return given


def _usual_headers(request: Request) -> dict[str, str]:
    """What a vault says with every answer."""
    given = request.headers.get("x-ms-client-request-id", "")
    return {
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Expires": "-1",
        "Strict-Transport-Security": "max-age=31536000;includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-keyvault-service-version": "1.9.0.0",
        **({"x-ms-client-request-id": given} if given else {}),
    }
