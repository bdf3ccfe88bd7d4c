"""`az keyvault`, `az acr`, `az storage`, `az network`, `az resource`, and a group that is deleted with all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.cloud import Az, RunningCloud


@pytest.fixture(scope="module")
def group(az: Az) -> Iterator[str]:
    az("group", "create", "--name", "cli-environment", "--location", "westeurope")
    return "cli-environment"


def test_a_vault_and_its_secrets(az: Az, group: str) -> None:
    made = az("keyvault", "create", "--resource-group", group, "--name", "cli-env-vault", "--location", "westeurope")
    assert made["properties"]["vaultUri"] == "https://cli-env-vault.vault.azure.net/"

    first = az("keyvault", "secret", "set", "--vault-name", "cli-env-vault", "--name", "sas", "--value", "one", "--tags", "a=b")
    az("keyvault", "secret", "set", "--vault-name", "cli-env-vault", "--name", "sas", "--value", "two")
    assert (first["value"], first["tags"]["a"]) == ("one", "b")
    assert az("keyvault", "secret", "show", "--vault-name", "cli-env-vault", "--name", "sas", "--query", "value") == "two"
    assert az("keyvault", "secret", "show", "--id", first["id"], "--query", "value") == "one"
    assert len(az("keyvault", "secret", "list-versions", "--vault-name", "cli-env-vault", "--name", "sas")) == 2
    [listed] = az("keyvault", "secret", "list", "--vault-name", "cli-env-vault")
    assert (listed["name"], listed.get("value")) == ("sas", None)


def test_a_deleted_secret_is_recovered(az: Az, group: str) -> None:
    az("keyvault", "secret", "set", "--vault-name", "cli-env-vault", "--name", "gone", "--value", "kept")
    az("keyvault", "secret", "delete", "--vault-name", "cli-env-vault", "--name", "gone")
    assert "gone" in az("keyvault", "secret", "list-deleted", "--vault-name", "cli-env-vault", "--query", "[].name")
    az("keyvault", "secret", "recover", "--vault-name", "cli-env-vault", "--name", "gone")
    assert az("keyvault", "secret", "show", "--vault-name", "cli-env-vault", "--name", "gone", "--query", "value") == "kept"
    assert "SecretNotFound" in az.error("keyvault", "secret", "show", "--vault-name", "cli-env-vault", "--name", "no-secret")


def test_a_registry_and_its_admin_account(az: Az, group: str) -> None:
    made = az("acr", "create", "--resource-group", group, "--name", "cliregistry", "--sku", "Basic", "--admin-enabled", "true")
    assert (made["loginServer"], made["adminUserEnabled"]) == ("cliregistry.azurecr.io", True)

    shown = az("acr", "credential", "show", "--name", "cliregistry")
    renewed = az("acr", "credential", "renew", "--name", "cliregistry", "--password-name", "password")
    assert shown["username"] == renewed["username"] == "cliregistry"
    assert shown["passwords"][0]["value"] != renewed["passwords"][0]["value"]
    assert "cliregistry" in az("acr", "list", "--query", "[].name")


def test_a_storage_account_and_its_keys(az: Az, group: str) -> None:
    made = az("storage", "account", "create", "--resource-group", group, "--name", "clistorage", "--sku", "Standard_LRS")

    assert made["primaryEndpoints"]["blob"] == "https://clistorage.blob.core.windows.net/"
    keys = az("storage", "account", "keys", "list", "--resource-group", group, "--account-name", "clistorage")
    assert [one["keyName"] for one in keys] == ["key1", "key2"]


def test_a_network_with_a_subnet_for_containers(az: Az, group: str) -> None:
    words = ("--resource-group", group)
    az("network", "vnet", "create", *words, "--name", "net", "--address-prefixes", "10.0.0.0/16")
    serving = "Microsoft.ContainerInstance/containerGroups"
    made = az(
        "network", "vnet", "subnet", "create", *words, "--vnet-name", "net", "--name", "aci", "--address-prefixes", "10.0.0.0/24",
        "--delegations", serving,
    )  # fmt: skip

    assert made["delegations"][0]["serviceName"] == serving
    assert az("network", "vnet", "show", *words, "--name", "net", "--query", "subnets[].name") == ["aci"]


def test_everything_is_listed_and_goes_with_its_group(az: Az, cloud: RunningCloud, group: str) -> None:
    az("identity", "create", "--resource-group", group, "--name", "cli-last")
    listed = az("resource", "list", "--resource-group", group, "--query", "[].type")
    assert "Microsoft.ManagedIdentity/userAssignedIdentities" in listed

    az("group", "delete", "--name", group, "--yes")
    assert az("group", "exists", "--name", group) is False
    assert [one for one in az("resource", "list", "--query", "[].id") if f"/{group}/" in one] == []
