"""`az group`."""

from __future__ import annotations

from tests.clients.cloud import Az, RunningCloud


def test_a_resource_group_is_created_shown_and_listed(az: Az, cloud: RunningCloud) -> None:
    created = az("group", "create", "--name", "cli-group", "--location", "westeurope", "--tags", "purpose=test")

    assert created["id"] == f"/subscriptions/{cloud.subscription}/resourceGroups/cli-group"
    assert created["properties"] == {"provisioningState": "Succeeded"}
    assert (created["location"], created["tags"]) == ("westeurope", {"purpose": "test"})
    assert az("group", "show", "--name", "CLI-group") == created
    assert az("group", "exists", "--name", "cli-group") is True
    assert "cli-group" in az("group", "list", "--query", "[].name")
    assert az("group", "exists", "--name", "no-group") is False
    assert "(ResourceGroupNotFound) Resource group 'no-group' could not be found." in az.error("group", "show", "--name", "no-group")
