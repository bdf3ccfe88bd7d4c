"""A value of the wrong type in a body is the client's mistake: a 400 that names its path, and nothing was done."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.arm.calls import Reply
from tests.unit.localcloud.worlds import SUBSCRIPTION, make_world

SUB = f"/subscriptions/{SUBSCRIPTION}"
RG = f"{SUB}/resourceGroups/rg"
PROVIDERS = f"{RG}/providers"
ROLES = f"{SUB}/providers/Microsoft.Authorization"
GUID = "11111111-2222-4333-8444-555555555555"
HERE = {"location": "westeurope"}
REGISTRY = f"{PROVIDERS}/Microsoft.ContainerRegistry/registries/images"
NETWORK = f"{PROVIDERS}/Microsoft.Network/virtualNetworks/net"
WALL = f"{PROVIDERS}/Microsoft.Network/networkSecurityGroups/wall"
ACCOUNT = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/account"
SITE = f"{PROVIDERS}/Microsoft.Web/sites/site"
PLAN = f"{PROVIDERS}/Microsoft.Web/serverfarms/plan"
IDENTITY = f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities/me"


def put(path: str, body: Any) -> Reply:
    world = make_world()
    version = {"Microsoft.Web": "2023-12-01", "Microsoft.Network": "2023-09-01", "Microsoft.Storage": "2023-01-01"}
    version |= {"Microsoft.ManagedIdentity": "2023-01-31", "Microsoft.ContainerRegistry": "2023-07-01"}
    version |= {"Microsoft.Authorization": "2022-04-01"}
    chosen = next((one for name, one in version.items() if name in path), "2021-04-01")
    return world.call("PUT", path, body, **{"api-version": chosen})


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        (RG, {"location": 5}, "location"),
        (RG, {**HERE, "managedBy": []}, "managedBy"),
        (RG, {**HERE, "tags": ["a"]}, "tags"),
        (IDENTITY, {"location": ["westeurope"]}, "location"),
        (IDENTITY, {**HERE, "properties": []}, "properties"),
        (REGISTRY, {**HERE, "identity": "me"}, "identity"),
        (REGISTRY, {**HERE, "identity": {"type": 1}}, "identity.type"),
        (REGISTRY, {**HERE, "identity": {"type": "UserAssigned", "userAssignedIdentities": 3}}, "identity.userAssignedIdentities"),
        (REGISTRY, {**HERE, "sku": "Basic"}, "sku"),
        (REGISTRY, {**HERE, "properties": {"policies": "all"}}, "properties.policies"),
        (REGISTRY, {**HERE, "properties": {"adminUserEnabled": "no"}}, "properties.adminUserEnabled"),
        (ACCOUNT, {**HERE, "sku": "Standard_LRS"}, "sku"),
        (NETWORK, {**HERE, "properties": {"subnets": {"a": 1}}}, "properties.subnets"),
        (NETWORK, {**HERE, "properties": {"subnets": ["a"]}}, "properties.subnets[0]"),
        (NETWORK, {**HERE, "properties": {"subnets": [{"properties": {"addressPrefix": "10.0.0.0/24"}}]}}, "subnets"),
        (NETWORK, {**HERE, "properties": {"subnets": [{"name": "a", "properties": "10.0.0.0/24"}]}}, "properties"),
        (WALL, {**HERE, "properties": {"securityRules": 1}}, "properties.securityRules"),
        (WALL, {**HERE, "properties": {"securityRules": [{}]}}, "securityRules"),
        (SITE, {**HERE, "properties": {"siteConfig": "x"}}, "properties.siteConfig"),
        (SITE, {**HERE, "properties": {"siteConfig": {"appSettings": [1]}}}, "properties.siteConfig.appSettings[0]"),
        (SITE, {**HERE, "properties": {"siteConfig": {"appSettings": [{"value": 1}]}}}, "properties.siteConfig.appSettings"),
        (PLAN, {**HERE, "sku": "F1"}, "sku"),
        (f"{ROLES}/roleDefinitions/{GUID}", {"properties": "all"}, "properties"),
        (f"{ROLES}/roleAssignments/{GUID}", {"properties": "all"}, "properties"),
        (f"{ROLES}/roleAssignments/{GUID}", {"properties": {"roleDefinitionId": 1, "principalId": GUID}}, "properties.roleDefinitionId"),
    ],
)
def test_a_wrong_type_is_refused_with_its_path(path: str, body: Any, where: str) -> None:
    reply = put(path, body)

    assert (reply.status, reply.body["error"]["code"]) == (400, "InvalidRequestContent")
    assert f"'{where}'" in reply.body["error"]["message"]


def test_a_string_in_the_place_of_a_roles_actions_is_not_split_into_letters() -> None:
    given = {"roleName": "all of it", "assignableScopes": [SUB], "permissions": [{"actions": "Microsoft.Storage/*"}]}

    reply = put(f"{ROLES}/roleDefinitions/{GUID}", {"properties": given})

    assert (reply.status, "'properties.permissions.actions'" in reply.body["error"]["message"]) == (400, True)


def test_a_boolean_may_be_written_as_a_string() -> None:
    reply = put(REGISTRY, {**HERE, "properties": {"adminUserEnabled": "False"}})

    assert reply.body["properties"]["adminUserEnabled"] is False
