"""`az identity`, `az role`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from tests.clients.cloud import Az, RunningCloud, registered

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.fixture(scope="module")
def group(az: Az) -> Iterator[str]:
    az("group", "create", "--name", "cli-access", "--location", "westeurope")
    return "cli-access"


def test_an_identity_from_its_creation_to_its_end(az: Az, cloud: RunningCloud, group: str) -> None:
    made = az("identity", "create", "--resource-group", group, "--name", "cli-identity")

    assert made["type"] == "Microsoft.ManagedIdentity/userAssignedIdentities"
    assert made["tenantId"] == cloud.tenant
    assert az("identity", "show", "--resource-group", group, "--name", "cli-identity") == made
    assert "cli-identity" in az("identity", "list", "--resource-group", group, "--query", "[].name")
    assert "cli-identity" in az("identity", "list", "--query", "[].name")
    az("identity", "delete", "--resource-group", group, "--name", "cli-identity")
    assert "ResourceNotFound" in az.error("identity", "show", "--resource-group", group, "--name", "cli-identity")


def test_a_federated_credential_lets_a_workload_log_in_as_an_identity(az: Az, cloud: RunningCloud, group: str, tmp_path: Path) -> None:
    identity = az("identity", "create", "--resource-group", group, "--name", "cli-workload")
    token = Path(cloud.state["deployer"]["federated_token"]).read_text()
    subject = jwt.decode(token, options={"verify_signature": False})["sub"]
    login = ("login", "--service-principal", "-u", identity["clientId"], "--tenant", cloud.tenant, "--federated-token", token)
    workload = registered(tmp_path, cloud)
    assert "AADSTS700211: No matching federated identity record found" in workload.error(*login)

    words = ("--identity-name", "cli-workload", "--resource-group", group, "--name", "cluster", "--audiences", "api://AzureADTokenExchange")
    made = az("identity", "federated-credential", "create", *words, "--issuer", f"{cloud.login}/workload", "--subject", subject)

    assert (made["subject"], made["audiences"]) == (subject, ["api://AzureADTokenExchange"])
    # Who has no role sees no subscription, on Azure too.
    assert workload(*login, "--allow-no-subscriptions")[0]["user"]["name"] == identity["clientId"]


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
