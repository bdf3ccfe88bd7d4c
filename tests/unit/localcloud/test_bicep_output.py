"""What Bicep compiles to, deployed: languageVersion 2.0 with symbols, functions, types and safe access."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.localcloud.worlds import DEPLOYMENTS, deployment, make_world, template

SHORT = {"type": "string", "minLength": 3}
FUNCTIONS = [
    {
        "namespace": "__bicep",
        "members": {
            "buildUrl": {
                "parameters": [{"type": "bool", "name": "https"}, {"type": "string", "name": "host"}, {"type": "string", "name": "path"}],
                "output": {
                    "type": "string",
                    "value": "[format('{0}://{1}{2}', if(parameters('https'), 'https', 'http'), parameters('host'), "
                    "if(empty(parameters('path')), '', format('/{0}', parameters('path'))))]",
                },
            },
            "names": {"parameters": [], "output": {"type": "array", "value": ["Evie", "Casper"]}},
            "greetings": {
                "parameters": [],
                "output": {
                    "type": "array",
                    "items": SHORT,
                    "value": "[map(__bicep.names(), lambda('n', format('Hi {0}!', lambdaVariables('n'))))]",
                },
            },
        },
    }
]


def results(outputs: dict[str, Any], given: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    world = make_world()
    source = {**template([]), "languageVersion": "2.0", "resources": {}, "outputs": outputs, **sections}
    world.call("PUT", f"{DEPLOYMENTS}/d", deployment(source, **(given or {})))
    world.clock.advance(30)
    return dict(world.call("GET", f"{DEPLOYMENTS}/d").body["properties"])


def test_functions_call_each_other() -> None:
    outputs = {
        "url": {"type": "string", "value": "[__bicep.buildUrl(true(), 'google.com', 'search')]"},
        "hellos": {"type": "array", "items": {"type": "string"}, "value": "[__bicep.greetings()]"},
    }
    assert results(outputs, functions=FUNCTIONS)["outputs"] == {
        "url": {"type": "String", "value": "https://google.com/search"},
        "hellos": {"type": "Array", "value": ["Hi Evie!", "Hi Casper!"]},
    }


def test_types_are_of_parameters_and_of_outputs() -> None:
    definitions = {
        "short": SHORT,
        "thing": {
            "type": "object",
            "properties": {"name": {"$ref": "#/definitions/short"}, "key": {"type": "securestring", "nullable": True}},
        },
    }
    outputs = {
        "name": {"$ref": "#/definitions/short", "value": "[parameters('thing').name]"},
        "missing": {"type": "string", "nullable": True, "value": "[tryGet(parameters('thing'), 'key')]"},
        "whole": {"$ref": "#/definitions/thing", "value": "[parameters('thing')]"},
        "last": {"type": "int", "value": "[indexFromEnd(parameters('numbers'), 1)]"},
    }
    declared = {"thing": {"$ref": "#/definitions/thing"}, "numbers": {"type": "array", "items": {"type": "int"}, "defaultValue": [1, 2]}}
    shown = results(outputs, {"thing": {"name": "abc"}}, definitions=definitions, parameters=declared)
    assert shown["parameters"]["thing"] == {"type": "Object"}  # a secret may be in it
    assert shown["outputs"] == {
        "name": {"type": "String", "value": "abc"},
        "missing": {"type": "String", "value": None},
        "whole": {"type": "Object"},
        "last": {"type": "Int", "value": 2},
    }


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"$ref": "#/definitions/short", "value": "ab"}, "'o' is not valid. Length of the value should be greater than or equal to '3'"),
        ({"type": "array", "items": {"type": "int"}, "value": [1, "x"]}, "'o[1]' is not valid. Expected a value of type 'Integer'"),
    ],
)
def test_an_output_that_is_not_of_its_type_fails_the_deployment(declared: dict[str, Any], words: str) -> None:
    shown = results({"o": declared}, definitions={"short": SHORT})
    assert shown["provisioningState"] == "Failed"
    assert words in str(shown["error"])


def test_a_function_that_the_local_cloud_has_not_is_refused_and_not_called_wrong() -> None:
    world = make_world()
    source = {
        **template([]),
        "outputs": {"o": {"type": "object", "value": "[variables('v')]"}},
        "variables": {"v": "[providers('Microsoft.Web')]"},
    }
    source["parameters"] = {"p": {"type": "object", "defaultValue": "[toLogicalZones('s', 'l', createArray('1'))]"}}
    reply = world.call("PUT", f"{DEPLOYMENTS}/d", deployment(source))
    assert (reply.status, reply.body["error"]["code"]) == (400, "LocalCloudNotSupported")
    assert "toLogicalZones" in reply.body["error"]["message"]
