"""Entra ID's endpoints: tokens for client credentials (v2.0 and v1), OpenID configuration, keys, instance discovery.

Users, consent and all flows with a browser are not here: they are refused as unsupported grants.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from localcloud.entra import errors
from localcloud.entra.applications import Application, Directory
from localcloud.entra.assertions import check_assertion
from localcloud.entra.errors import EntraError
from localcloud.entra.graph import Graph, GraphError, Principals, refused
from localcloud.tokens import APPLICATION_LIFETIME, ISSUER, TokenSigner

BEARER_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ANY_TENANT = {"common", "organizations"}
WORKLOAD = "workload"
"""The path of an issuer of tokens for workloads, as a Kubernetes cluster has one."""


def create_app(signer: TokenSigner, directory: Directory, principals: Principals) -> Starlette:
    """The login endpoint over the applications of `directory`, and Microsoft Graph, which tells who `principals` are."""
    tokens, discovery = Tokens(signer, directory), Discovery(signer)
    return Starlette(
        routes=[
            *Graph(signer, principals).routes(),
            Route("/common/discovery/instance", discovery.instance),
            Route("/workload/.well-known/openid-configuration", discovery.workload),
            Route("/workload/keys", discovery.keys),
            Route("/{tenant}/oauth2/v2.0/token", tokens.second, methods=["POST"]),
            Route("/{tenant}/oauth2/token", tokens.first, methods=["POST"]),
            Route("/{tenant}/v2.0/.well-known/openid-configuration", discovery.second),
            Route("/{tenant}/.well-known/openid-configuration", discovery.first),
            Route("/{tenant}/discovery/v2.0/keys", discovery.keys),
            Route("/{tenant}/discovery/keys", discovery.keys),
        ],
        exception_handlers={EntraError: _refused(signer), GraphError: refused},
    )


def _refused(signer: TokenSigner) -> Any:
    async def answer(request: Request, error: EntraError) -> JSONResponse:
        moment = f"{datetime.fromtimestamp(signer.now(), UTC):%Y-%m-%d %H:%M:%S}Z"
        correlation = request.headers.get("client-request-id") or str(uuid.uuid4())
        return JSONResponse(error.body(moment, correlation), error.status)

    return answer


class Tokens:
    """The token endpoint, in its two versions: one names a scope, the other a resource and answers with strings."""

    def __init__(self, signer: TokenSigner, directory: Directory) -> None:
        self._signer = signer
        self._directory = directory

    async def second(self, request: Request) -> JSONResponse:
        """v2.0: `scope` is a resource and `/.default`."""
        given = await _form(request)
        application, proof = self._authenticated(request, given)
        scope = _needed(given, "scope")
        resource = scope.removesuffix("/.default")
        if resource == scope or " " in scope:
            raise errors.wrong_scope(scope)
        token = self._signer.sign(resource, application.identity, APPLICATION_LIFETIME, proof)
        lifetime = APPLICATION_LIFETIME - 1
        return JSONResponse({"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token})

    async def first(self, request: Request) -> JSONResponse:
        """v1: `resource`."""
        given = await _form(request)
        application, proof = self._authenticated(request, given)
        resource = _needed(given, "resource")
        token = self._signer.sign(resource, application.identity, APPLICATION_LIFETIME, proof)
        now, lifetime = int(self._signer.now()), str(APPLICATION_LIFETIME - 1)
        return JSONResponse(
            {
                "token_type": "Bearer",
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "expires_on": str(now + APPLICATION_LIFETIME),
                "not_before": str(now),
                "resource": resource,
                "access_token": token,
            }
        )

    def _authenticated(self, request: Request, given: dict[str, str]) -> tuple[Application, str]:
        """The application that has proved who it is, and how (`appidacr`)."""
        _check_tenant(request, self._signer.tenant)
        if (kind := _needed(given, "grant_type")) != "client_credentials":
            raise errors.unsupported_grant(kind)
        client_id = _needed(given, "client_id")
        application = self._directory.find(client_id)
        if application is None:
            raise errors.unknown_application(client_id, self._signer.tenant)
        if assertion := given.get("client_assertion"):
            if given.get("client_assertion_type") != BEARER_ASSERTION:
                raise errors.missing_parameter("client_assertion_type")
            check_assertion(assertion, application, request.url.path, self._signer.read, self._signer.now())
            return application, "2"
        if not given.get("client_secret"):
            raise errors.no_credential()
        if not application.knows_secret(given["client_secret"]):
            raise errors.wrong_secret(client_id)
        return application, "1"


class Discovery:
    """What a client reads before it asks for a token. Addresses are those under which it asked."""

    def __init__(self, signer: TokenSigner) -> None:
        self._signer = signer

    async def second(self, request: Request) -> JSONResponse:
        """OpenID configuration of version 2.0."""
        tenant = _check_tenant(request, self._signer.tenant)
        base = f"{_origin(request)}/{tenant}"
        return JSONResponse(_configuration(base, "/v2.0", f"{base}/v2.0", self._signer.tenant))

    async def first(self, request: Request) -> JSONResponse:
        """OpenID configuration of version 1."""
        tenant = _check_tenant(request, self._signer.tenant)
        return JSONResponse(
            _configuration(f"{_origin(request)}/{tenant}", "", ISSUER.format(tenant=self._signer.tenant), self._signer.tenant)
        )

    async def keys(self, _request: Request) -> JSONResponse:
        """The keys that verify its tokens."""
        return JSONResponse({"keys": [self._signer.public_key()]})

    async def workload(self, request: Request) -> JSONResponse:
        """The OpenID configuration of the issuer of workloads' tokens."""
        issuer = f"{_origin(request)}/{WORKLOAD}"
        return JSONResponse({"issuer": issuer, "jwks_uri": f"{issuer}/keys", "id_token_signing_alg_values_supported": ["RS256"]})

    async def instance(self, request: Request) -> JSONResponse:
        """Whether an authority is to be trusted: the one that is asked vouches for itself."""
        asked = request.query_params.get("authorization_endpoint", "")
        if not asked:
            raise errors.missing_parameter("authorization_endpoint")
        base = asked.partition("/oauth2/")[0]
        host = request.url.netloc
        found = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        return JSONResponse(
            {
                "tenant_discovery_endpoint": f"{base}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [found],
            }
        )


def _configuration(base: str, version: str, issuer: str, tenant: str) -> dict[str, Any]:
    return {
        "token_endpoint": f"{base}/oauth2{version}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "jwks_uri": f"{base}/discovery{version}/keys",
        "response_types_supported": ["code", "id_token", "code id_token", "token id_token", "token"],
        "issuer": issuer,
        "authorization_endpoint": f"{base}/oauth2{version}/authorize",
        "device_authorization_endpoint": f"{base}/oauth2{version}/devicecode",
        "id_token_signing_alg_values_supported": ["RS256"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "tenant_id": tenant,
    }


def _check_tenant(request: Request, tenant: str) -> str:
    """The tenant of the path, which is the cloud's; those that stand for any are the cloud's too."""
    given = str(request.path_params["tenant"])
    if given.lower() != tenant.lower() and given.lower() not in ANY_TENANT:
        raise errors.unknown_tenant(given)
    return tenant


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


async def _form(request: Request) -> dict[str, str]:
    # Read by hand: Starlette's own forms want one more package.
    return dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))


def _needed(given: dict[str, str], name: str) -> str:
    if not given.get(name):
        raise errors.missing_parameter(name)
    return given[name]
