"""The identities of the local cloud have the roles that README.md names for them on Azure, and no others."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.bootstrap import CUSTOM_ROLES, DEPLOYER
from localcloud.cloud import Cloud
from localcloud.settings import (
    APP_IDENTITY,
    CONTAINER_GROUP,
    CONTAINER_IDENTITY,
    FILES_CONTAINER,
    REGISTRY,
    SUBSCRIPTION,
    TEMPLATE_SPEC,
    VAULT,
)
from tests.e2e.test_runs import Api

README = Path(__file__).parents[2] / "README.md"
CUSTOM = {name for name, _ in CUSTOM_ROLES.values()}
EXPECTED = {
    APP_IDENTITY: {
        ("Azure Container Instances Contributor Role", CONTAINER_GROUP),
        ("Reader", TEMPLATE_SPEC),
        ("loadme container usages reader", SUBSCRIPTION),
        ("loadme registry credentials reader", REGISTRY),
        ("Managed Identity Operator", CONTAINER_IDENTITY),
        ("Key Vault Secrets Officer", VAULT),
        ("Key Vault Secrets User", "contoso"),
        ("Storage Blob Data Owner", "devstoreaccount1"),
        ("Storage Queue Data Contributor", "devstoreaccount1"),
        ("Storage Table Data Contributor", "devstoreaccount1"),
    },
    CONTAINER_IDENTITY: {
        ("Storage Blob Data Contributor", FILES_CONTAINER),
        ("AcrPull", REGISTRY),
        ("Key Vault Secrets User", "contoso"),
    },
}


@pytest.fixture(scope="module")
def arm(cloud: Cloud) -> Iterator[httpx.Client]:
    token = cloud.credential(DEPLOYER.name).get_token("https://management.azure.com/.default").token
    verify = ssl.create_default_context(cafile=cloud.environment["LOADME_CA_FILE"])
    base = f"{cloud.arm_url}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization"
    with httpx.Client(base_url=base, headers={"authorization": f"Bearer {token}"}, verify=verify, trust_env=False) as client:
        yield client


def listed(arm: httpx.Client, kind: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = arm.get(f"/{kind}", params={"api-version": "2022-04-01", **query}).raise_for_status().json()["value"]
    return found


@pytest.mark.parametrize("identity", [APP_IDENTITY, CONTAINER_IDENTITY])
def test_an_identity_has_its_roles_and_no_others(arm: httpx.Client, cloud: Cloud, identity: str) -> None:
    names = {role["name"]: role["properties"]["roleName"] for role in listed(arm, "roleDefinitions")}
    principal = cloud.azure.identities[identity].principal_id
    found = [one["properties"] for one in listed(arm, "roleAssignments", **{"$filter": f"principalId eq '{principal}'"})]
    given = {(names[one["roleDefinitionId"].rpartition("/")[2]], one["scope"].rpartition("/")[2]) for one in found}

    # Which vaults workflows refer to is a matter of the test's settings.
    secrets = {(role, vault if vault == VAULT else "contoso") for role, vault in given if role.startswith("Key Vault")}
    assert {pair for pair in given if not pair[0].startswith("Key Vault")} | secrets == EXPECTED[identity]


def test_a_role_that_was_forgotten_shows_in_the_runs_error(arm: httpx.Client, cloud: Cloud) -> None:
    principal = cloud.azure.identities[APP_IDENTITY].principal_id
    found = listed(arm, "roleAssignments", **{"$filter": f"principalId eq '{principal}'"})
    [operator] = [one for one in found if one["properties"]["scope"].endswith(f"userAssignedIdentities/{CONTAINER_IDENTITY}")]
    address = f"{cloud.arm_url}{operator['id']}?api-version=2022-04-01"

    arm.delete(address).raise_for_status()
    try:
        with Api(cloud) as api:
            shown = api.ended(api.start("diamond", words=["one", "three"]))
    finally:
        arm.put(address, json={"properties": operator["properties"]}).raise_for_status()

    assert shown["status"] == "failed"
    assert "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action" in shown["error"]["message"]


def test_the_readme_names_every_role_and_action() -> None:
    text = re.sub(r"\s+", " ", README.read_text())

    for role in {role for pairs in EXPECTED.values() for role, _ in pairs} - CUSTOM:
        assert role in text
    for action in (action for _, actions in CUSTOM_ROLES.values() for action in actions):
        assert action in text or f"…/{action.partition('registries/')[2]}" in text
