"""`az group`, `az resource`, `az provider`."""

from __future__ import annotations

from tests.clients.cloud import Az, RunningCloud


def test_a_resource_group_from_its_creation_to_its_end(az: Az, cloud: RunningCloud) -> None:
    created = az("group", "create", "--name", "cli-group", "--location", "westeurope", "--tags", "purpose=test")

    assert created["id"] == f"/subscriptions/{cloud.subscription}/resourceGroups/cli-group"
    assert created["properties"] == {"provisioningState": "Succeeded"}
    assert (created["location"], created["tags"]) == ("westeurope", {"purpose": "test"})
    assert az("group", "show", "--name", "CLI-group") == created
    assert az("group", "exists", "--name", "cli-group") is True
    assert "cli-group" in az("group", "list", "--query", "[].name")
    assert az("group", "list", "--tag", "purpose=test", "--query", "[].name") == ["cli-group"]
    az("group", "update", "--name", "cli-group", "--tags", "purpose=other")
    assert az("group", "show", "--name", "cli-group", "--query", "tags") == {"purpose": "other"}

    az("group", "delete", "--name", "cli-group", "--yes")

    assert az("group", "exists", "--name", "cli-group") is False
    assert "(ResourceGroupNotFound) Resource group 'cli-group' could not be found." in az.error("group", "show", "--name", "cli-group")


def test_what_is_in_a_group_is_listed_and_goes_with_it(az: Az) -> None:
    az("group", "create", "--name", "cli-full", "--location", "westeurope")
    identity = az("identity", "create", "--resource-group", "cli-full", "--name", "inside")

    [listed] = az("resource", "list", "--resource-group", "cli-full")
    assert (listed["id"], listed["type"]) == (identity["id"], "Microsoft.ManagedIdentity/userAssignedIdentities")
    assert az("resource", "show", "--ids", identity["id"])["properties"]["clientId"] == identity["clientId"]
    az("group", "delete", "--name", "cli-full", "--yes")
    assert "ResourceGroupNotFound" in az.error("identity", "show", "--resource-group", "cli-full", "--name", "inside")


def test_providers_are_registered(az: Az) -> None:
    assert az("provider", "show", "--namespace", "Microsoft.ContainerInstance", "--query", "registrationState") == "Registered"
    assert "Microsoft.KeyVault" in az("provider", "list", "--query", "[].namespace")
