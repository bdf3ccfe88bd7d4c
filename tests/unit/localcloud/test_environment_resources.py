"""What an environment template makes and nothing runs behind: networks, storage accounts, sites, places for telemetry."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from localcloud.arm.calls import Call, Reply
from tests.unit.localcloud.worlds import SUBSCRIPTION, World, make_world

RG = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
ACCOUNT = f"{RG}/providers/Microsoft.Storage/storageAccounts/loadmestore"
NETWORK = f"{RG}/providers/Microsoft.Network/virtualNetworks/net"
FIREWALL = f"{RG}/providers/Microsoft.Network/networkSecurityGroups/nsg"
SITE = f"{RG}/providers/Microsoft.Web/sites/loadme-app"
PLAN = f"{RG}/providers/Microsoft.Web/serverfarms/plan"
COMPONENT = f"{RG}/providers/Microsoft.Insights/components/telemetry"
WORKSPACE = f"{RG}/providers/Microsoft.OperationalInsights/workspaces/logs"
OWNER = "44444444-4444-4444-8444-444444444444"
READER = "aaaaaaaa-0000-4000-8000-000000000001"


@pytest.fixture
def world() -> World:
    return make_world()


def put(world: World, path: str, properties: dict[str, Any] | None = None, **more: Any) -> Reply:
    return world.call("PUT", path, {"location": "West Europe", "properties": properties or {}, **more})


def put_account(world: World, path: str = ACCOUNT, **more: Any) -> Reply:
    return put(world, path, sku={"name": "Standard_LRS"}, kind="StorageV2", **more)


def code(reply: Reply) -> str:
    return str(reply.body["error"]["code"])


def test_a_resource_is_made_replaced_listed_tagged_and_deleted(world: World) -> None:
    made = put(world, FIREWALL, tags={"a": "1"})
    assert (made.status, made.body["location"], made.body["type"]) == (201, "westeurope", "Microsoft.Network/networkSecurityGroups")
    assert put(world, FIREWALL.upper().replace("NSG", "nsg")).body["id"] == FIREWALL

    patched = world.call("PATCH", FIREWALL, {"tags": {"b": "2"}})
    assert patched.body["tags"] == {"b": "2"}
    kind = FIREWALL.rpartition("/")[0]
    listed = world.call("GET", kind).body["value"]
    everywhere = world.call("GET", kind.replace("/resourceGroups/rg", "")).body["value"]
    assert [one["id"] for one in listed] == [one["id"] for one in everywhere] == [FIREWALL]
    assert world.call("DELETE", FIREWALL).status == 200
    assert world.call("DELETE", FIREWALL).status == 204
    assert code(world.call("GET", FIREWALL)) == "ResourceNotFound"
    assert world.call("HEAD", FIREWALL).status == 404


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "LocationRequired"),
        ({"location": "atlantis"}, "LocationNotAvailableForResourceType"),
        ({"location": "eastus"}, "InvalidResourceLocation"),
        ({"location": "westeurope", "properties": []}, "InvalidRequestContent"),
    ],
)
def test_a_wrong_body_is_refused(world: World, body: dict[str, Any], expected: str) -> None:
    put(world, FIREWALL)

    assert code(world.call("PUT", FIREWALL, body)) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (ACCOUNT.replace("loadmestore", "No"), "AccountNameInvalid"),
        (f"{FIREWALL}-", "InvalidResourceName"),
        (f"{ACCOUNT}/blobServices/default", "ParentResourceNotFound"),
        (FIREWALL.replace("/rg/", "/absent/"), "ResourceGroupNotFound"),
    ],
)
def test_a_wrong_name_is_refused(world: World, path: str, expected: str) -> None:
    assert code(put(world, path, sku={"name": "Standard_LRS"})) == expected


def test_a_security_group_has_azures_own_rules_and_its_users(world: World) -> None:
    rule = {"name": "ssh", "properties": {"priority": 100, "access": "Deny", "direction": "Inbound", "protocol": "Tcp"}}
    shown = put(world, FIREWALL, {"securityRules": [rule]}).body["properties"]

    assert [one["name"] for one in shown["defaultSecurityRules"]][:3] == [
        "AllowVnetInBound",
        "AllowAzureLoadBalancerInBound",
        "DenyAllInBound",
    ]
    assert shown["provisioningState"] == "Succeeded"
    [own] = shown["securityRules"]
    assert (own["id"], own["properties"]["priority"]) == (f"{FIREWALL}/securityRules/ssh", 100)
    assert world.call("GET", f"{FIREWALL}/securityRules/SSH").body == own


def test_a_subnet_is_in_its_network_however_it_was_put(world: World) -> None:
    delegation = {"name": "aci", "properties": {"serviceName": "Microsoft.ContainerInstance/containerGroups"}}
    inline = {"name": "first", "properties": {"addressPrefix": "10.0.0.0/24", "delegations": [delegation]}}
    put(world, NETWORK, {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [inline]})
    assert world.call("PUT", f"{NETWORK}/subnets/second", {"properties": {"addressPrefix": "10.0.1.0/24"}}).status == 201
    assert world.call("PUT", f"{NETWORK}/subnets/second", {"properties": {"addressPrefix": "10.0.2.0/24"}}).status == 200

    subnets = world.call("GET", NETWORK).body["properties"]["subnets"]
    assert [(one["name"], one["properties"]["addressPrefix"]) for one in subnets] == [("first", "10.0.0.0/24"), ("second", "10.0.2.0/24")]
    assert subnets[0]["properties"]["delegations"][0]["properties"]["serviceName"] == "Microsoft.ContainerInstance/containerGroups"
    assert world.call("GET", f"{NETWORK}/subnets").body["value"] == subnets
    put(world, NETWORK, {"addressSpace": {"addressPrefixes": ["10.0.0.0/8"]}})
    assert len(world.call("GET", NETWORK).body["properties"]["subnets"]) == 2
    assert world.call("DELETE", f"{NETWORK}/subnets/first").status == 200
    assert world.call("DELETE", f"{NETWORK}/subnets/first").status == 204
    assert world.call("GET", f"{NETWORK}/subnets/first").status == 404
    assert code(world.call("PUT", f"{NETWORK}/subnets/third", {"properties": {}})) == "InvalidRequestFormat"


def test_a_storage_account_has_its_endpoints_keys_and_services(world: World) -> None:
    shown = put_account(world).body
    assert shown["properties"]["primaryEndpoints"]["blob"] == "https://loadmestore.blob.core.windows.net/"
    assert shown["sku"] == {"name": "Standard_LRS", "tier": "Standard"}

    first = world.call("POST", f"{ACCOUNT}/listKeys").body["keys"]
    assert [one["keyName"] for one in first] == ["key1", "key2"]
    assert len(base64.b64decode(first[0]["value"])) == 64
    assert world.call("POST", f"{ACCOUNT}/listkeys").body["keys"] == first
    again = world.call("POST", f"{ACCOUNT}/regenerateKey", {"keyName": "key1"}).body["keys"]
    assert (again[0]["value"] != first[0]["value"], again[1]) == (True, first[1])
    assert code(world.call("POST", f"{ACCOUNT}/regenerateKey", {"keyName": "x"})) == "InvalidValuesForRequestParameters"
    assert code(world.call("POST", f"{ACCOUNT}/ListAccountSas", {})) == "LocalCloudNotSupported"
    assert world.call("GET", f"{ACCOUNT}/blobServices/default").status == 200


@pytest.mark.parametrize(
    "path", ["blobServices/default/containers/files", "queueServices/default/queues/q", "tableServices/default/tables/t"]
)
def test_what_is_in_an_account_goes_with_it(world: World, path: str) -> None:
    put_account(world)
    assert world.call("PUT", f"{ACCOUNT}/{path}", {"properties": {"publicAccess": "None"}}).status == 201
    assert world.call("GET", f"{ACCOUNT}/{path.rpartition('/')[0]}").body["value"][0]["name"] == path.rpartition("/")[2]

    world.call("DELETE", ACCOUNT)
    put_account(world)
    assert code(world.call("GET", f"{ACCOUNT}/{path}")) == "ResourceNotFound"


def test_an_accounts_name_is_taken_once(world: World) -> None:
    check = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Storage/checkNameAvailability"
    assert world.call("POST", check, {"name": "loadmestore"}).body == {"nameAvailable": True}
    put_account(world)
    assert world.call("POST", check, {"name": "loadmestore"}).body["reason"] == "AlreadyExists"


def test_a_new_account_of_an_old_name_has_new_keys(world: World) -> None:
    put_account(world)
    first = world.call("POST", f"{ACCOUNT}/listKeys").body
    world.call("DELETE", ACCOUNT)
    put_account(world)

    assert world.call("POST", f"{ACCOUNT}/listKeys").body["keys"][0]["value"] != first["keys"][0]["value"]


def test_a_site_shows_its_address_and_hides_its_settings(world: World) -> None:
    assert put(world, PLAN, sku={"name": "FC1", "tier": "FlexConsumption"}, kind="functionapp").body["sku"]["tier"] == "FlexConsumption"
    settings = [{"name": "A", "value": "secret"}]
    site = put(
        world, SITE, {"serverFarmId": PLAN, "siteConfig": {"appSettings": settings, "minTlsVersion": "1.2"}}, kind="functionapp,linux"
    )

    properties = site.body["properties"]
    assert (properties["defaultHostName"], properties["state"]) == ("loadme-app.azurewebsites.net", "Running")
    assert properties["siteConfig"] == {"minTlsVersion": "1.2"}
    assert world.call("GET", f"{SITE}/config/appsettings").status == 405
    assert world.call("GET", f"{SITE}/config").body["value"] == []
    assert world.call("POST", f"{SITE}/config/appsettings/list").body["properties"] == {"A": "secret"}
    world.call("PUT", f"{SITE}/config/appsettings", {"properties": {"B": "2"}})
    assert world.call("POST", f"{SITE}/config/appsettings/list").body["properties"] == {"B": "2"}
    assert world.call("POST", f"{SITE}/config/connectionstrings/list").body["properties"] == {}
    keys = world.call("POST", f"{SITE}/host/default/listKeys").body
    assert keys["masterKey"]
    assert keys == world.call("POST", f"{SITE}/host/default/listKeys").body


def test_a_reader_does_not_see_a_sites_settings(world: World) -> None:
    put(world, SITE)
    role = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    properties = {"roleDefinitionId": role, "principalId": READER, "principalType": "User"}
    world.call("PUT", f"{RG}/providers/Microsoft.Authorization/roleAssignments/{READER}", {"properties": properties})

    def status(method: str, path: str) -> int:
        return world.state.answer(Call(method=method, path=path, query={"api-version": "2022-09-01"}, actor=READER))[0].status

    assert (status("GET", SITE), status("POST", f"{SITE}/config/appsettings/list"), status("POST", f"{SITE}/host/default/listKeys")) == (
        200,
        403,
        403,
    )


def test_a_sites_own_identity_is_a_principal(world: World) -> None:
    site = put(world, SITE, identity={"type": "SystemAssigned"}).body

    assert site["identity"]["principalId"] in world.state.principals()
    assert site["identity"]["tenantId"] == world.state.settings.tenant


def test_a_site_uses_only_identities_that_there_are(world: World) -> None:
    identity = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app"
    wanted = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    assert code(put(world, SITE, identity=wanted)) == "ResourceNotFound"

    world.call("PUT", identity, {"location": "westeurope"})
    shown = put(world, SITE, identity=wanted).body["identity"]["userAssignedIdentities"][identity]
    assert set(shown) == {"principalId", "clientId"}


def test_telemetry_has_a_connection_string_and_a_workspace_its_keys(world: World) -> None:
    workspace = put(world, WORKSPACE, {"retentionInDays": 60}).body
    component = put(world, COMPONENT, {"Application_Type": "web", "WorkspaceResourceId": WORKSPACE}, kind="web").body["properties"]

    assert (workspace["properties"]["retentionInDays"], workspace["properties"]["sku"]["name"]) == (60, "PerGB2018")
    assert component["ConnectionString"].startswith(
        f"InstrumentationKey={component['InstrumentationKey']};IngestionEndpoint=https://westeurope"
    )
    assert component["IngestionMode"] == "LogAnalytics"
    keys = world.call("POST", f"{WORKSPACE}/sharedKeys").body
    assert keys["primarySharedKey"] != keys["secondarySharedKey"]
    assert world.call("POST", f"{WORKSPACE}/sharedKeys").body == keys


def test_what_was_computed_stays_when_the_rest_changes(world: World) -> None:
    before = put(world, COMPONENT, {"Application_Type": "web"}).body["properties"]
    world.clock.advance(60)
    after = world.call("PATCH", COMPONENT, {"properties": {"RetentionInDays": 30}}).body["properties"]

    assert after["RetentionInDays"] == 30
    assert (after["CreationDate"], after["InstrumentationKey"]) == (before["CreationDate"], before["InstrumentationKey"])
