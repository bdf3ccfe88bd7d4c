"""`reference` and `list*`: evaluated when what they ask for is there, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.localcloud.deploying import IDENTITY, REGISTRY, RG, deploy, deployed, identity, put, puts, refused, registry, shown
from tests.unit.localcloud.worlds import DEPLOYMENTS, group_resource, make_world, template


def test_a_reference_by_name_waits_for_the_resource_and_gives_its_properties() -> None:
    world = make_world()
    late = identity("late", tags={"client": "[reference('early').clientId]"})
    deploy(world, template([late, identity("early")]))
    early = world.call("GET", f"{RG}/providers/{IDENTITY}/early").body
    assert puts(world) == ["early", "late"]
    assert world.call("GET", f"{RG}/providers/{IDENTITY}/late").body["tags"] == {"client": early["properties"]["clientId"]}
    assert shown(world)["dependencies"][0]["dependsOn"][0]["resourceName"] == "early"


@pytest.mark.parametrize(
    "expression",
    [
        f"[reference('{IDENTITY}/early').clientId]",
        f"[reference(resourceId('{IDENTITY}', 'early')).clientId]",
        "[reference('EARLY', '2023-01-31').clientId]",
        "[if(equals(1, 1), reference('early').clientId, 'none')]",
        "[reference(concat('ear', 'ly')).clientId]",
    ],
)
def test_all_ways_to_name_a_resource_of_the_template_make_it_come_first(expression: str) -> None:
    world = make_world()
    deploy(world, template([identity("late", tags={"client": expression}), identity("early")]))
    assert puts(world) == ["early", "late"]


def test_a_full_reference_has_the_whole_resource_and_what_the_deployment_knows_of_it() -> None:
    outputs = {"Full": {"type": "object", "value": "[reference('one', '2023-01-31', 'Full')]"}}
    full = deployed(make_world(), template([identity("one", tags={"a": "b"})], outputs=outputs))["full"]
    assert full["tags"] == {"a": "b"}
    assert full["properties"]["clientId"]
    assert full.keys() & {"id", "name", "type"} == set()
    assert {key: value for key, value in full.items() if key not in ("tags", "properties", "location")} == {
        "apiVersion": "2023-01-31",
        "subscriptionId": RG.split("/")[2],
        "resourceGroupName": "rg",
        "resourceId": f"{IDENTITY}/one",
        "referenceApiVersion": "2023-01-31",
        "condition": True,
        "isConditionTrue": True,
        "isTemplateResource": True,
        "isAction": False,
        "provisioningOperation": "Create",
    }


def test_a_resource_outside_of_the_template_needs_a_version() -> None:
    world = make_world()
    deploy(world, template([identity("there")]), "before")
    key = f"resourceId('{IDENTITY}', 'there')"
    with_version = template(outputs={"id": {"type": "string", "value": f"[reference({key}, '2023-01-31').clientId]"}})
    assert deployed(world, with_version)["id"]
    message = refused(make_world(), template([identity("a", tags={"x": f"[reference({key}).clientId]"})]))
    assert f"The template resource 'a' reference to '{RG}/providers/{IDENTITY}/there' requires an API version" in message
    assert "The template reference 'x' is not valid: could not find template resource or resource copy with this name." in refused(
        make_world(), template([identity("a", tags={"x": "[reference('x').y]"})])
    )
    assert "The template reference 'x'" in refused(make_world(), template(outputs={"o": {"type": "string", "value": "[reference('x').y]"}}))


def test_list_functions_act_on_the_resource_when_it_is_there() -> None:
    world = make_world()
    password = f"[listCredentials(resourceId('{REGISTRY}', 'registry1'), '2023-07-01').passwords[0].value]"
    group = group_resource("g", dependsOn=["registry1"])
    container = group["properties"]["containers"][0]
    container["properties"]["environmentVariables"] = [{"name": "PASSWORD", "secureValue": password}]
    deploy(world, template([group, registry()]))
    real = world.call("POST", f"{RG}/providers/{REGISTRY}/registry1/listCredentials").body["passwords"][0]["value"]
    assert world.runtime.started[0].launch.environment == {"PASSWORD": real}
    assert real not in str(world.call("GET", DEPLOYMENTS).body)


def test_a_list_function_by_name_waits_for_the_resource() -> None:
    world = make_world()
    user = "[listCredentials('registry1', '2023-07-01').username]"
    deploy(world, template([identity("late", tags={"user": user}), registry()]))
    assert puts(world) == ["registry1", "late"]
    assert world.call("GET", f"{RG}/providers/{IDENTITY}/late").body["tags"] == {"user": "registry1"}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"name": "[reference('b').name]"}, "The template resource '[reference('b').name]'"),
        ({"condition": "[equals(reference('b').x, 1)]"}, "The template resource 'a'"),
        ({"location": "[reference('b', '2023-01-31', 'Full').location]"}, "The template resource 'a'"),
        ({"location": "[listKeys('b', '2023-01-31').location]"}, "The template resource 'a'"),
    ],
)
def test_what_must_be_known_beforehand_refers_to_nothing(changes: dict[str, Any], what: str) -> None:
    message = refused(make_world(), template([{**identity("a"), **changes}, identity("b")]))
    assert what in message
    assert "is not expected at this location. Please see https://aka.ms/arm-template-expressions for usage details." in message


def test_counts_and_variables_refer_to_nothing() -> None:
    counted = identity("[concat('a', copyIndex())]", copy={"name": "l", "count": "[length(reference('b').x)]"})
    assert "The template function 'reference' is not expected" in refused(make_world(), template([counted, identity("b")]))
    source = template(variables={"unused": {"x": "[listKeys('b', '2023-01-31')]"}})
    assert "The template variable 'unused' is not valid: The template function 'listKeys'" in refused(make_world(), source)
    source = template(parameters={"p": {"type": "string", "defaultValue": "[reference('b').x]"}})
    assert "The template function 'reference' is not expected" in refused(make_world(), source)


def test_a_reference_that_finds_nothing_fails_its_resource_alone() -> None:
    world = make_world()
    absent = f"[reference(resourceId('{IDENTITY}', 'absent'), '2023-01-31').clientId]"
    properties = deploy(world, template([identity("a", tags={"x": absent}), identity("b")]))
    assert (properties["provisioningState"], [one["code"] for one in properties["error"]["details"]]) == ("Failed", ["ResourceNotFound"])
    assert puts(world) == ["b"]
    wrong = template([identity("a", tags={"x": "[reference('b').absent]"}), identity("b")])
    (detail,) = deploy(world, wrong)["error"]["details"]
    assert detail["code"] == "InvalidTemplate"
    assert "The language expression property 'absent' doesn't exist" in detail["message"]


def test_references_gives_all_rounds_of_a_loop() -> None:
    resources = {"many": identity("[concat('m', copyIndex())]", copy={"name": "many", "count": 3})}
    value = "[map(references('many', 'Full'), lambda('one', lambdaVariables('one').resourceId))]"
    source = {**template(outputs={"ids": {"type": "array", "value": value}}), "languageVersion": "2.0", "resources": resources}
    assert deployed(make_world(), source) == {"ids": [f"{IDENTITY}/m{number}" for number in range(3)]}
    one = {"type": "string", "value": "[reference('many[1]', 'Full').resourceId]"}
    assert deployed(make_world(), {**source, "outputs": {"one": one}}) == {"one": f"{IDENTITY}/m1"}


def test_outputs_that_cannot_be_evaluated_fail_the_deployment_in_the_end() -> None:
    world = make_world()
    outputs = {
        "Good": {"type": "string", "value": "a"},
        "wrong": {"type": "int", "value": "[first(createArray())]"},
        "gone": {"type": "string", "value": "[reference('one').gone]"},
    }
    properties = deploy(world, template([identity()], outputs=outputs))
    assert properties["provisioningState"] == "Failed"
    assert "outputs" not in properties
    error = properties["error"]
    assert error["code"] == "DeploymentOutputEvaluationFailed"
    assert error["message"].startswith("Unable to evaluate template outputs: 'wrong,gone'. Please see error details")
    assert error["details"][0] == {
        "code": "DeploymentOutputEvaluationFailed",
        "target": "wrong",
        "message": "The template output 'wrong' is not valid: Template output JToken type is not valid. Expected 'Integer'. "
        "Actual 'Null'.Please see https://aka.ms/arm-template/#outputs for usage details..",
    }
    assert "The language expression property 'gone' doesn't exist" in error["details"][1]["message"]
    evaluation = world.call("GET", f"{DEPLOYMENTS}/d/operations").body["value"][-1]["properties"]
    assert (evaluation["provisioningOperation"], evaluation["provisioningState"]) == ("EvaluateDeploymentOutput", "Failed")


def test_secure_outputs_are_not_shown() -> None:
    world = make_world()
    outputs = {"Password": {"type": "secureString", "value": "[listCredentials('registry1', '2023-07-01').passwords[0].value]"}}
    assert deploy(world, template([registry()], outputs=outputs))["outputs"] == {"password": {"type": "SecureString"}}


def test_a_refused_template_says_so_before_anything_is_kept() -> None:
    world = make_world()
    put(world, template([identity("a", dependsOn=["x"])]))
    assert puts(world) == []


def test_a_type_may_end_with_a_slash_in_an_id() -> None:
    outputs = {"id": {"type": "string", "value": f"[resourceId('{IDENTITY}/', 'one')]"}}
    assert deployed(make_world(), template(outputs=outputs)) == {"id": f"{RG}/providers/{IDENTITY}/one"}
