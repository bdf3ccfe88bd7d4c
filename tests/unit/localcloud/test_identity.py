"""The identity endpoints: the app's, and the containers'."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from localcloud.identity import create_app
from localcloud.tokens import Identity, TokenSigner

ARM = "https://management.azure.com/"
NOW = 1_900_000_000.0
SECRET = "the secret"


def an_identity(name: str) -> Identity:
    return Identity(name, f"/subscriptions/s/userAssignedIdentities/{name}", f"client-{name}", f"principal-{name}")


APP, ONE, TWO = an_identity("app"), an_identity("one"), an_identity("two")
GROUPS = {"": [ONE], "group": [ONE, ONE], "several": [ONE, TWO], "none": []}


@pytest.fixture(scope="module")
def signer() -> TokenSigner:
    return TokenSigner("22222222-2222-4222-8222-222222222222", lambda: NOW)


class Client:
    """Asks the app in this process."""

    def __init__(self, app: Starlette) -> None:
        self._transport = httpx.ASGITransport(app)

    def get(self, path: str, parameters: dict[str, str], headers: dict[str, str | None]) -> httpx.Response:
        query = {name: value for name, value in parameters.items() if value}
        sent = {name: value for name, value in headers.items() if value is not None}
        return asyncio.run(self._get(path, query, sent))

    async def _get(self, path: str, query: dict[str, str], headers: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://identity") as client:
            return await client.get(path, params=query, headers=headers)


@pytest.fixture(scope="module")
def client(signer: TokenSigner) -> Client:
    return Client(create_app(signer, APP, SECRET, GROUPS.__getitem__))


def ask_app_service(client: Client, header: str | None = SECRET, **query: str) -> httpx.Response:
    return client.get("/msi/token", {"api-version": "2019-08-01", "resource": ARM} | query, {"X-IDENTITY-HEADER": header})


def ask_metadata(client: Client, group: str = "", metadata: str | None = "true", **query: str) -> httpx.Response:
    path = (f"/groups/{group}" if group else "") + "/metadata/identity/oauth2/token"
    return client.get(path, {"api-version": "2018-02-01", "resource": ARM} | query, {"Metadata": metadata})


def test_the_app_gets_a_token_of_its_identity(client: Client, signer: TokenSigner) -> None:
    answer = ask_app_service(client).json()

    claims = signer.verify(answer["access_token"], ARM)
    assert claims["oid"] == APP.principal_id
    assert answer["expires_on"] == str(claims["exp"])
    assert (answer["resource"], answer["token_type"], answer["client_id"]) == (ARM, "Bearer", APP.client_id)


@pytest.mark.parametrize("choice", [{"client_id": "CLIENT-app"}, {"mi_res_id": APP.resource_id}, {"principal_id": APP.principal_id}])
def test_the_app_may_name_its_identity(client: Client, choice: dict[str, str]) -> None:
    assert ask_app_service(client, **choice).status_code == 200


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({"header": None}, 401, "X-IDENTITY-HEADER"),
        ({"header": "another"}, 401, "X-IDENTITY-HEADER"),
        ({"client_id": "client-one"}, 400, "No User Assigned or Delegated Managed Identity found"),
        ({"resource": ""}, 400, "resource"),
        ({"api-version": "2017-09-01"}, 400, "api-version"),
    ],
)
def test_the_app_is_told_what_is_wrong(client: Client, query: dict[str, Any], status: int, message: str) -> None:
    answer = ask_app_service(client, **query)

    assert answer.status_code == status
    assert answer.json()["statusCode"] == status
    assert message in answer.json()["message"]
    assert answer.json()["correlationId"]


@pytest.mark.parametrize("group", ["", "group"])
def test_a_container_gets_a_token_of_its_only_identity(client: Client, signer: TokenSigner, group: str) -> None:
    answer = ask_metadata(client, group).json()

    assert signer.verify(answer["access_token"], ARM)["oid"] == ONE.principal_id
    assert int(answer["expires_in"]) == int(answer["expires_on"]) - NOW
    assert all(isinstance(value, str) for value in answer.values())


@pytest.mark.parametrize("choice", ["client_id", "object_id", "msi_res_id"])
def test_a_container_with_several_identities_names_one(client: Client, signer: TokenSigner, choice: str) -> None:
    word = {"client_id": TWO.client_id, "object_id": TWO.principal_id, "msi_res_id": TWO.resource_id}[choice]

    answer = ask_metadata(client, "several", **{choice: word}).json()

    assert signer.verify(answer["access_token"], ARM)["oid"] == TWO.principal_id


@pytest.mark.parametrize(
    ("query", "description"),
    [
        ({"metadata": None}, "Required metadata header not specified"),
        ({"metadata": "false"}, "Required metadata header not specified"),
        ({"resource": ""}, "'resource' is missing"),
        ({"api-version": ""}, "'api-version' is missing"),
        ({"group": "none"}, "Identity not found"),
        ({"group": "several"}, "Multiple user assigned identities exist"),
        ({"group": "group", "client_id": TWO.client_id}, "Identity not found"),
        ({"group": "group", "client_id": APP.client_id}, "Identity not found"),
    ],
)
def test_a_container_is_told_what_is_wrong(client: Client, query: dict[str, Any], description: str) -> None:
    answer = ask_metadata(client, **query)

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"
    assert description in answer.json()["error_description"]
