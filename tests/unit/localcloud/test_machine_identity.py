"""The forms of a machine's identity that are not App Service's or a container's: what each wants, and what it says otherwise."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.identity import Machine, create_app
from localcloud.tokens import Identity, TokenSigner

ARM = "https://management.azure.com/"
NOW = 1_900_000_000.0
SECRET = "the machine's secret"
SYSTEM = Identity("machine", "/machine", "client-machine", "principal-machine")
USER = Identity("user", "/user", "client-user", "principal-user")
OTHER = Identity("other", "/other", "client-other", "principal-other")
APP = Identity("app", "/app", "client-app", "principal-app")


@pytest.fixture(scope="module")
def signer() -> TokenSigner:
    return TokenSigner("22222222-2222-4222-8222-222222222222", lambda: NOW)


class Client:
    """Asks the endpoints in this process."""

    def __init__(self, signer: TokenSigner, keys: Path) -> None:
        machine = Machine(system=SYSTEM, secret=SECRET, assigned=lambda: [USER, OTHER], arc_keys=keys)
        self.keys = keys
        self._transport = httpx.ASGITransport(create_app(signer, APP, "header", lambda _group: [], machine))

    def get(self, path: str, headers: dict[str, str] | None = None, **query: str) -> httpx.Response:
        return asyncio.run(
            self._send("GET", path, headers or {}, params={key.replace("_version", "-version"): query[key] for key in query})
        )

    def post(self, path: str, headers: dict[str, str] | None = None, **form: str) -> httpx.Response:
        return asyncio.run(self._send("POST", path, headers or {}, data=form))

    async def _send(self, method: str, path: str, headers: dict[str, str], **what: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://identity") as client:
            return await client.request(method, path, headers=headers, **what)

    def arc(self, authorization: str = "", **query: str) -> httpx.Response:
        headers = {"Metadata": "true"} | ({"Authorization": authorization} if authorization else {})
        return self.get("/arc/metadata/identity/oauth2/token", headers, **{"api_version": "2020-06-01", "resource": ARM} | query)

    def key(self) -> str:
        """What is in the file that a challenge names."""
        challenge = self.arc()
        assert challenge.status_code == 401
        return Path(challenge.headers["WWW-Authenticate"].removeprefix("Basic realm=")).read_text()


@pytest.fixture
def client(signer: TokenSigner, tmp_path: Path) -> Client:
    return Client(signer, tmp_path)


def holder(signer: TokenSigner, answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(signer.verify(answer.json()["access_token"], ARM)["oid"])


@pytest.mark.parametrize(
    ("choice", "expected"), [({}, SYSTEM), ({"client_id": USER.client_id}, USER), ({"object_id": OTHER.principal_id}, OTHER)]
)
def test_the_metadata_service_prefers_the_machines_own_identity(
    client: Client, signer: TokenSigner, choice: dict[str, str], expected: Identity
) -> None:
    answer = client.get("/machine/metadata/identity/oauth2/token", {"Metadata": "true"}, api_version="2018-02-01", resource=ARM, **choice)

    assert holder(signer, answer) == expected.principal_id


def test_arc_gives_a_token_for_the_content_of_a_file(client: Client, signer: TokenSigner) -> None:
    answer = client.arc(f"Basic {client.key()}")

    assert holder(signer, answer) == SYSTEM.principal_id
    assert answer.json()["expires_in"] == "86400"
    assert not list(client.keys.iterdir())


def test_arcs_key_file_is_its_owners_alone_and_small(client: Client) -> None:
    client.arc()

    [key] = client.keys.iterdir()
    assert (key.suffix, key.stat().st_mode & 0o777) == (".key", 0o600)
    assert key.stat().st_size < 4096


def test_arcs_key_opens_once(client: Client) -> None:
    key = client.key()
    client.arc(f"Basic {key}")

    assert client.arc(f"Basic {key}").status_code == 401


@pytest.mark.parametrize("authorization", ["Basic wrong", "Basic ", "wrong"])
def test_arc_challenges_again_who_has_not_read_the_file(client: Client, authorization: str) -> None:
    client.arc()

    assert client.arc(authorization).status_code == 401


def test_arc_leaves_no_more_than_a_few_key_files(client: Client) -> None:
    for _ in range(40):
        client.arc()

    assert len(list(client.keys.iterdir())) == 32


def test_arc_confirms_which_identity_it_took(client: Client) -> None:
    answer = client.arc(f"Basic {client.key()}", client_id=USER.client_id).json()

    assert (answer["client_id"], answer["object_id"], answer["msi_res_id"]) == (USER.client_id, USER.principal_id, USER.resource_id)


def test_arc_says_what_to_do_where_it_cannot_write(signer: TokenSigner, tmp_path: Path) -> None:
    answer = Client(signer, tmp_path / "absent").arc()

    assert answer.status_code == 500
    assert f"sudo install -d -o $USER {tmp_path / 'absent'}" in answer.json()["error_description"]


@pytest.mark.parametrize(
    ("query", "words"),
    [({"api_version": "2018-02-01"}, "api-version"), ({"resource": ""}, "resource"), ({"client_id": "x"}, "Identity not found")],
)
def test_arc_tells_what_is_wrong(client: Client, query: dict[str, str], words: str) -> None:
    answer = client.arc(f"Basic {client.key()}", **query)

    assert answer.status_code == 400
    assert words in answer.json()["error_description"]


def ask_fabric(client: Client, secret: str = SECRET, **query: str) -> httpx.Response:
    headers = {"Secret": secret} if secret else {}
    return client.get("/servicefabric/token", headers, **{"api_version": "2019-07-01-preview", "resource": ARM} | query)


def test_service_fabric_gives_the_machines_token_with_a_number_for_its_end(client: Client, signer: TokenSigner) -> None:
    answer = ask_fabric(client)

    assert holder(signer, answer) == SYSTEM.principal_id
    assert answer.json()["expires_on"] == NOW + 86_400


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"secret": ""}, 400, "SecretHeaderNotFound"),
        ({"secret": "wrong"}, 404, "ManagedIdentityNotFound"),
        ({"api_version": "2020-05-01"}, 400, "InvalidApiVersion"),
        ({"resource": ""}, 400, "ArgumentNullOrEmpty"),
    ],
)
def test_service_fabric_tells_what_is_wrong(client: Client, query: dict[str, str], status: int, code: str) -> None:
    answer = ask_fabric(client, **query)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_cloud_shell_takes_a_form(client: Client, signer: TokenSigner) -> None:
    answer = client.post("/cloudshell/token", {"Metadata": "true"}, resource=ARM)

    assert holder(signer, answer) == SYSTEM.principal_id
    assert answer.json()["expires_in"] == "86400"


@pytest.mark.parametrize(("headers", "form", "word"), [({}, {"resource": ARM}, "header"), ({"Metadata": "true"}, {}, "resource")])
def test_cloud_shell_tells_what_is_wrong(client: Client, headers: dict[str, str], form: dict[str, str], word: str) -> None:
    answer = client.post("/cloudshell/token", headers, **form)

    assert answer.status_code == 400
    assert word in answer.json()["error"]["message"]


def ask_machine_learning(client: Client, secret: str = SECRET, **query: str) -> httpx.Response:
    return client.get("/azureml/token", {"secret": secret}, **{"api_version": "2017-09-01", "resource": ARM} | query)


@pytest.mark.parametrize(("choice", "expected"), [({}, SYSTEM), ({"clientid": USER.client_id}, USER)])
def test_machine_learning_chooses_by_its_own_word(client: Client, signer: TokenSigner, choice: dict[str, str], expected: Identity) -> None:
    assert holder(signer, ask_machine_learning(client, **choice)) == expected.principal_id


@pytest.mark.parametrize(
    ("query", "status"),
    [({"secret": "wrong"}, 401), ({"api_version": "2019-08-01"}, 400), ({"resource": ""}, 400), ({"clientid": "nobody"}, 400)],
)
def test_machine_learning_tells_what_is_wrong(client: Client, query: dict[str, str], status: int) -> None:
    assert ask_machine_learning(client, **query).status_code == status


def test_without_a_machine_its_paths_are_not_there(signer: TokenSigner) -> None:
    client = Client(signer, Path())
    client._transport = httpx.ASGITransport(create_app(signer, APP, "header", lambda _group: []))

    assert client.get("/servicefabric/token").status_code == 404


@pytest.mark.parametrize(("version", "status"), [("2018-02-01", 200), ("2021-02-01", 200), ("2017-12-01", 400), ("latest", 400), ("", 400)])
def test_the_metadata_service_takes_every_version_since_the_first_that_has_tokens(client: Client, version: str, status: int) -> None:
    path = "/machine/metadata/identity/oauth2/token"

    assert client.get(path, {"Metadata": "true"}, api_version=version, resource=ARM).status_code == status


def test_the_metadata_service_answers_nobody_behind_a_proxy(client: Client) -> None:
    headers = {"Metadata": "true", "X-Forwarded-For": "10.0.0.1"}
    answer = client.get("/machine/metadata/identity/oauth2/token", headers, api_version="2018-02-01", resource=ARM)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
