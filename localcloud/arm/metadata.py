"""ARM's metadata endpoint: where the services of a cloud are, for clients that are told only where its ARM is. It needs no token."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

SUFFIXES = {
    "acrLoginServer": "azurecr.io",
    "keyVaultDns": "vault.azure.net",
    "storage": "core.windows.net",
}


def metadata_route(login: str, tenant: str) -> Route:
    """`login` is the address of the login endpoint. The suffixes are Azure's own names."""

    async def answer(request: Request) -> JSONResponse:
        return JSONResponse(_endpoints(f"{request.url.scheme}://{request.url.netloc}", login, tenant))

    return Route("/metadata/endpoints", answer)


def _endpoints(arm: str, login: str, tenant: str) -> dict[str, Any]:
    return {
        "name": "loadme",
        "portal": arm,
        "gallery": arm,
        "graphAudience": "https://graph.windows.net/",
        "graph": "https://graph.windows.net/",
        "microsoftGraphResourceId": f"{login}/",
        "resourceManager": arm,
        "authentication": {
            "loginEndpoint": login,
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": tenant,
            "identityProvider": "AAD",
        },
        "suffixes": SUFFIXES,
    }
