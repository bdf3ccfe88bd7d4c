"""Microsoft Graph as far as a client of ARM's roles needs it: who a service principal is. Read only, and no users or groups."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from localcloud.tokens import Identity, TokenSigner

AUDIENCES = ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000")
METHODS = ["GET", "POST", "PATCH", "DELETE", "PUT"]

Principals = Callable[[], Iterable[Identity]]

_FILTERS: tuple[tuple[re.Pattern[str], Callable[[Identity, str], bool]], ...] = (
    (re.compile(r"servicePrincipalNames/any\(\w+:\w+ eq '([^']*)'\)"), lambda identity, word: identity.client_id.lower() == word),
    (re.compile(r"appId eq '([^']*)'"), lambda identity, word: identity.client_id.lower() == word),
    (re.compile(r"id eq '([^']*)'"), lambda identity, word: identity.principal_id.lower() == word),
    (re.compile(r"displayName eq '([^']*)'"), lambda identity, word: identity.name.lower() == word),
    (re.compile(r"startswith\(displayName,\s*'([^']*)'\)"), lambda identity, word: identity.name.lower().startswith(word)),
)


class GraphError(Exception):
    """An error answer: `{"error": {"code", "message"}}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Graph:
    """`principals` gives all service principals: applications and managed identities."""

    def __init__(self, signer: TokenSigner, principals: Principals) -> None:
        self._signer = signer
        self._principals = principals

    def routes(self) -> list[Route]:
        """Of version 1.0."""
        return [
            Route("/v1.0/directoryObjects/getByIds", self.by_ids, methods=["POST"]),
            Route("/v1.0/servicePrincipals", self.list),
            Route("/v1.0/servicePrincipals/{id}", self.get),
            Route("/v1.0/me{rest:path}", self.me),
            Route("/v1.0/{rest:path}", self.other, methods=METHODS),
            Route("/beta/{rest:path}", self.other, methods=METHODS),
        ]

    async def by_ids(self, request: Request) -> JSONResponse:
        """The objects with these ids; those that are not there are left out."""
        self._check(request)
        given = await request.json()
        wanted = {str(one).lower() for one in given.get("ids", [])}
        return _collection(request, [_view(one, self._signer.tenant) for one in self._principals() if one.principal_id.lower() in wanted])

    async def list(self, request: Request) -> JSONResponse:
        """All, or those that a filter of a known form fits."""
        self._check(request)
        found = [one for one in self._principals() if _fits(one, request.query_params.get("$filter", ""))]
        return _collection(request, [_view(one, self._signer.tenant) for one in found])

    async def get(self, request: Request) -> JSONResponse:
        """One, by its object id."""
        self._check(request)
        wanted = request.path_params["id"]
        for one in self._principals():
            if one.principal_id.lower() == wanted.lower():
                return JSONResponse(_view(one, self._signer.tenant))
        message = f"Resource '{wanted}' does not exist or one of its queried reference-property objects are not present."
        raise GraphError(404, "Request_ResourceNotFound", message)

    async def me(self, request: Request) -> JSONResponse:
        """There are no users."""
        self._check(request)
        raise GraphError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")

    async def other(self, request: Request) -> JSONResponse:
        """Never passed over."""
        self._check(request)
        what = f"{request.method} {request.url.path}"
        raise GraphError(
            400, "LocalCloudNotSupported", f"{what} of Microsoft Graph is not supported by the local cloud; on Azure it may be."
        )

    def _check(self, request: Request) -> None:
        token = request.headers.get("authorization", "").partition(" ")[2]
        if not token:
            raise GraphError(401, "InvalidAuthenticationToken", "Access token is empty.")
        reasons = []
        for audience in (*AUDIENCES, f"{request.url.scheme}://{request.url.netloc}"):
            try:
                self._signer.verify(token, audience)
            except ValueError as error:
                reasons.append(str(error))
            else:
                return
        raise GraphError(401, "InvalidAuthenticationToken", reasons[0])


async def refused(_request: Request, error: Any) -> JSONResponse:
    """The answer to one whose call raised it."""
    return JSONResponse({"error": {"code": error.code, "message": str(error)}}, error.status)


def _fits(identity: Identity, wanted: str) -> bool:
    if not wanted:
        return True
    for pattern, fits in _FILTERS:
        if match := pattern.fullmatch(wanted.strip()):
            return fits(identity, match[1].lower())
    raise GraphError(400, "LocalCloudNotSupported", f'The filter "{wanted}" is not supported by the local cloud; on Azure it may be.')


def _collection(request: Request, found: list[dict[str, Any]]) -> JSONResponse:
    context = f"{request.url.scheme}://{request.url.netloc}/v1.0/$metadata#directoryObjects"
    return JSONResponse({"@odata.context": context, "value": found})


def _view(identity: Identity, tenant: str) -> dict[str, Any]:
    kind = "ManagedIdentity" if identity.resource_id else "Application"
    return {
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "id": identity.principal_id,
        "accountEnabled": True,
        "alternativeNames": ["isExplicit=True", identity.resource_id] if identity.resource_id else [],
        "appDisplayName": None if identity.resource_id else identity.name,
        "appId": identity.client_id,
        "appOwnerOrganizationId": tenant,
        "displayName": identity.name,
        "servicePrincipalNames": [identity.client_id],
        "servicePrincipalType": kind,
    }
