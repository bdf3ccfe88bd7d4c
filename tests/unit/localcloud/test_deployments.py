"""Deployments on a clock that stands still."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from localcloud.arm import Limits
from localcloud.arm.faults import Fault, no_capacity
from tests.unit.localcloud.worlds import (
    DEPLOYMENTS,
    GROUPS,
    SUBSCRIPTION,
    World,
    deployment,
    group_body,
    group_resource,
    make_world,
    template,
)


def put(world: World, source: dict[str, Any], deployment_name: str = "d", **parameters: Any) -> Any:
    return world.call("PUT", f"{DEPLOYMENTS}/{deployment_name}", deployment(source, **parameters))


def shown(world: World, name: str = "d") -> dict[str, Any]:
    return dict(world.call("GET", f"{DEPLOYMENTS}/{name}").body["properties"])


def test_a_deployment_is_accepted_then_runs_and_succeeds_when_its_group_runs() -> None:
    world = make_world()
    reply = put(world, template([group_resource()]))
    assert (reply.status, reply.body["properties"]["provisioningState"]) == (201, "Accepted")
    world.clock.advance(1)
    assert shown(world)["provisioningState"] == "Running"
    world.clock.advance(20)
    assert shown(world)["provisioningState"] == "Succeeded"
    assert shown(world)["providers"] == [
        {"namespace": "Microsoft.ContainerInstance", "resourceTypes": [{"resourceType": "containerGroups", "locations": ["westeurope"]}]}
    ]
    status = reply.headers["Azure-AsyncOperation"].removeprefix("https://management.azure.com").split("?")[0]
    assert world.call("GET", status).body == {"status": "Succeeded"}
    assert put(world, template()).status == 200


def test_resources_wait_for_those_that_they_depend_on() -> None:
    world = make_world()
    resources = [group_resource("b", dependsOn=["[resourceId('Microsoft.ContainerInstance/containerGroups', 'a')]"]), group_resource("a")]
    put(world, template(resources))
    world.clock.advance(5)
    assert [group["name"] for group in world.call("GET", GROUPS).body["value"]] == ["a"]
    world.clock.advance(60)
    assert [group["name"] for group in world.call("GET", GROUPS).body["value"]] == ["a", "b"]
    assert shown(world)["dependencies"][0]["resourceName"] == "b"


def test_what_depends_on_a_failed_resource_is_not_begun() -> None:
    world = make_world()
    put(world, template([group_resource("a", **group_body(image="absent")), group_resource("b", dependsOn=["a"])]))
    world.clock.advance(60)
    assert shown(world)["provisioningState"] == "Failed"
    assert [detail["code"] for detail in shown(world)["error"]["details"]] == ["InaccessibleImage"]
    assert list(world.state.containers.summary()) == ["a"]


def test_a_false_condition_skips_a_resource() -> None:
    world = make_world()
    put(world, template([group_resource("a", condition="[equals(1, 2)]"), group_resource("b", dependsOn=["a"])]))
    world.clock.advance(60)
    assert list(world.state.containers.summary()) == ["b"]


def test_a_quota_failure_comes_late() -> None:
    world = make_world()
    world.state.faults.add(Fault(path="containerGroups/g", method="PUT", status=400, code="ContainerGroupQuotaReached", message="Full."))
    assert put(world, template([group_resource()])).status == 201
    world.clock.advance(10)
    error = shown(world)["error"]
    assert error["code"] == "DeploymentFailed"
    assert [(detail["code"], detail["message"]) for detail in error["details"]] == [("ContainerGroupQuotaReached", "Full.")]
    operation = world.call("GET", f"{DEPLOYMENTS}/d/operations").body["value"][0]["properties"]
    assert (operation["statusCode"], operation["statusMessage"]["error"]["code"]) == ("BadRequest", "ContainerGroupQuotaReached")


def test_a_wrong_region_is_refused_before_anything_is_done() -> None:
    world = make_world()
    resource = {**group_resource(), "location": "[parameters('where')]"}
    source = template([resource], parameters={"where": {"type": "string"}})

    reply = put(world, source, where="atlantis")

    assert (reply.status, reply.body["error"]["code"]) == (400, "LocationNotAvailableForResourceType")
    assert world.call("GET", f"{DEPLOYMENTS}/d").status == 404


def names(reply: Any) -> list[str]:
    return [item["name"] for item in reply.body["value"]]


def test_deployments_are_listed_newest_first_and_page_by_page() -> None:
    world = make_world()
    for number in range(5):
        put(world, template(), f"d-{number}")
        world.clock.advance(1)

    first = world.call("GET", DEPLOYMENTS, **{"$top": "2"})
    query = dict(parse_qsl(urlsplit(first.body["nextLink"]).query))
    put(world, template(), "d-new")
    second = world.call("GET", DEPLOYMENTS, **query)
    third = world.call("GET", DEPLOYMENTS, **dict(parse_qsl(urlsplit(second.body["nextLink"]).query)))

    assert [names(first), names(second), names(third)] == [["d-4", "d-3"], ["d-2", "d-1"], ["d-0"]]
    assert "nextLink" not in third.body
    assert first.body["value"][0]["properties"]["timestamp"].endswith("Z")


def test_deployments_are_listed_by_state() -> None:
    world = make_world()
    put(world, template(), "done")
    world.clock.advance(30)
    put(world, template(), "begun")

    assert names(world.call("GET", DEPLOYMENTS, **{"$filter": "provisioningState eq 'Succeeded'"})) == ["done"]
    assert names(world.call("GET", DEPLOYMENTS)) == ["begun", "done"]


def test_capacity_that_is_found_missing_late_fails_the_deployment_without_a_code() -> None:
    world = make_world()
    world.state.faults.add(no_capacity("westeurope", late=True))
    put(world, template([group_resource()]))
    world.clock.advance(10)

    (detail,) = shown(world)["error"]["details"]
    assert detail["code"] == "ResourceOperationFailure"
    assert [set(inner) for inner in detail["details"]] == [{"message"}]
    assert detail["details"][0]["message"].startswith("The requested resource is not available in the location 'westeurope'")
    assert (world.view()["provisioningState"], world.view()["instanceView"]["events"][0]["name"]) == ("Failed", "InsufficientCapacity.")
    assert world.call("DELETE", f"{GROUPS}/g").status == 200
    world.put_group()
    world.clock.advance(30)
    assert world.view()["provisioningState"] == "Succeeded"


def test_parameters_are_literal_and_defaults_are_evaluated() -> None:
    world = make_world()
    parameters = {
        "given": {"type": "string"},
        "derived": {"type": "string", "defaultValue": "[toUpper(parameters('GIVEN'))]"},
        "secret": {"type": "secureString", "defaultValue": "[concat('s3', 'cret')]"},
    }
    outputs = {
        "Value": {"type": "string", "value": "[variables('both')]"},
        "Place": {"type": "string", "value": "[resourceGroup().location]"},
    }
    source = template(parameters=parameters, variables={"both": "[concat(parameters('given'), parameters('derived'))]"}, outputs=outputs)
    put(world, source, given="[concat('a')]")
    world.clock.advance(10)
    assert shown(world)["outputs"] == {
        "value": {"type": "String", "value": "[concat('a')][CONCAT('A')]"},
        "place": {"type": "String", "value": "westeurope"},
    }
    assert shown(world)["parameters"]["secret"] == {"type": "SecureString"}
    assert "s3cret" not in str(shown(world))


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"parameters": {"p": {"type": "string"}}}, "InvalidTemplate", "The value for the template parameter 'p'"),
        ({"parameters": {"p": {"type": "colour", "defaultValue": 1}}}, "InvalidTemplate", "The type 'colour'"),
        ({"parameters": {"p": {"type": "int", "defaultValue": 1, "maxValue": 0}}}, "InvalidTemplate", "less than or equal to '0'"),
        (
            {"parameters": {"p": {"type": "string", "defaultValue": "c", "allowedValues": ["a", "b"]}}},
            "InvalidTemplate",
            "not part of the allowed value(s): 'a,b'",
        ),
        ({"parameters": {"p": {"type": "string", "defaultValue": "[parameters('p')]"}}}, "InvalidTemplate", "'p' refers to itself"),
        ({"resources": [group_resource(copy={"count": 2})]}, "InvalidTemplate", "The 'copy' of a resource must be an object with a 'name'"),
        (
            {"resources": [{"type": "Microsoft.Compute/disks", "apiVersion": "1", "name": "x"}]},
            "LocalCloudNotSupported",
            "Microsoft.Compute/disks",
        ),
        ({"resources": [group_resource(dependsOn=["nobody"])]}, "InvalidTemplate", "The resource 'nobody' is not defined"),
        ({"resources": [group_resource(dependsOn=["g"])]}, "InvalidTemplate", "Circular dependency"),
        ({"resources": [group_resource(tags="[listKeys('a')]")]}, "InvalidTemplate", "The template reference 'a' is not valid"),
        ({"extensions": {"k8s": {}}}, "LocalCloudNotSupported", "extensions"),
        ({"colour": 1}, "InvalidTemplate", "'colour'"),
        ({"outputs": {"o": {"type": "number", "value": 1}}}, "InvalidRequestContent", "to type 'Azure.Deployments.Core.Entities"),
        ({"outputs": {"o": {"type": "int"}}}, "InvalidTemplate", "The template output 'o' is not valid"),
        ({"outputs": {"o": {"type": "int", "value": "[variables('x')]"}}}, "InvalidTemplate", "The template variable 'x' is not found"),
    ],
)
def test_a_wrong_template_is_refused_before_anything_is_done(changes: dict[str, Any], code: str, words: str) -> None:
    world = make_world()
    reply = put(world, {**template(), **changes})
    assert (reply.status, reply.body["error"]["code"]) == (400, code)
    assert words in reply.body["error"]["message"]
    assert world.call("GET", DEPLOYMENTS).body["value"] == []


def test_an_active_deployment_can_neither_be_overwritten_nor_deleted() -> None:
    world = make_world()
    put(world, template([group_resource()]))
    again = put(world, template())
    assert (again.status, again.body["error"]["code"]) == (409, "DeploymentActive")
    assert "would overwrite an existing deployment which is still active" in again.body["error"]["message"]
    assert world.call("DELETE", f"{DEPLOYMENTS}/d").status == 409


def test_a_record_goes_a_moment_after_its_deletion_and_cannot_be_written_meanwhile() -> None:
    world = make_world()
    put(world, template())
    world.clock.advance(5)
    reply = world.call("DELETE", f"{DEPLOYMENTS}/d")
    location = reply.headers["Location"].removeprefix("https://management.azure.com").split("?")[0]
    assert (reply.status, world.call("GET", location).status) == (202, 202)
    assert put(world, template()).body["error"]["code"] == "DeploymentBeingDeleted"
    world.clock.advance(2)
    assert world.call("GET", location).status == 204
    gone = world.call("GET", f"{DEPLOYMENTS}/d")
    assert (gone.status, gone.body["error"]["code"]) == (404, "DeploymentNotFound")
    assert world.call("DELETE", f"{DEPLOYMENTS}/d").status == 204


def test_a_full_history_refuses_a_new_name_and_takes_an_old_one() -> None:
    world = make_world(limits=Limits(deployment_history=2))
    put(world, template(), "a")
    put(world, template(), "b")
    world.clock.advance(5)
    refused = put(world, template(), "c")
    assert (refused.status, refused.body["error"]["code"]) == (409, "DeploymentQuotaExceeded")
    assert put(world, template(), "a").status == 200


def test_a_deployment_into_no_resource_group_is_refused() -> None:
    world = make_world()
    reply = world.call("PUT", DEPLOYMENTS.replace("/rg/", "/absent/") + "/d", deployment(template()))
    assert (reply.status, reply.body["error"]["message"]) == (404, "Resource group 'absent' could not be found.")


def test_a_template_spec_that_does_not_exist_is_named() -> None:
    world = make_world()
    reply = world.call("PUT", f"{DEPLOYMENTS}/d", {"properties": {"mode": "Incremental", "templateLink": {"id": "/absent"}}})
    assert (reply.status, reply.body["error"]["code"]) == (404, "InvalidTemplateSpec")
    assert "'/absent'" in reply.body["error"]["message"]


def test_the_template_that_ships_deploys_with_all_its_parameters_and_with_the_fewest() -> None:
    world = make_world()
    source = json.loads((Path(__file__).parents[3] / "templates" / "container-group.json").read_text())
    identity = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app"
    world.call("PUT", identity, {"location": "westeurope"})
    environment = {"plain": {"___REGION": "[a]"}, "secure": {"TOKEN": "s3cret"}}
    full = {
        "command": ["sh", "-c", "true"],
        "cpu": "1.5",
        "memory": "2",
        "identity": identity,
        "registryServer": "r.io",
        "tags": {"run": "1"},
    }
    put(world, source, "full", name="full", image="r.io/a:1", environment=environment, **full)
    put(world, source, "least", name="least", image="a", environment={"plain": {}, "secure": {}})
    world.clock.advance(30)

    assert [shown(world, name)["provisioningState"] for name in ("full", "least")] == ["Succeeded", "Succeeded"]
    group = world.call("GET", f"{GROUPS}/full").body
    assert group["tags"] == {"run": "1"}
    assert group["properties"]["imageRegistryCredentials"] == [{"server": "r.io", "identity": identity}]
    assert group["properties"]["containers"][0]["properties"]["resources"] == {"requests": {"memoryInGB": 2.0, "cpu": 1.5}}
    assert world.runtime.started[0].launch.environment == {"___REGION": "[a]", "TOKEN": "s3cret"}
    assert "s3cret" not in json.dumps([group, world.call("GET", DEPLOYMENTS).body])
    assert "identity" not in world.call("GET", f"{GROUPS}/least").body


def test_a_null_gives_a_parameter_its_default_and_is_none_where_there_is_no_default() -> None:
    world = make_world()
    outputs = {"p": {"type": "string", "value": "[parameters('p')]"}}
    put(world, template(parameters={"p": {"type": "string", "defaultValue": "d"}}, outputs=outputs), p=None)
    world.clock.advance(10)
    assert shown(world)["outputs"]["p"]["value"] == "d"
    assert put(world, template(parameters={"p": {"type": "string"}}), "e", p=None).status == 400
