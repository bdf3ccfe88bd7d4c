"""Key Vault's address: every operation, who may do it, and what is said to who may not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from localcloud.arm.authorization.roles import BUILT_IN
from localcloud.arm.ids import stable_guid
from localcloud.arm.keyvault import SecretsGuard
from localcloud.keyvault import create_app
from tests.unit.localcloud.worlds import SUBSCRIPTION, World, make_world

RG = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
VAULT = f"{RG}/providers/Microsoft.KeyVault/vaults/contoso"
APP = "aaaaaaaa-0000-4000-8000-000000000001"
GOOD = "good"
ROLES = {role.name: role.id for role in BUILT_IN}
TENANT = "22222222-2222-4222-8222-222222222222"


class Door:
    """The vault `contoso`, reached by its own host name unless a path says otherwise."""

    def __init__(self, **properties: Any) -> None:
        self.world: World = make_world()
        given = {"tenantId": TENANT, "sku": {"name": "standard"}, "enableRbacAuthorization": True, **properties}
        assert self.world.call("PUT", VAULT, {"location": "westeurope", "properties": given}).status == 200
        state = self.world.state
        self._app = create_app(state.vaults, self._verify, TENANT, SecretsGuard(state))

    def _verify(self, token: str, audience: str) -> dict[str, Any]:
        if token != GOOD:
            raise ValueError(f"bad token for {audience}")
        return {"oid": APP, "appid": "the-app", "iss": "https://sts.windows.net/t/"}

    def give(self, role: str, scope: str = VAULT) -> None:
        definition = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"
        properties = {"roleDefinitionId": definition, "principalId": APP, "principalType": "ServicePrincipal"}
        name = stable_guid(f"{role}{scope}")
        made = self.world.call("PUT", f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}", {"properties": properties})
        assert made.status == 201

    def send(self, method: str, path: str, body: Any = None, token: str = GOOD, **query: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="https://contoso.vault.azure.net") as client:
                content = body if isinstance(body, str) else json.dumps(body) if body is not None else None
                parameters = {"api-version": "7.6", **query} if "?" not in path else None
                headers = {"authorization": f"Bearer {token}"} if token else {}
                return await client.request(method, path, params=parameters, content=content, headers=headers)

        return asyncio.run(ask())

    def put(self, name: str, value: str = "v", **more: Any) -> dict[str, Any]:
        answer = self.send("PUT", f"/secrets/{name}", {"value": value, **more})
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made


@pytest.fixture
def door() -> Door:
    door = Door()
    door.give("Key Vault Secrets Officer")
    return door


def code(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("innererror", {}).get("code", "")


def test_a_secret_is_set_read_and_shown_with_all_that_was_given(door: Door) -> None:
    made = door.put("sas", "old", contentType="text/plain", tags={"a": "b"}, attributes={"exp": 2_000_000_000, "nbf": 1})
    read = door.send("GET", "/secrets/SAS").json()

    assert made["id"].startswith("https://contoso.vault.azure.net/secrets/sas/")
    assert read["value"] == "old"
    assert (read["contentType"], read["tags"]) == ("text/plain", {"a": "b"})
    attributes = read["attributes"]
    assert (attributes["enabled"], attributes["exp"], attributes["nbf"]) == (True, 2_000_000_000, 1)
    assert (attributes["recoveryLevel"], attributes["recoverableDays"]) == ("Recoverable+Purgeable", 90)
    assert door.send("GET", f"/secrets/sas/{made['id'].rpartition('/')[2]}").json() == read


def test_the_vault_is_named_by_the_path_too(door: Door) -> None:
    door.put("sas", "here")

    assert door.send("GET", "/vaults/Contoso/secrets/sas").json()["value"] == "here"
    assert code(door.send("GET", "/vaults/another/secrets/sas")) == (404, "VaultNotFound", "")


def test_lists_are_paged_and_show_no_values(door: Door) -> None:
    for number in range(5):
        door.put(f"s{number}", tags={"n": str(number)})
    first = door.send("GET", "/secrets", maxresults="2").json()
    assert [one["id"] for one in first["value"]] == [f"https://contoso.vault.azure.net/secrets/s{number}" for number in (0, 1)]
    assert "value" not in first["value"][0]

    seen, link = first["value"], first["nextLink"]
    while link:
        page = door.send("GET", link).json()
        seen, link = [*seen, *page["value"]], page["nextLink"]
    assert [one["tags"]["n"] for one in seen] == ["0", "1", "2", "3", "4"]
    for wrong in ("0", "26", "x"):
        assert code(door.send("GET", "/secrets", maxresults=wrong))[:2] == (400, "BadParameter")


def test_the_next_page_is_where_the_first_was_asked_for(door: Door) -> None:
    door.put("a")
    door.put("b")

    link = door.send("GET", "/vaults/contoso/secrets", maxresults="1").json()["nextLink"]
    assert link.startswith("https://contoso.vault.azure.net/vaults/contoso/secrets?api-version=7.6&")


def test_every_version_is_listed(door: Door) -> None:
    made = {door.put("sas", value)["id"] for value in ("1", "2", "3")}

    assert {one["id"] for one in door.send("GET", "/secrets/sas/versions").json()["value"]} == made


def test_attributes_are_changed_without_a_new_version(door: Door) -> None:
    version = door.put("sas")["id"].rpartition("/")[2]
    changed = door.send("PATCH", f"/secrets/sas/{version}", {"attributes": {"enabled": False}, "contentType": "x", "tags": {"t": "1"}})

    assert "value" not in changed.json()
    assert (changed.json()["contentType"], changed.json()["tags"]) == ("x", {"t": "1"})
    assert code(door.send("GET", "/secrets/sas")) == (403, "Forbidden", "SecretDisabled")
    assert door.send("PATCH", "/secrets/sas", {"attributes": {"enabled": True}}).status_code == 200
    assert door.send("GET", "/secrets/sas").json()["value"] == "v"
    assert code(door.send("PATCH", f"/secrets/sas/{'0' * 32}", {}))[:2] == (404, "SecretNotFound")


def test_a_deleted_secret_is_listed_recovered_and_purged(door: Door) -> None:
    door.put("sas", "kept")
    gone = door.send("DELETE", "/secrets/sas").json()
    assert gone["recoveryId"] == "https://contoso.vault.azure.net/deletedsecrets/sas"
    assert gone["scheduledPurgeDate"] - gone["deletedDate"] == 90 * 86_400
    assert "value" not in gone
    assert code(door.send("PUT", "/secrets/sas", {"value": "x"})) == (409, "Conflict", "ObjectIsDeletedButRecoverable")
    assert [one["recoveryId"] for one in door.send("GET", "/deletedsecrets").json()["value"]] == [gone["recoveryId"]]
    assert door.send("GET", "/deletedsecrets/sas").json()["deletedDate"] == gone["deletedDate"]

    assert door.send("POST", "/deletedsecrets/sas/recover").status_code == 200
    assert door.send("GET", "/secrets/sas").json()["value"] == "kept"
    assert code(door.send("DELETE", "/deletedsecrets/sas"))[:2] == (404, "SecretNotFound")
    door.send("DELETE", "/secrets/sas")
    assert door.send("DELETE", "/deletedsecrets/sas").status_code == 204
    assert door.put("sas", "new")["value"] == "new"


def test_purge_protection_forbids_to_purge() -> None:
    door = Door(enablePurgeProtection=True, softDeleteRetentionInDays=7)
    door.give("Key Vault Administrator")
    assert door.put("sas")["attributes"]["recoveryLevel"] == "Recoverable"
    door.send("DELETE", "/secrets/sas")

    assert code(door.send("DELETE", "/deletedsecrets/sas"))[:2] == (403, "Forbidden")


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/secrets/absent", None, (404, "SecretNotFound")),
        ("GET", "/deletedsecrets/absent", None, (404, "SecretNotFound")),
        ("GET", "/keys/k", None, (400, "LocalCloudNotSupported")),
        ("POST", "/secrets/sas/backup", None, (404, "NotFound")),
        ("GET", "/", None, (404, "NotFound")),
        ("PUT", "/secrets/bad_name", {"value": "x"}, (400, "BadParameter")),
        ("PUT", "/secrets/sas", {"value": 1}, (400, "BadParameter")),
        ("PUT", "/secrets/sas", {"value": "x" * 25_601}, (400, "BadParameter")),
        ("PUT", "/secrets/sas", {"value": "x", "attributes": {"exp": "soon"}}, (400, "BadParameter")),
        ("PUT", "/secrets/sas", {"value": "x", "attributes": []}, (400, "BadParameter")),
        ("PUT", "/secrets/sas", "[]", (400, "BadParameter")),
        ("PUT", "/secrets/sas", "[" * 100_000, (400, "BadParameter")),
    ],
)
def test_what_is_wrong_is_refused(door: Door, method: str, path: str, body: Any, expected: tuple[int, str]) -> None:
    assert code(door.send(method, path, body))[:2] == expected


def test_an_api_version_is_needed_and_known(door: Door) -> None:
    assert code(door.send("GET", "/secrets/x?a=b"))[:2] == (400, "BadParameter")
    assert code(door.send("GET", "/secrets/x?api-version=1.0"))[:2] == (400, "BadParameter")


@pytest.mark.parametrize("token", ["", "bad"])
def test_without_a_good_token_a_caller_is_told_where_to_get_one(door: Door, token: str) -> None:
    answer = door.send("GET", "/secrets/sas", token=token)

    assert code(answer)[:2] == (401, "Unauthorized")
    assert answer.headers["www-authenticate"] == (
        f'Bearer authorization="https://login.windows.net/{TENANT}", resource="https://vault.azure.net"'
    )


OPERATIONS = [
    ("GET", "/secrets/sas", None, "getSecret/action"),
    ("PUT", "/secrets/sas", {"value": "x"}, "setSecret/action"),
    ("PATCH", "/secrets/sas", {}, "update/action"),
    ("GET", "/secrets", None, "readMetadata/action"),
    ("GET", "/secrets/sas/versions", None, "readMetadata/action"),
    ("DELETE", "/secrets/sas", None, "delete"),
    ("GET", "/deletedsecrets", None, "readMetadata/action"),
    ("POST", "/deletedsecrets/sas/recover", None, "recover/action"),
    ("DELETE", "/deletedsecrets/sas", None, "purge/action"),
]


@pytest.mark.parametrize(("method", "path", "body", "action"), OPERATIONS)
def test_who_has_no_role_is_refused_in_azures_words(method: str, path: str, body: Any, action: str) -> None:
    door = Door()
    door.give("Owner")  # has no action on data
    answer = door.send(method, path, body)

    assert code(answer) == (403, "Forbidden", "ForbiddenByRbac")
    message = answer.json()["error"]["message"]
    assert f"Caller: appid=the-app;oid={APP};iss=https://sts.windows.net/t/\r\n" in message
    assert f"Action: 'Microsoft.KeyVault/vaults/secrets/{action}'\r\n" in message
    assert "Vault: contoso;location=westeurope\r\n" in message


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("Key Vault Secrets User", {"getSecret/action", "readMetadata/action"}),
        ("Key Vault Reader", {"readMetadata/action"}),
        ("Key Vault Secrets Officer", {action for *_, action in OPERATIONS}),
        ("Key Vault Administrator", {action for *_, action in OPERATIONS}),
    ],
)
def test_a_role_allows_what_it_does_on_azure(role: str, allowed: set[str]) -> None:
    door = Door()
    door.give(role)

    assert {action for method, path, body, action in OPERATIONS if door.send(method, path, body).status_code != 403} == allowed


def test_a_role_may_be_on_one_secret_alone() -> None:
    door = Door()
    door.world.state.vaults.set("contoso", "mine", "m")
    door.world.state.vaults.set("contoso", "other", "o")
    door.give("Key Vault Secrets User", f"{VAULT}/secrets/mine")

    assert door.send("GET", "/secrets/mine").json()["value"] == "m"
    assert door.send("GET", "/secrets/other").status_code == 403


def test_without_roles_the_vaults_own_policies_decide() -> None:
    policy = {"tenantId": TENANT, "objectId": APP.upper(), "permissions": {"secrets": ["Get", "set"]}}
    door = Door(enableRbacAuthorization=False, accessPolicies=[policy])
    door.give("Key Vault Administrator")  # is of no use here

    assert door.put("sas", "v")["value"] == "v"
    assert door.send("GET", "/secrets/sas").status_code == 200
    refused = door.send("DELETE", "/secrets/sas")
    assert code(refused) == (403, "Forbidden", "AccessDenied")
    assert "does not have secrets delete permission on key vault 'contoso;location=westeurope'" in refused.json()["error"]["message"]


def test_what_comes_with_every_answer(door: Door) -> None:
    headers = door.send("GET", "/secrets/absent").headers

    assert (headers["cache-control"], headers["x-content-type-options"], headers["expires"]) == ("no-cache", "nosniff", "-1")
    assert {"x-ms-request-id", "x-ms-keyvault-service-version", "strict-transport-security"} <= set(headers)


def test_half_a_surrogate_pair_is_refused_before_anything_is_kept(door: Door) -> None:
    answer = door.send("PUT", "/secrets/half", '{"value": "\\ud83d"}')

    assert (answer.status_code, door.send("GET", "/secrets").json()["value"]) == (400, [])
