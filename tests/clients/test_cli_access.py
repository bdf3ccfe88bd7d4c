"""`az identity`, `az role`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.cloud import Az, RunningCloud

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.fixture(scope="module")
def group(az: Az) -> Iterator[str]:
    az("group", "create", "--name", "cli-access", "--location", "westeurope")
    return "cli-access"


def test_an_identity_is_created_shown_and_listed(az: Az, cloud: RunningCloud, group: str) -> None:
    made = az("identity", "create", "--resource-group", group, "--name", "cli-identity")

    assert made["type"] == "Microsoft.ManagedIdentity/userAssignedIdentities"
    assert made["tenantId"] == cloud.tenant
    assert az("identity", "show", "--resource-group", group, "--name", "cli-identity") == made


def test_a_role_is_given_to_an_identity_and_taken_away(az: Az, cloud: RunningCloud, group: str) -> None:
    identity = az("identity", "create", "--resource-group", group, "--name", "cli-reader")
    scope = f"/subscriptions/{cloud.subscription}/resourceGroups/{group}"
    words = ("--role", "Reader", "--scope", scope)

    given = az("role", "assignment", "create", "--assignee", identity["clientId"], *words)

    assert given["principalId"] == identity["principalId"]
    assert given["roleDefinitionId"].endswith(READER)
    assert given["scope"] == scope
    [listed] = az("role", "assignment", "list", "--scope", scope, "--assignee", identity["principalId"])
    assert (listed["roleDefinitionName"], listed["principalName"]) == ("Reader", identity["clientId"])
    az("role", "assignment", "delete", "--assignee", identity["principalId"], *words)
    assert az("role", "assignment", "list", "--scope", scope, "--assignee", identity["principalId"]) == []


def test_nobody_is_found_by_an_unknown_id(az: Az, cloud: RunningCloud) -> None:
    scope = f"/subscriptions/{cloud.subscription}"
    nobody = "99999999-9999-4999-8999-999999999999"

    said = az.error("role", "assignment", "create", "--assignee", nobody, "--role", "Reader", "--scope", scope)

    assert f"Cannot find user or service principal in graph database for '{nobody}'." in said


def test_role_definitions_are_listed(az: Az) -> None:
    [reader] = az("role", "definition", "list", "--name", "Reader")

    assert (reader["name"], reader["roleType"]) == (READER, "BuiltInRole")
    assert reader["permissions"][0]["actions"] == ["*/read"]


def test_the_deployer_is_shown_as_a_service_principal(az: Az, cloud: RunningCloud) -> None:
    assert az("ad", "sp", "show", "--id", cloud.object_id)["appId"] == cloud.client_id
