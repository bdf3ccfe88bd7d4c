"""Vaults in ARM: made, changed, deleted softly; their secrets in templates; secrets for the parameters of deployments."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import ArmError
from tests.unit.localcloud.test_authorization import APP, OWNER, assign
from tests.unit.localcloud.worlds import SUBSCRIPTION, World, make_world

SUB = f"/subscriptions/{SUBSCRIPTION}"
RG = f"{SUB}/resourceGroups/rg"
VAULT = f"{RG}/providers/Microsoft.KeyVault/vaults/contoso"
PROVIDER = f"{SUB}/providers/Microsoft.KeyVault"
TENANT = "22222222-2222-4222-8222-222222222222"
GIVEN = {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}


@pytest.fixture
def world() -> World:
    return make_world()


def put(world: World, path: str = VAULT, version: str = "2023-07-01", **properties: Any) -> Reply:
    body = {"location": "westeurope", "properties": {**GIVEN, **properties}}
    call = Call(method="PUT", path=path, body=body, query={"api-version": version}, actor=OWNER)
    return world.state.answer(call)[0]


def code(reply: Reply) -> str:
    return str(reply.body["error"]["code"])


def test_a_vault_is_shown_as_azure_shows_it(world: World) -> None:
    shown = put(world, enableRbacAuthorization=True, enabledForTemplateDeployment=True).body["properties"]

    assert shown["vaultUri"] == "https://contoso.vault.azure.net/"
    assert (shown["enableSoftDelete"], shown["softDeleteRetentionInDays"], shown["enableRbacAuthorization"]) == (True, 90, True)
    assert (shown["enabledForTemplateDeployment"], shown["enabledForDeployment"], shown["accessPolicies"]) == (True, False, [])
    assert "enablePurgeProtection" not in shown


@pytest.mark.parametrize(("version", "by_roles"), [("2023-07-01", False), ("2026-02-01", True)])
def test_newer_versions_ask_for_roles_unless_told_otherwise(world: World, version: str, by_roles: bool) -> None:
    assert put(world, version=version).body["properties"]["enableRbacAuthorization"] is by_roles


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("ab", {}, "VaultNameNotValid"),
        ("1abc", {}, "VaultNameNotValid"),
        ("a--b", {}, "VaultNameNotValid"),
        ("abc-", {}, "VaultNameNotValid"),
        ("a" * 25, {}, "VaultNameNotValid"),
        ("abc", {"tenantId": ""}, "BadRequest"),
        ("abc", {"sku": None}, "BadRequest"),
    ],
)
def test_a_wrong_vault_is_refused(world: World, name: str, properties: dict[str, Any], expected: str) -> None:
    assert code(put(world, VAULT.replace("contoso", name), **properties)) == expected


def test_a_vaults_name_is_there_once_in_the_world(world: World) -> None:
    world.call("PUT", f"{SUB}/resourceGroups/other", {"location": "westeurope"})
    put(world)

    assert code(put(world, VAULT.replace("/rg/", "/other/"))) == "VaultAlreadyExists"
    check = world.call("POST", f"{PROVIDER}/checkNameAvailability", {"name": "Contoso", "type": "Microsoft.KeyVault/vaults"})
    assert (check.body["nameAvailable"], check.body["reason"]) == (False, "AlreadyExists")
    assert world.call("POST", f"{PROVIDER}/checkNameAvailability", {"name": "free"}).body == {"nameAvailable": True}


def test_a_deleted_vault_is_recovered_with_its_secrets(world: World) -> None:
    put(world)
    world.state.vaults.set("contoso", "sas", "kept")
    assert world.call("DELETE", VAULT).status == 200
    assert code(world.call("GET", VAULT)) == "ResourceNotFound"
    assert world.state.key_vaults.named("contoso") is None
    assert not world.state.vaults.exists("contoso")
    assert code(put(world)) == "ConflictError"
    [gone] = world.call("GET", f"{PROVIDER}/deletedVaults").body["value"]
    assert gone["properties"]["vaultId"] == VAULT
    assert world.call("GET", gone["id"]).body == gone

    assert put(world, createMode="recover").status == 200
    assert world.call("GET", VAULT).status == 200
    assert world.state.vaults.value("contoso", "sas") == "kept"
    assert code(world.call("GET", gone["id"])) == "DeletedVaultNotFound"


def test_a_purged_vault_is_gone_with_its_secrets(world: World) -> None:
    put(world)
    world.state.vaults.set("contoso", "sas", "v")
    world.call("DELETE", VAULT)
    purged = world.call("POST", f"{PROVIDER}/locations/westeurope/deletedVaults/contoso/purge")
    assert purged.status == 202
    assert world.call("GET", purged.headers["Location"].partition("azure.com")[2].partition("?")[0]).status == 200

    assert put(world).status == 200
    assert world.state.vaults.names("contoso") == []


def test_purge_protection_forbids_to_purge_a_vault(world: World) -> None:
    put(world, enablePurgeProtection=True)
    world.call("DELETE", VAULT)

    assert world.call("POST", f"{PROVIDER}/locations/westeurope/deletedVaults/contoso/purge").status == 405


def test_access_policies_are_added_replaced_and_removed(world: World) -> None:
    put(world)

    def change(how: str, *words: str) -> list[Any]:
        policy = {"tenantId": TENANT, "objectId": APP, "permissions": {"secrets": [*words]}}
        reply = world.call("PUT", f"{VAULT}/accessPolicies/{how}", {"properties": {"accessPolicies": [policy]}})
        assert reply.status == 200
        assert world.call("GET", VAULT).body["properties"]["accessPolicies"] == reply.body["properties"]["accessPolicies"]
        return [one["permissions"]["secrets"] for one in reply.body["properties"]["accessPolicies"]]

    assert change("add", "get") == [["get"]]
    assert change("add", "get", "list") == [["get", "list"]]
    assert change("replace", "set", "list") == [["set", "list"]]
    assert change("remove", "set") == [["list"]]
    assert change("remove", "list") == []
    assert code(world.call("PUT", f"{VAULT}/accessPolicies/what", {})) == "BadRequest"


def test_a_template_puts_secrets_and_nobody_reads_them_back_from_arm(world: World) -> None:
    put(world)
    secret = f"{VAULT}/secrets/sas"
    made = world.call("PUT", secret, {"properties": {"value": "hidden", "contentType": "text/plain"}, "tags": {"a": "b"}})

    assert made.status == 201
    assert "hidden" not in repr([made.body, world.call("GET", secret).body, world.call("GET", f"{VAULT}/secrets").body])
    assert made.body["properties"]["secretUriWithVersion"].startswith("https://contoso.vault.azure.net/secrets/sas/")
    assert world.call("GET", secret).body["properties"]["secretUri"] == "https://contoso.vault.azure.net/secrets/sas"
    assert world.state.vaults.value("contoso", "sas") == "hidden"
    assert world.call("PUT", secret, {"properties": {"value": "newer"}}).status == 200
    world.call("PATCH", secret, {"properties": {"attributes": {"enabled": False}}})
    assert world.call("GET", secret).body["properties"]["attributes"]["enabled"] is False
    assert code(world.call("GET", f"{VAULT}/secrets/absent")) == "SecretNotFound"
    assert code(world.call("PUT", secret, {"properties": {"value": 1}})) == "BadParameter"
    assert code(world.call("PUT", secret.replace("contoso", "absent"), {"properties": {"value": "x"}})) == "ResourceNotFound"


def test_a_parameters_secret_needs_an_open_vault_and_a_role(world: World) -> None:
    put(world, enabledForTemplateDeployment=True)
    old = world.state.vaults.set("contoso", "sas", "old")["id"].rpartition("/")[2]
    world.state.vaults.set("contoso", "sas", "new")
    read = world.state.key_vaults.secret

    with pytest.raises(ArmError, match=r"MICROSOFT[.]KEYVAULT/VAULTS/DEPLOY/ACTION") as refused:
        read(APP, VAULT, "sas", None)
    assert (refused.value.status, refused.value.code) == (403, "KeyVaultParameterReferenceAuthorizationFailed")
    assign(world, "Contributor", RG)
    assert (read(APP, VAULT.upper(), "sas", None), read(APP, VAULT, "sas", old)) == ("new", "old")
    with pytest.raises(ArmError, match="was not found in this key vault") as absent:
        read(APP, VAULT, "absent", None)
    assert absent.value.code == "KeyVaultParameterReferenceSecretRetrieveFailed"
    with pytest.raises(ArmError) as nowhere:
        read(APP, f"{VAULT}x", "sas", None)
    assert nowhere.value.code == "KeyVaultParameterReferenceNotFound"


def test_a_vault_that_is_not_open_for_deployments_keeps_its_secrets(world: World) -> None:
    put(world)
    world.state.vaults.set("contoso", "sas", "v")

    with pytest.raises(ArmError, match="enabledForTemplateDeployment"):
        world.state.key_vaults.secret(OWNER, VAULT, "sas", None)


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"enablePurgeProtection": False}, "irreversible action"),
        ({"softDeleteRetentionInDays": 6}, "softDeleteRetentionInDays"),
        ({"softDeleteRetentionInDays": 91}, "softDeleteRetentionInDays"),
        ({"softDeleteRetentionInDays": "soon"}, "properties.softDeleteRetentionInDays"),
        ({"sku": {"name": "cheap"}}, '"sku"'),
        ({"tenantId": "mine"}, '"tenantId"'),
        ({"accessPolicies": None}, '"accessPolicies"'),
        ({"accessPolicies": ["me"]}, "properties.accessPolicies[0]"),
        ({"accessPolicies": [{"objectId": APP, "permissions": {"secrets": "all"}}]}, "properties.accessPolicies.permissions.secrets"),
    ],
)
def test_what_a_vault_may_not_be_is_refused_at_first_and_later(world: World, properties: dict[str, Any], words: str) -> None:
    first = put(world, **properties)
    assert (first.status, words in first.body["error"]["message"]) == (400, True)
    put(world)
    assert put(world, **properties).status == 400


def test_what_was_chosen_once_stays(world: World) -> None:
    put(world, softDeleteRetentionInDays=30, enablePurgeProtection=True)
    kept = put(world).body["properties"]
    changed = put(world, softDeleteRetentionInDays=31)

    assert (kept["softDeleteRetentionInDays"], kept["enablePurgeProtection"]) == (30, True)
    assert "has been set already" in changed.body["error"]["message"]


def test_only_a_deleted_vault_is_recovered(world: World) -> None:
    refused = put(world, createMode="recover")

    assert (refused.status, code(refused)) == (404, "DeletedVaultNotFound")
