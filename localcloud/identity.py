"""Where managed identities get their tokens: App Service's endpoint for the function app, the instance metadata service for containers.

Both speak plain HTTP, as on Azure. A container group may ask at a path of its own, `/groups/{name}/metadata/…`, which tells
its identities from those of other groups: on Azure every group has a metadata service to itself.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from localcloud.tokens import Identity, TokenSigner

APP_SERVICE_VERSION = "2019-08-01"
IMDS_VERSION = "2018-02-01"

Identities = Callable[[str], Sequence[Identity]]

# The words with which a client may choose among several identities; `msi_res_id` is the metadata service's own spelling.
CHOICES = ("client_id", "mi_res_id", "msi_res_id", "object_id", "principal_id")


def create_app(signer: TokenSigner, app_identity: Identity, header_secret: str, container_identities: Identities) -> Starlette:
    """The identity endpoints.

    `container_identities` gives the identities of a container group by its name; the name is "" for a container that asks at the
    common path.
    """
    app_service = AppService(signer, app_identity, header_secret)
    metadata = Metadata(signer, container_identities)
    return Starlette(
        routes=[
            Route("/msi/token", app_service.token),
            Route("/metadata/identity/oauth2/token", metadata.token),
            Route("/groups/{group}/metadata/identity/oauth2/token", metadata.token),
        ]
    )


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
            return _app_service_error(401, "The request does not carry the X-IDENTITY-HEADER of this app.")
        if query.get("api-version") != APP_SERVICE_VERSION:
            return _app_service_error(400, f"The api-version is not supported; supported is {APP_SERVICE_VERSION}.")
        if not query.get("resource"):
            return _app_service_error(400, "The query parameter 'resource' is required.")
        if _choose(request, [self._identity]) is None:
            return _app_service_error(
                400, "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
            )
        return JSONResponse(_grant(self._signer, query["resource"], self._identity))


class Metadata:
    """The instance metadata service of container groups: the numbers it answers with are strings."""

    def __init__(self, signer: TokenSigner, identities: Identities) -> None:
        self._signer = signer
        self._identities = identities

    async def token(self, request: Request) -> JSONResponse:
        """Answers with a token, or with what is wrong with the request."""
        query = request.query_params
        if request.headers.get("metadata", "").lower() != "true":
            return _metadata_error("Required metadata header not specified")
        if query.get("api-version") != IMDS_VERSION:
            return _metadata_error("Required query variable 'api-version' is missing or not supported")
        if not query.get("resource"):
            return _metadata_error("Required query variable 'resource' is missing")
        identity = _choose(request, self._identities(request.path_params.get("group", "")))
        if identity is None:
            return _metadata_error("Identity not found")
        grant = _grant(self._signer, query["resource"], identity)
        lifetime = str(int(grant["expires_on"]) - int(grant["not_before"]))
        return JSONResponse(grant | {"expires_in": lifetime, "ext_expires_in": lifetime})


def _choose(request: Request, identities: Sequence[Identity]) -> Identity | None:
    """The identity that the query names, or the only one there is."""
    words = [request.query_params[choice] for choice in CHOICES if choice in request.query_params]
    found = list(dict.fromkeys(identity for identity in identities if all(identity.is_called(word) for word in words)))
    return found[0] if len(found) == 1 else None


def _grant(signer: TokenSigner, resource: str, identity: Identity) -> dict[str, Any]:
    token = signer.sign(resource, identity)
    claims = jwt.decode(token, options={"verify_signature": False})
    return {
        "access_token": token,
        "client_id": identity.client_id,
        "expires_on": str(claims["exp"]),
        "not_before": str(claims["nbf"]),
        "resource": resource,
        "token_type": "Bearer",
    }


def _app_service_error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"statusCode": status, "message": message, "correlationId": str(uuid.uuid4())}, status)


def _metadata_error(description: str) -> JSONResponse:
    return JSONResponse({"error": "invalid_request", "error_description": description}, 400)
