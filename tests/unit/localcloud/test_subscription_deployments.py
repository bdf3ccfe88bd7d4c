"""Deployments at subscription scope."""

from __future__ import annotations

from typing import Any

from localcloud.arm.calls import Reply
from tests.unit.localcloud.deploying import IDENTITY, identity, inner, nested, puts, shown, waited
from tests.unit.localcloud.worlds import DEPLOYMENTS, SUBSCRIPTION, World, deployment, make_world, template

SCOPE = f"/subscriptions/{SUBSCRIPTION}"
HERE = f"{SCOPE}/providers/Microsoft.Resources/deployments"
AUTHORIZATION = "Microsoft.Authorization"
READER = f"{SCOPE}/providers/{AUTHORIZATION}/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"


def group(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2022-09-01", "name": name, "location": "westeurope", **more}


def put(world: World, source: dict[str, Any], name: str = "d", location: str = "westeurope", **parameters: Any) -> Reply:
    return world.call("PUT", f"{HERE}/{name}", {"location": location, **deployment(source, **parameters)})


def test_a_resource_group_and_what_is_in_it_are_made_by_one_deployment() -> None:
    world = make_world()
    source = template(
        [
            nested("n", inner(template([identity()])), resourceGroup="[parameters('group')]", dependsOn=["[parameters('group')]"]),
            group("[parameters('group')]", tags={"a": "b"}),
        ],
        parameters={"group": {"type": "string"}},
        outputs={
            "here": {"type": "string", "value": "[deployment().location]"},
            "id": {"type": "string", "value": f"[subscriptionResourceId('{IDENTITY}', 'x')]"},
        },
    )
    reply = put(world, source, group="new")
    assert (reply.status, reply.body["id"], reply.body["location"]) == (201, f"{HERE}/d", "westeurope")
    world.clock.advance(30)
    properties = shown(world, "d", HERE)
    assert properties["outputs"]["here"]["value"] == "westeurope"
    assert properties["outputs"]["id"]["value"] == f"{SCOPE}/providers/{IDENTITY}/x"
    assert world.call("GET", f"{SCOPE}/resourceGroups/new").body["tags"] == {"a": "b"}
    assert [one["id"] for one in properties["outputResources"]] == [
        f"{SCOPE}/resourceGroups/new/providers/{IDENTITY}/one",
        f"{SCOPE}/resourceGroups/new",
    ]
    assert put(world, source, group="new").status == 200


def test_a_nested_deployment_may_be_at_the_subscription_too() -> None:
    world = make_world()
    world.call("PUT", f"{DEPLOYMENTS}/d", deployment(template([at_subscription("up")])))
    world.clock.advance(30)
    assert shown(world, "up", HERE)["provisioningState"] == "Succeeded"
    assert world.call("GET", f"{SCOPE}/resourceGroups/made").status == 200


def at_subscription(name: str) -> dict[str, Any]:
    return nested(name, inner(template([group("made")])), subscriptionId="[subscription().subscriptionId]", location="westeurope")


def test_roles_are_assigned_at_the_subscription_and_at_a_resource() -> None:
    world = make_world()
    name = "0f0f0f0f-0000-4000-8000-00000000000{}"
    properties = {"roleDefinitionId": READER, "principalId": "[reference('one').principalId]", "principalType": "ServicePrincipal"}
    assignment = {"type": f"{AUTHORIZATION}/roleAssignments", "apiVersion": "2022-04-01", "properties": properties}
    source = template(
        [
            identity(),
            {**assignment, "name": name.format(1)},
            {**assignment, "name": name.format(2), "scope": f"[concat('{IDENTITY}', '/one')]"},
        ]
    )
    world.call("PUT", f"{DEPLOYMENTS}/d", deployment(source))
    world.clock.advance(30)
    assert shown(world)["provisioningState"] == "Succeeded", shown(world)
    scope = DEPLOYMENTS.partition("/providers")[0]
    of_group = world.call("GET", f"{scope}/providers/{AUTHORIZATION}/roleAssignments/{name.format(1)}").body["properties"]
    of_identity = world.call("GET", f"{scope}/providers/{IDENTITY}/one/providers/{AUTHORIZATION}/roleAssignments/{name.format(2)}").body
    assert of_group["scope"] == scope
    assert of_identity["properties"]["scope"] == f"{scope}/providers/{IDENTITY}/one"


def test_a_location_is_needed_here_stays_the_same_and_is_refused_in_a_group() -> None:
    world = make_world()
    without = world.call("PUT", f"{HERE}/d", deployment(template()))
    assert (without.status, without.body["error"]["code"]) == (400, "InvalidDeployment")
    assert "The 'location' property must be specified for 'd'" in without.body["error"]["message"]
    put(world, template())
    world.clock.advance(10)
    moved = put(world, template(), location="westus")
    assert (moved.status, moved.body["error"]["code"]) == (409, "InvalidDeploymentLocation")
    assert moved.body["error"]["message"].endswith("The deployment 'd' already exists in location 'westeurope'.")
    nowhere = put(world, template(), "e", location="atlantis")
    assert (nowhere.status, nowhere.body["error"]["code"]) == (400, "LocationNotAvailableForDeployment")
    assert put(world, template(), location="West Europe").status == 200
    within = world.call("PUT", f"{DEPLOYMENTS}/d", {"location": "westus", **deployment(template())})
    assert (within.status, within.body["error"]["code"]) == (400, "InvalidDeployment")


def test_it_is_read_listed_validated_tried_out_exported_cancelled_and_deleted_here() -> None:
    world = make_world()
    put(world, template([group("new")]))
    assert world.call("POST", f"{HERE}/d/cancel").status == 204
    assert shown(world, "d", HERE)["provisioningState"] == "Canceled"
    assert [one["name"] for one in world.call("GET", HERE).body["value"]] == ["d"]
    assert world.call("GET", DEPLOYMENTS).body["value"] == []
    assert world.call("HEAD", f"{HERE}/d").status == 204
    assert world.call("GET", f"{HERE}/d/operations").body["value"] == []
    assert world.call("POST", f"{HERE}/d/exportTemplate").body["template"]["resources"][0]["name"] == "new"
    body = {"location": "westeurope", **deployment(template([group("new")]))}
    checked = world.call("POST", f"{HERE}/v/validate", body).body["properties"]
    assert checked["validatedResources"] == [{"id": f"{SCOPE}/resourceGroups/new"}]
    result = waited(world, world.call("POST", f"{HERE}/v/whatIf", body)).body["properties"]["changes"]
    assert [(one["resourceId"], one["changeType"]) for one in result] == [(f"{SCOPE}/resourceGroups/new", "Create")]
    assert waited(world, world.call("DELETE", f"{HERE}/d")).status == 204
    assert world.call("GET", f"{HERE}/d").status == 404
    assert puts(world) == []


def test_the_mode_complete_and_resources_of_a_group_are_refused_here() -> None:
    world = make_world()
    body = {"location": "westeurope", **deployment(template())}
    body["properties"]["mode"] = "Complete"
    assert world.call("PUT", f"{HERE}/d", body).body["error"]["code"] == "InvalidDeployment"
    assert put(world, template([identity()])).body["error"]["code"] == "LocalCloudNotSupported"
    in_group = world.call("PUT", f"{DEPLOYMENTS}/d", deployment(template([group("new")])))
    assert "can only be deployed at subscription scope" in in_group.body["error"]["message"]


def test_a_resource_group_is_also_named_by_the_id_that_a_function_makes_of_it() -> None:
    world = make_world()
    key = "subscriptionResourceId('Microsoft.Resources/resourceGroups', 'new')"
    inside = nested("n", inner(template([identity()])), resourceGroup="new", dependsOn=[f"[{key}]"])
    outputs = {
        "planned": {"type": "string", "value": f"[reference({key}, '2022-09-01', 'Full').location]"},
        "there": {"type": "string", "value": f"[reference({key.replace('new', 'rg')}, '2022-09-01', 'Full').location]"},
    }
    assert put(world, template([inside, group("new")], outputs=outputs)).status == 201
    world.clock.advance(30)
    properties = shown(world, "d", HERE)
    assert puts(world) == ["new", "n", "one"]
    assert {name: one["value"] for name, one in properties["outputs"].items()} == {"planned": "westeurope", "there": "westeurope"}


def test_a_role_is_defined_and_given_at_the_subscription() -> None:
    world = make_world()
    definition = "0d0d0d0d-0000-4000-8000-000000000001"
    permissions = [{"actions": ["Microsoft.Resources/deployments/read"], "notActions": []}]
    role = {
        "type": f"{AUTHORIZATION}/roleDefinitions",
        "apiVersion": "2022-04-01",
        "name": definition,
        "properties": {"roleName": "Watcher", "permissions": permissions, "assignableScopes": ["[subscription().id]"]},
    }
    key = f"subscriptionResourceId('{AUTHORIZATION}/roleDefinitions', '{definition}')"
    given = {
        "type": f"{AUTHORIZATION}/roleAssignments",
        "apiVersion": "2022-04-01",
        "name": "0e0e0e0e-0000-4000-8000-000000000001",
        "dependsOn": [f"[{key}]"],
        "properties": {
            "roleDefinitionId": f"[{key}]",
            "principalId": "99999999-9999-4999-8999-999999999999",
            "principalType": "ServicePrincipal",
        },
    }
    assert put(world, template([given, role])).status == 201
    world.clock.advance(30)
    assert shown(world, "d", HERE)["provisioningState"] == "Succeeded", shown(world, "d", HERE)
    assert puts(world) == [definition, given["name"]]
    assert world.state.authorization.allows("99999999-9999-4999-8999-999999999999", "Microsoft.Resources/deployments/read", SCOPE)
