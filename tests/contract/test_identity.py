"""The identity endpoints as azure-identity uses them: in the function app, and in a container."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential

from loadme.azure.credentials import managed_identity
from loadme.azure.storage import Account
from loadme.azure.storage.queues import AzureQueues
from loadme.errors import Unavailable
from localcloud.identity import create_app
from localcloud.servers import ThreadedServer
from localcloud.tokens import Identity, TokenSigner
from tests.contract.conftest import APP, SECRET

SCOPE = "https://storage.azure.com/.default"
ONE = Identity("one", "/one", "55555555-5555-4555-8555-555555555555", "66666666-6666-4666-8666-666666666666")
TWO = Identity("two", "/two", "77777777-7777-4777-8777-777777777777", "88888888-8888-4888-8888-888888888888")
GROUPS = {"lm-one": [ONE], "lm-both": [ONE, TWO]}


@pytest.fixture(scope="module")
def url(signer: TokenSigner) -> Iterator[str]:
    with ThreadedServer(create_app(signer, APP, SECRET, lambda group: GROUPS.get(group, []))) as server:
        yield server.url


@pytest.fixture
def in_the_app(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", SECRET)


@pytest.fixture
def in_a_container(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("IDENTITY_ENDPOINT", raising=False)
    monkeypatch.delenv("IDENTITY_HEADER", raising=False)
    return monkeypatch


@pytest.mark.usefixtures("in_the_app")
@pytest.mark.parametrize("client_id", [None, "", APP.client_id])
def test_the_app_gets_its_token(signer: TokenSigner, client_id: str | None) -> None:
    with managed_identity(client_id) as credential:
        token = credential.get_token(SCOPE).token

    assert signer.verify(token, "https://storage.azure.com")["oid"] == APP.principal_id


@pytest.mark.usefixtures("in_the_app")
def test_an_app_without_its_identity_cannot_reach_storage_for_now() -> None:
    with managed_identity(TWO.client_id) as credential:
        account = Account(queue_endpoint="https://127.0.0.1:1/devstoreaccount1", credential=credential)
        with closing(AzureQueues(account)) as queues, pytest.raises(Unavailable, match="Managed Identity"):
            queues.send("queue", "x")


@pytest.mark.parametrize(
    ("group", "client_id", "identity"), [("lm-one", None, ONE), ("lm-both", TWO.client_id, TWO), ("lm-both", ONE.client_id, ONE)]
)
def test_a_container_gets_the_token_of_its_group(
    url: str, signer: TokenSigner, in_a_container: pytest.MonkeyPatch, group: str, client_id: str | None, identity: Identity
) -> None:
    in_a_container.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"{url}/groups/{group}")

    with ManagedIdentityCredential(client_id=client_id) as credential:
        token = credential.get_token(SCOPE).token

    assert signer.verify(token, "https://storage.azure.com")["oid"] == identity.principal_id


def test_a_container_without_an_identity_gets_none(url: str, in_a_container: pytest.MonkeyPatch) -> None:
    in_a_container.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"{url}/groups/lm-none")

    with ManagedIdentityCredential() as credential, pytest.raises(ClientAuthenticationError):
        credential.get_token(SCOPE)
