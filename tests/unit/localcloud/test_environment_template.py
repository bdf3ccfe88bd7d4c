"""A template of a whole environment is deployed by an Owner: what its resources say of one another ends in the right places."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.arm.calls import Call, Reply
from tests.unit.localcloud.test_authorization import APP, OWNER, ROLES, assign
from tests.unit.localcloud.worlds import DEPLOYMENTS, SUBSCRIPTION, World, make_world, template

RG = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
OTHER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other"
ACCOUNT = "[resourceId('Microsoft.Storage/storageAccounts', 'envstore')]"
IDENTITY = "resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'app')"
SITE = f"{RG}/providers/Microsoft.Web/sites/env-app"
HERE = {"location": "[resourceGroup().location]"}
KEY = "listKeys(resourceId('Microsoft.Storage/storageAccounts', 'envstore'), '2023-05-01').keys[0].value"
SETTINGS = [
    {"name": "BLOBS", "value": "[reference(resourceId('Microsoft.Storage/storageAccounts', 'envstore')).primaryEndpoints.blob]"},
    {"name": "KEY", "value": f"[{KEY}]"},
    {"name": "TELEMETRY", "value": "[reference(resourceId('Microsoft.Insights/components', 'env')).ConnectionString]"},
    {"name": "VAULT", "value": "[reference(resourceId('Microsoft.KeyVault/vaults', 'envvault')).vaultUri]"},
]
ENVIRONMENT = [
    {
        "type": "Microsoft.Storage/storageAccounts",
        "apiVersion": "2023-05-01",
        "name": "envstore",
        **HERE,
        "sku": {"name": "Standard_LRS"},
        "kind": "StorageV2",
        "resources": [
            {
                "type": "blobServices/containers",
                "apiVersion": "2023-05-01",
                "name": "default/files",
                "dependsOn": [ACCOUNT],
                "properties": {},
            }
        ],
    },
    {"type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2023-01-31", "name": "app", **HERE},
    {
        "type": "Microsoft.OperationalInsights/workspaces",
        "apiVersion": "2022-10-01",
        "name": "env-logs",
        **HERE,
        "properties": {"retentionInDays": 30},
    },
    {
        "type": "Microsoft.Insights/components",
        "apiVersion": "2020-02-02",
        "name": "env",
        **HERE,
        "kind": "web",
        "properties": {
            "Application_Type": "web",
            "WorkspaceResourceId": "[resourceId('Microsoft.OperationalInsights/workspaces', 'env-logs')]",
        },
        "dependsOn": ["env-logs"],
    },
    {
        "type": "Microsoft.KeyVault/vaults",
        "apiVersion": "2023-07-01",
        "name": "envvault",
        **HERE,
        "properties": {
            "tenantId": "[subscription().tenantId]",
            "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": True,
            "enabledForTemplateDeployment": True,
        },
    },
    {
        "type": "Microsoft.KeyVault/vaults/secrets",
        "apiVersion": "2023-07-01",
        "name": "envvault/key",
        "properties": {"value": f"[{KEY}]"},
        "dependsOn": ["envvault", "envstore"],
    },
    {
        "type": "Microsoft.Authorization/roleAssignments",
        "apiVersion": "2022-04-01",
        "name": "[guid(resourceGroup().id, 'app', 'reader')]",
        "scope": "Microsoft.KeyVault/vaults/envvault",
        "properties": {
            "roleDefinitionId": f"[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{ROLES['Key Vault Secrets User']}')]",
            "principalId": f"[reference({IDENTITY}).principalId]",
            "principalType": "ServicePrincipal",
        },
        "dependsOn": ["envvault"],
    },
    {
        "type": "Microsoft.Web/serverfarms",
        "apiVersion": "2024-04-01",
        "name": "env-plan",
        **HERE,
        "sku": {"name": "FC1", "tier": "FlexConsumption"},
        "kind": "functionapp",
    },
    {
        "type": "Microsoft.Web/sites",
        "apiVersion": "2024-04-01",
        "name": "env-app",
        **HERE,
        "kind": "functionapp,linux",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {f"[{IDENTITY}]": {}}},
        "properties": {
            "serverFarmId": "[resourceId('Microsoft.Web/serverfarms', 'env-plan')]",
            "siteConfig": {"appSettings": SETTINGS},
        },
        "dependsOn": ["env-plan", "app", "env", "envvault", "envstore"],
    },
]
OUTPUTS = {"host": {"type": "string", "value": "[reference(resourceId('Microsoft.Web/sites', 'env-app')).defaultHostName]"}}


def act(world: World, method: str, path: str, body: Any = None, actor: str = OWNER) -> Reply:
    return world.state.answer(Call(method=method, path=path, body=body, query={"api-version": "2022-09-01"}, actor=actor))[0]


def deploy(world: World, actor: str = OWNER, **parameters: Any) -> Reply:
    source = template(ENVIRONMENT, outputs=OUTPUTS, parameters={name: {"type": "secureString"} for name in parameters})
    body = {"properties": {"mode": "Incremental", "template": source, "parameters": parameters}}
    return act(world, "PUT", f"{DEPLOYMENTS}/env", body, actor)


@pytest.fixture
def world() -> World:
    return make_world()


def test_an_environment_is_deployed(world: World) -> None:
    assert deploy(world).status == 201
    world.clock.advance(120)

    shown = act(world, "GET", f"{DEPLOYMENTS}/env").body["properties"]
    assert (shown["provisioningState"], shown.get("error")) == ("Succeeded", None)
    assert shown["outputs"] == {"host": {"type": "String", "value": "env-app.azurewebsites.net"}}
    settings = world.call("POST", f"{SITE}/config/appsettings/list").body["properties"]
    keys = world.call("POST", f"{RG}/providers/Microsoft.Storage/storageAccounts/envstore/listKeys").body["keys"]
    assert settings["BLOBS"] == "https://envstore.blob.core.windows.net/"
    assert settings["VAULT"] == "https://envvault.vault.azure.net/"
    assert settings["TELEMETRY"].startswith("InstrumentationKey=")
    assert settings["KEY"] == keys[0]["value"] == world.state.vaults.value("envvault", "key")
    app = world.state.identities.find(f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app")
    assert app is not None
    vault = f"{RG}/providers/Microsoft.KeyVault/vaults/envvault"
    read = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    assert world.state.authorization.allows(app.principal_id, read, vault, data=True)
    assert not world.state.authorization.allows(app.principal_id, read, RG, data=True)


def test_a_contributor_may_not_deploy_the_role_assignment_in_it(world: World) -> None:
    assign(world, "Contributor", RG)
    refused = deploy(world, APP)

    assert (refused.status, refused.body["error"]["code"]) == (403, "InvalidTemplateDeployment")
    assert "'Microsoft.Authorization/roleAssignments/write'" in refused.body["error"]["message"]
    assert world.call("GET", f"{RG}/resources").body["value"] == []


def test_a_parameter_is_read_from_a_vault_under_the_deployers_rights(world: World) -> None:
    deploy(world)
    world.clock.advance(120)
    vault = f"{RG}/providers/Microsoft.KeyVault/vaults/envvault"
    reference = {"reference": {"keyVault": {"id": vault}, "secretName": "key"}}
    assign(world, "Reader", vault)
    world.call("PUT", OTHER, {"location": "westeurope"})
    assign(world, "Owner", OTHER)
    source = template([], parameters={"secret": {"type": "secureString"}})
    body = {"properties": {"mode": "Incremental", "template": source, "parameters": {"secret": reference}}}
    where = f"{OTHER}/providers/Microsoft.Resources/deployments/d"

    refused = act(world, "PUT", where, body, APP)
    assert refused.body["error"]["code"] == "KeyVaultParameterReferenceAuthorizationFailed"
    assign(world, "Contributor", vault)
    accepted = act(world, "PUT", where, body, APP)
    assert accepted.status == 201
    assert world.state.vaults.value("envvault", "key") not in repr(accepted.body)
