"""Parameters: their types, what is refused and in which words, and that no secret is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.arm.deployments.positions import place
from localcloud.arm.deployments.scope import Scope
from localcloud.arm.errors import ArmError
from tests.unit.localcloud.test_template_scope import AROUND

SYNTAX = "Please see https://aka.ms/arm-syntax-parameters for usage details."
FILE = "Please see https://aka.ms/arm-create-parameter-file for usage details."


def make(declared: dict[str, Any], given: dict[str, Any] | None = None, **source: Any) -> Scope:
    entries = {name: {"value": value} for name, value in (given or {}).items()}
    made = Scope({"parameters": declared, **source}, entries, AROUND)
    made.resolve()
    return made


def refusal(declared: dict[str, Any], given: dict[str, Any] | None = None, **source: Any) -> ArmError:
    with pytest.raises(ArmError) as caught:
        make(declared, given, **source)
    assert (caught.value.status, caught.value.code) == (400, "InvalidTemplate")
    return caught.value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", "x"),
        ("STRING", ""),
        ("int", -1),
        ("bool", False),
        ("array", [1, None]),
        ("object", {"a": None}),
        ("securestring", "s"),
        ("secureObject", {"s": 1}),
    ],
)
def test_a_value_of_its_type_is_taken_as_it_is(kind: str, value: Any) -> None:
    made = make({"p": {"type": kind}}, {"P": value})
    assert made.parameters.value("p") == value
    assert made.evaluator.expand("[parameters('P')]") == value


def test_given_values_are_literal_and_defaults_are_evaluated() -> None:
    made = make(
        {
            "given": {"type": "string"},
            "made": {"type": "string", "defaultValue": "[concat(parameters('given'), variables('v'), toUpper('x'))]"},
            "object": {"type": "object", "defaultValue": {"a": "[parameters('made')]", "gone": None}},
        },
        {"given": "[toUpper('a')]"},
        variables={"v": "-"},
    )
    assert made.parameters.value("made") == "[toUpper('a')]-X"
    assert made.parameters.value("object") == {"a": "[toUpper('a')]-X", "gone": None}


def test_a_default_that_cannot_be_evaluated_is_named() -> None:
    error = refusal({"p": {"type": "string", "defaultValue": "[nonsense()]"}})
    assert "The template parameter 'p' is not valid: The template function 'nonsense' is not valid." in error.message


def test_new_guid_and_utc_now_are_for_defaults_only() -> None:
    made = make(
        {
            "id": {"type": "string", "defaultValue": "[newGuid()]"},
            "now": {"type": "string", "defaultValue": "[utcNow()]"},
            "day": {"type": "string", "defaultValue": "[utcNow('d')]"},
            "parts": {"type": "string", "defaultValue": "[utcNow('M d')]"},
        }
    )
    assert len(made.parameters.value("id")) == 36
    assert made.parameters.value("id") == made.parameters.value("id")
    assert [made.parameters.value(name) for name in ("now", "day", "parts")] == ["20260304T050607Z", "03/04/2026", "3 4"]
    for name in ("newGuid", "utcNow"):
        error = refusal({"p": {"type": "string", "defaultValue": "[variables('v')]"}}, variables={"v": f"[{name}()]"})
        assert f"The template function '{name}' is not expected at this location" in error.message


@pytest.mark.parametrize(
    ("declared", "given", "words"),
    [
        ({"type": "string"}, 1, f"is not valid. Expected a value of type 'String, Uri', but received a value of type 'Integer'. {FILE}"),
        ({"type": "int"}, True, f"is not valid. Expected a value of type 'Integer', but received a value of type 'Boolean'. {FILE}"),
        ({"type": "int"}, 1.5, "Expected a value of type 'Integer', but received a value of type 'Float'"),
        ({"type": "bool"}, "true", "Expected a value of type 'Boolean', but received a value of type 'String'"),
        ({"type": "array"}, {}, "Expected a value of type 'Array', but received a value of type 'Object'"),
        ({"type": "object"}, None, "Expected a value of type 'Object', but received a value of type 'Null'"),
        ({"type": "string", "allowedValues": ["a", "b"]}, "c", "is not valid. The value 'c' is not part of the allowed value(s): 'a,b'."),
        (
            {"type": "array", "allowedValues": ["a", "b"]},
            ["a", "c"],
            """The value '["a","c"]' is not part of the allowed value(s): 'a,b'.""",
        ),
        ({"type": "string", "minLength": 3}, "ab", f"Length of the value should be greater than or equal to '3'. {SYNTAX}"),
        ({"type": "array", "maxLength": 1}, [1, 2], f"Length of the value should be less than or equal to '1'. {SYNTAX}"),
        ({"type": "int", "minValue": 1}, 0, "should be greater than or equal to '1'"),
        ({"type": "int", "maxValue": 1}, 2, "should be less than or equal to '1'"),
        ({"type": "colour"}, 2, "The type 'colour' is not valid"),
        ({"type": 1}, 2, "The 'type' of a type is not valid"),
    ],
)
def test_a_wrong_value_is_refused_in_arms_words(declared: dict[str, Any], given: Any, words: str) -> None:
    error = refusal({"p": declared}, {"p": given})
    assert "'p'" in error.message
    assert words in error.message
    assert error.extra["additionalInfo"][0]["info"]["path"] == "properties.template.parameters.p"
    default = refusal({"p": {**declared, "defaultValue": given}})
    assert words in default.message


def test_an_array_may_have_any_of_the_allowed_values() -> None:
    declared = {"p": {"type": "array", "allowedValues": ["a", "b", ["c"]]}}
    assert make(declared, {"p": ["b", "a"]}).parameters.value("p") == ["b", "a"]
    assert make(declared, {"p": ["c"]}).parameters.value("p") == ["c"]


def test_missing_and_unknown_parameters() -> None:
    missing = refusal({"p": {"type": "string"}})
    assert "The value for the template parameter 'p' at line" in missing.message
    assert f"is not provided. {FILE}" in missing.message
    unknown = refusal({"p": {"type": "string"}, "q": {"type": "string"}}, {"a": 1, "b": 2})
    assert "The template parameters 'a, b' in the parameters file are not valid" in unknown.message
    assert "The only supported parameters for this template are 'p, q'" in unknown.message


def test_names_that_differ_by_case_alone_are_refused() -> None:
    with pytest.raises(ArmError, match="using case sensitive names") as caught:
        make({"p": {"type": "string"}}, {"p": "a", "P": "b"})
    assert caught.value.code == "CaseSensitiveDeploymentParameterNamesFound"


@pytest.mark.parametrize("entry", [None, 1, [], {}, {"value": 1, "colour": 2}])
def test_an_entry_needs_a_value(entry: Any) -> None:
    with pytest.raises(ArmError, match="'p'"):
        Scope({"parameters": {"p": {"type": "int"}}}, {"p": entry}, AROUND)


def test_a_nullable_parameter_may_be_null_or_absent() -> None:
    declared = {"p": {"type": "string", "nullable": True}}
    assert make(declared).parameters.value("p") is None
    assert make(declared, {"p": None}).evaluator.expand("[coalesce(parameters('p'), 'x')]") == "x"


def test_the_echo_has_arms_types_and_no_secrets() -> None:
    declared = {
        "s": {"type": "string"},
        "i": {"type": "int"},
        "secret": {"type": "securestring"},
        "keys": {"type": "secureObject"},
        "derived": {"type": "string", "defaultValue": "[base64(parameters('secret'))]"},
        "inside": {"type": "object", "properties": {"a": {"type": "secureString"}}},
    }
    made = make(declared, {"s": "x", "i": 1, "secret": "hunter2", "keys": {"k": "hunter2"}, "inside": {"a": "hunter2"}})
    assert made.parameters.shown() == {
        "s": {"type": "String", "value": "x"},
        "i": {"type": "Int", "value": 1},
        "secret": {"type": "SecureString"},
        "keys": {"type": "SecureObject"},
        "derived": {"type": "String"},
        "inside": {"type": "Object"},
    }


@pytest.mark.parametrize(
    "declared",
    [
        {"type": "secureString", "allowedValues": ["a"]},
        {"type": "secureString", "maxLength": 1},
        {"type": "secureString", "defaultValue": "", "minLength": 100},
    ],
)
def test_a_refused_secret_is_not_shown(declared: dict[str, Any]) -> None:
    error = refusal({"p": declared}, {"p": "hunter2"})
    assert "hunter2" not in json.dumps(error.body())


def test_a_default_made_of_a_secret_does_not_show_it_in_an_error() -> None:
    declared = {"s": {"type": "secureString"}, "p": {"type": "int", "defaultValue": "[int(parameters('s'))]"}}
    assert "hunter2" not in refusal(declared, {"s": "hunter2"}).message


def test_a_vaults_secret_is_echoed_as_its_reference() -> None:
    reference = {"keyVault": {"id": "/vaults/v"}, "secretName": "n", "secretVersion": "1"}
    source = {"parameters": {"s": {"type": "string"}, "o": {"type": "secureObject"}}}
    given = {"s": {"reference": reference}, "o": {"reference": reference}}
    made = Scope(source, given, AROUND, secrets=lambda *_: '{"a": "hunter2"}')
    made.resolve()
    assert made.parameters.value("o") == {"a": "hunter2"}
    assert made.parameters.shown() == {
        "s": {"type": "String", "reference": reference},
        "o": {"type": "SecureObject", "reference": reference},
    }
    with pytest.raises(ArmError, match="The secret is not a JSON object"):
        Scope(source, given, AROUND, secrets=lambda *_: "hunter2")
    for wrong in (None, {}, {"keyVault": {}}, {"keyVault": {"id": "x"}}):
        with pytest.raises(ArmError, match="needs a keyVault with an id and a secretName"):
            Scope({"parameters": {"s": {"type": "string"}}}, {"s": {"reference": wrong}}, AROUND, secrets=lambda *_: "")


TYPES = {
    "short": {"type": "string", "minLength": 3},
    "thing": {
        "type": "object",
        "properties": {"name": {"$ref": "#/definitions/short"}, "next": {"$ref": "#/definitions/thing", "nullable": True}},
        "additionalProperties": False,
    },
    "words": {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
    "pair": {"type": "array", "prefixItems": [{"type": "int"}, {"type": "bool"}], "items": False},
    "more": {"type": "array", "prefixItems": [{"type": "int"}], "items": {"type": "string"}},
    "name": {"$ref": "#/definitions/thing/properties/name"},
    "second": {"$ref": "#/definitions/pair/prefixItems/1"},
    "tagged": {
        "type": "object",
        "discriminator": {
            "propertyName": "type",
            "mapping": {
                "ints": {"type": "object", "additionalProperties": {"type": "int"}},
                "thing": {"type": "object", "properties": {"type": {"type": "string"}, "of": {"$ref": "#/definitions/short"}}},
            },
        },
    },
    "any": {"nullable": True},
    "loop": {"$ref": "#/definitions/loop"},
    "sealed": {"type": "object", "properties": {"a": {"type": "int"}}, "sealed": True},
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("short", "abc"),
        ("thing", {"name": "abc", "NEXT": {"name": "def"}}),
        ("words", {"a": "b"}),
        ("pair", [1, True]),
        ("more", [1, "a", "b"]),
        ("name", "abc"),
        ("second", False),
        ("tagged", {"type": "ints", "a": 1}),
        ("tagged", {"type": "thing", "of": "abc"}),
        ("any", [{}]),
        ("any", None),
    ],
)
def test_values_of_defined_types(name: str, value: Any) -> None:
    assert make({"p": {"$ref": f"#/definitions/{name}"}}, {"p": value}, definitions=TYPES).parameters.value("p") == value


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("short", "ab", "'p' is not valid. Length of the value should be greater than or equal to '3'"),
        ("thing", {"name": "ab"}, "'p.name' is not valid. Length of the value should be greater than or equal to '3'"),
        ("thing", {}, "'p.name' is not valid. The value for this property is not provided"),
        ("thing", {"name": "abc", "next": {"name": "x"}}, "'p.next.name' is not valid"),
        ("thing", {"name": "abc", "colour": 1}, "'p.colour' is not valid. The property is not one of those that are defined"),
        ("words", {"a": 1}, "'p.a' is not valid. Expected a value of type 'String, Uri'"),
        ("sealed", {"a": 1, "b": 1}, "'p.b' is not valid. The property is not one of those that are defined: 'a'"),
        ("pair", [1], "Expected '2' item(s), but received '1'"),
        ("pair", [1, True, 2], "Expected '2' item(s), but received '3'"),
        ("pair", [1, 2], "'p[1]' is not valid"),
        ("more", [1, "a", 2], "'p[2]' is not valid"),
        ("tagged", {"type": "ints", "a": "b"}, "'p.a' is not valid"),
        ("tagged", {"type": "strings"}, "'p.type' is not valid. The value is not part of the allowed value(s): 'ints,thing'"),
        ("tagged", {}, "'p.type' is not valid"),
        ("loop", 1, "refer to each other without an end"),
        ("nobody", 1, "'#/definitions/nobody' does not name a type definition"),
    ],
)
def test_values_that_are_not_of_a_defined_type(name: str, value: Any, words: str) -> None:
    assert words in refusal({"p": {"$ref": f"#/definitions/{name}"}}, {"p": value}, definitions=TYPES).message


@pytest.mark.parametrize(
    "declared",
    [
        {"type": "object", "properties": []},
        {"type": "array", "items": "x"},
        {"type": "string", "allowedValues": "x"},
        {"type": "string", "minLength": "x"},
        {"type": "object", "properties": {"a": 1}},
        {"type": "object", "discriminator": {"propertyName": 1}},
        {"$ref": 1},
    ],
)
def test_a_type_that_is_none_is_refused(declared: dict[str, Any]) -> None:
    values = {"object": {"a": 1}, "array": [1], "string": "x"}
    refusal({"p": declared}, {"p": values.get(declared.get("type", ""), 1)})


def test_an_error_tells_the_line_of_the_parameter_in_a_template_as_it_is_usually_printed() -> None:
    declared = {"first": {"type": "string", "defaultValue": "x"}, "second": {"type": "string"}}
    source = {"$schema": "s", "contentVersion": "1.0.0.0", "parameters": declared}
    with pytest.raises(ArmError) as caught:
        Scope(source, {}, AROUND)
    printed = json.dumps(source, indent=2).splitlines()
    info = caught.value.extra["additionalInfo"][0]["info"]
    assert printed[info["lineNumber"] - 1][: info["linePosition"]] == '    "second": {'
    assert f"'second' at line '{info['lineNumber']}' and column '{info['linePosition']}' is not provided" in caught.value.message


@pytest.mark.parametrize(
    ("path", "found"),
    [("a", (2, 8)), ("b[1].c", (8, 12)), ("b[2]", None), ("b[0].x", None), ("x", None), ("a[0]", None)],
)
def test_a_place_in_a_template(path: str, found: Any) -> None:
    assert place({"a": 1, "b": [{"d": {}}, {"c": [1]}]}, path) == found


def test_keys_of_a_parameter_may_be_written_in_any_case_but_not_be_made_up() -> None:
    made = make({"p": {"TYPE": "string", "DefaultValue": "a", "allowedvalues": ["a", "b"]}})
    assert made.parameters.value("p") == "a"
    assert "part of the allowed" in refusal({"p": {"TYPE": "string", "allowedvalues": ["a", "b"]}}, {"p": "c"}).message
    with pytest.raises(ArmError, match="Could not find member 'default' on object of type 'TemplateInputParameter'") as caught:
        make({"p": {"type": "string", "default": "a"}})
    assert caught.value.code == "InvalidRequestContent"
    with pytest.raises(ArmError) as refused:
        make({"p": {"type": "string", "validate": ["[lambda('x', true())]", "no"]}}, {"p": "a"})
    assert refused.value.code == "LocalCloudNotSupported"
