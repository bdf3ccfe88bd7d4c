"""JSON of the wrong type, wherever it stands in a deployment, is refused: it is never a bug, and never passed over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.localcloud.deploying import RG, identity, nested
from tests.unit.localcloud.worlds import DEPLOYMENTS, deployment, make_world, template

WRONG = (5, 1.5, True, "x", ["x"], [5], {"x": 5}, [[]])
OBJECTS = ("debugSetting", "templateLink", "whatIfSettings", "parameters", "expressionEvaluationOptions")
PARTS = ("dependsOn", "copy", "condition", "tags", "properties", "location", "name", "type", "apiVersion", "scope", "resources", "identity")
SECTIONS = ("parameters", "variables", "outputs", "functions", "resources", "definitions", "languageVersion", "contentVersion", "metadata")


def statuses(body: Any) -> tuple[int, int, int]:
    """Of a validation and a PUT, and 500 for a what-if that stumbles."""
    world = make_world()
    judged = world.call("POST", f"{DEPLOYMENTS}/d/validate", body).status
    tried = world.call("POST", f"{DEPLOYMENTS}/d/whatIf", body)
    world.clock.advance(60)
    answer = world.call("GET", tried.headers["Location"].split("azure.com")[1].split("?")[0]).body if tried.status == 202 else {}
    stumbled = (answer.get("error") or {}).get("code") == "InternalServerError"
    return judged, world.call("PUT", f"{DEPLOYMENTS}/d", body).status, 500 if stumbled else tried.status


@pytest.mark.parametrize("key", OBJECTS)
@pytest.mark.parametrize("value", [one for one in WRONG if not isinstance(one, dict)], ids=str)
def test_an_option_that_is_no_object_is_refused(key: str, value: Any) -> None:
    body = deployment(template())
    body["properties"][key] = value
    if key == "expressionEvaluationOptions":
        body = deployment(template([nested("n", {"template": template(), key: value})]))
    world = make_world()
    reply = world.call("PUT", f"{DEPLOYMENTS}/d", body)
    assert (reply.status, reply.body["error"]["code"]) == (400, "InvalidRequestContent")


@pytest.mark.parametrize("value", [5, True, "x", {"x": 5}, [5]], ids=str)
def test_what_a_resource_depends_on_is_an_array_of_strings(value: Any) -> None:
    body = deployment(template([identity("x"), identity("a", dependsOn=value)]))
    assert statuses(body) == (400, 400, 202)


@pytest.mark.parametrize("key", PARTS)
@pytest.mark.parametrize("value", WRONG, ids=str)
def test_no_part_of_a_resource_is_a_bug(key: str, value: Any) -> None:
    assert max(statuses(deployment(template([{**identity("a"), key: value}])))) < 500
    assert max(statuses(deployment(template([{**nested("n", {"template": template()}), key: value}])))) < 500


@pytest.mark.parametrize("key", SECTIONS)
@pytest.mark.parametrize("value", [*WRONG, None, [None], {"x": None}, {"x": {}}, {"x": [1]}], ids=str)
def test_no_section_of_a_template_is_a_bug(key: str, value: Any) -> None:
    assert max(statuses(deployment({**template(), key: value}))) < 500


@pytest.mark.parametrize("declared", [5, "string", ["string"], None], ids=str)
def test_a_parameter_that_is_no_object_is_refused(declared: Any) -> None:
    assert statuses(deployment(template(parameters={"p": declared}), p="x"))[:2] == (400, 400)


@pytest.mark.parametrize("given", [5, "x", ["x"], None, {"value": 5}, {"reference": 5}, {"reference": {"keyVault": {"id": 5}}}], ids=str)
def test_no_value_of_a_parameter_is_a_bug(given: Any) -> None:
    body = deployment(template(parameters={"p": {"type": "string"}}))
    body["properties"]["parameters"] = {"p": given}
    assert statuses(body)[:2] == (400, 400)


@pytest.mark.parametrize("key", ["tags", "location"])
@pytest.mark.parametrize("value", [5, True, ["x"]], ids=str)
def test_no_part_of_the_request_is_a_bug(key: str, value: Any) -> None:
    body = {**deployment(template()), key: value}
    assert statuses(body)[:2] == (400, 400)
    subscription = f"{RG.partition('/resourceGroups')[0]}/providers/Microsoft.Resources/deployments/d"
    assert make_world().call("PUT", subscription, body).status == 400
