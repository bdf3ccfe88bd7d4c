"""`az keyvault`, `az acr`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.cloud import Az, RunningCloud


@pytest.fixture(scope="module")
def vault(az: Az) -> Iterator[str]:
    az("group", "create", "--name", "cli-vaults", "--location", "westeurope")
    az("keyvault", "create", "--name", "cli-vault", "--resource-group", "cli-vaults", "--location", "westeurope")
    return "cli-vault"


def test_a_vault_is_shown_and_listed(az: Az, cloud: RunningCloud, vault: str) -> None:
    shown = az("keyvault", "show", "--name", vault)

    assert shown["properties"]["vaultUri"] == f"https://{vault}.vault.azure.net/"
    assert shown["properties"]["tenantId"] == cloud.tenant
    assert shown["properties"]["enableRbacAuthorization"] is True
    assert vault in az("keyvault", "list", "--query", "[].name")


def test_a_secret_from_its_setting_to_its_end(az: Az, vault: str) -> None:
    secret = ("--vault-name", vault, "--name", "cli-secret")

    first = az("keyvault", "secret", "set", *secret, "--value", "one")
    second = az("keyvault", "secret", "set", *secret, "--value", "two", "--tags", "kind=test")

    assert first["id"].startswith(f"https://{vault}.vault.azure.net/secrets/cli-secret/")
    assert az("keyvault", "secret", "show", *secret, "--query", "[value, tags.kind]") == ["two", "test"]
    assert az("keyvault", "secret", "show", "--id", first["id"], "--query", "value") == "one"
    listed = az("keyvault", "secret", "list", "--vault-name", vault)
    assert [(one["name"], one.get("value")) for one in listed] == [("cli-secret", None)]
    versions = az("keyvault", "secret", "list-versions", *secret, "--query", "[].id")
    assert set(versions) == {first["id"], second["id"]}
    az("keyvault", "secret", "set-attributes", *secret, "--enabled", "false")
    assert "SecretDisabled" in az.error("keyvault", "secret", "show", *secret)

    deleted = az("keyvault", "secret", "delete", *secret)

    assert deleted["recoveryId"] == f"https://{vault}.vault.azure.net/deletedsecrets/cli-secret"
    assert "(SecretNotFound)" in az.error("keyvault", "secret", "show", *secret)
    az("keyvault", "secret", "recover", *secret)
    assert az("keyvault", "secret", "list", "--vault-name", vault, "--query", "[].name") == ["cli-secret"]


def test_a_vault_that_is_not_there_is_told(az: Az) -> None:
    assert "no-such-vault" in az.error("keyvault", "secret", "show", "--vault-name", "no-such-vault", "--name", "x")


def test_the_registry_and_its_credentials(az: Az) -> None:
    registry = ("--name", "loadmeregistry")

    shown = az("acr", "show", *registry)
    assert (shown["loginServer"], shown["adminUserEnabled"]) == ("loadmeregistry.azurecr.io", True)
    credentials = az("acr", "credential", "show", *registry)
    assert credentials["username"] == "loadmeregistry"
    assert [one["name"] for one in credentials["passwords"]] == ["password", "password2"]
    assert all(one["value"] for one in credentials["passwords"])
