"""The functions that a template declares itself, and those that know where it is deployed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from localcloud.arm.deployments.scope import Scope, Surroundings
from localcloud.arm.errors import ArmError
from localcloud.arm.expressions import ExpressionError
from tests.unit.localcloud.test_template_scope import AROUND, GROUP, SUBSCRIPTION, value

OTHER = "33333333-3333-3333-3333-333333333333"


def member(output: Any, *parameters: tuple[str, str], kind: str = "string") -> dict[str, Any]:
    return {"parameters": [{"name": name, "type": type_} for name, type_ in parameters], "output": {"type": kind, "value": output}}


def template(members: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"functions": [{"namespace": "contoso", "members": members}], "variables": {"v": 1}, **more}


def test_a_function_has_its_own_parameters_and_knows_where_it_is() -> None:
    source = template(
        {
            "unique": member("[concat(toLower(parameters('PREFIX')), resourceGroup().name)]", ("prefix", "string")),
            "pair": member({"a": "[parameters('a')]", "b": None}, ("a", "int"), kind="object"),
        },
        parameters={"prefix": {"type": "string", "defaultValue": "X"}},
    )
    assert value("[Contoso.Unique(parameters('prefix'))]", source) == "xjobs"
    assert value("[contoso.pair(2).a]", source) == 2
    assert value("[map(createArray('A', 'B'), lambda('n', contoso.unique(lambdaVariables('n'))))]", source) == ["ajobs", "bjobs"]


@pytest.mark.parametrize(
    ("output", "called"),
    [
        ("[variables('v')]", "variables"),
        ("[if(true(), 'x', utcNow())]", "utcNow"),
        ("[reference('x')]", "reference"),
        ("[listKeys('x', '1')]", "listKeys"),
        ({"a": ["[copyIndex()]", "[newGuid()]", "[copyIndex()]"]}, "copyIndex, newGuid"),
        ("[contoso.other()]", "contoso.other"),
    ],
)
def test_what_a_function_may_not_call_is_refused_before_anything_is_evaluated(output: Any, called: str) -> None:
    with pytest.raises(ArmError) as caught:
        Scope(template({"f": member(output), "other": member("x")}), {}, AROUND)
    assert caught.value.code == "InvalidTemplate"
    assert "The template function 'f' at line '6' and column '14' is not valid." in caught.value.message
    assert f"These function calls are not supported in a function definition: '{called}'." in caught.value.message


def test_a_function_does_not_see_the_templates_parameters() -> None:
    source = template({"f": member("[parameters('outer')]")}, parameters={"outer": {"type": "string", "defaultValue": "x"}})
    with pytest.raises(ExpressionError, match="The template parameter 'outer' is not found"):
        value("[contoso.f()]", source)


def test_a_function_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ArmError, match=r"The template function 'f' at line .* is not valid: Unable to parse language expression"):
        Scope(template({"f": member("[concat(]")}), {}, AROUND)


def test_functions_of_the_second_language_version_call_each_other_but_not_without_end() -> None:
    members = {"f": member("[contoso.g(1)]", kind="int"), "g": member("[parameters('n')]", ("n", "int"), kind="int")}
    assert value("[contoso.f()]", template(members, languageVersion="2.0")) == 1
    endless = template({"f": member("[contoso.f()]")}, languageVersion="2.0")
    with pytest.raises(ExpressionError, match="levels deep"):
        value("[contoso.f()]", endless)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("contoso.f()", "'contoso.f': function requires 1 argument(s) while 0 were provided"),
        ("contoso.f(1)", "The parameter 'p' of the template function 'contoso.f' is not valid. Expected a value of type 'String, Uri'"),
        ("contoso.g()", "The output of the template function 'contoso.g' is not valid. Expected a value of type 'Integer'"),
        ("contoso.none()", "The template function 'contoso.none' is not valid"),
    ],
)
def test_wrong_calls(call: str, words: str) -> None:
    source = template({"f": member("x", ("p", "string")), "g": member("x", kind="int")})
    with pytest.raises(ExpressionError) as caught:
        value(f"[{call}]", source)
    assert words in str(caught.value)


@pytest.mark.parametrize("functions", [1, [1], [{"namespace": "x"}], [{"namespace": "x", "members": {"f": {}}}], {"a": 1}])
def test_functions_that_are_none_are_refused(functions: Any) -> None:
    with pytest.raises(ArmError, match="functions"):
        Scope({"functions": functions}, {}, AROUND)


def test_a_secret_given_to_a_function_is_not_shown_by_its_errors() -> None:
    source = template({"f": member("[string(int(parameters('p')))]", ("p", "string"))}, parameters={"s": {"type": "secureString"}})
    made = Scope(source, {"s": {"value": "hunter2"}}, AROUND)
    with pytest.raises(ExpressionError) as caught:
        made.evaluator.expand("[contoso.f(concat(parameters('s'), '!'))]")
    assert "'(hidden)'" in str(caught.value)
    with pytest.raises(ExpressionError, match="'open'"):
        made.evaluator.expand("[contoso.f('open')]")


def test_where_a_deployment_is() -> None:
    assert value("[resourceGroup().location]") == "westeurope"
    assert value("[subscription().subscriptionId]") == SUBSCRIPTION
    assert value("[tenant().tenantId]") == AROUND.tenant
    assert value("[deployment().name]") == "main"
    assert value("[environment().suffixes.storage]") == "core.windows.net"
    assert value("[deployer().tenantId]") == AROUND.tenant
    assert value("[pickZones('Microsoft.Compute', 'virtualMachines', 'West Europe', 2, 1)]") == ["2", "3"]
    assert value("[pickZones('Microsoft.Compute', 'virtualMachines', 'westus')]") == []


IN_GROUP = GROUP["id"]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("resourceId('Microsoft.Storage/storageAccounts', 's')", f"{IN_GROUP}/providers/Microsoft.Storage/storageAccounts/s"),
        ("resourceId('My.Rp/a/b', 'x', 'y')", f"{IN_GROUP}/providers/My.Rp/a/x/b/y"),
        ("resourceId('other', 'My.Rp/a', 'x')", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other/providers/My.Rp/a/x"),
        (f"resourceId('{OTHER}', 'other', 'My.Rp/a', 'x')", f"/subscriptions/{OTHER}/resourceGroups/other/providers/My.Rp/a/x"),
        ("subscriptionResourceId('My.Rp/a', 'x')", f"/subscriptions/{SUBSCRIPTION}/providers/My.Rp/a/x"),
        (f"subscriptionResourceId('{OTHER}', 'My.Rp/a', 'x')", f"/subscriptions/{OTHER}/providers/My.Rp/a/x"),
        ("tenantResourceId('My.Rp/a', 'x')", "/providers/My.Rp/a/x"),
        ("managementGroupResourceId('m', 'My.Rp/a', 'x')", "/providers/Microsoft.Management/managementGroups/m/providers/My.Rp/a/x"),
        (
            "extensionResourceId(resourceId('My.Rp/a', 'x'), 'Ext.Rp/b/c', 'y', 'z')",
            f"{IN_GROUP}/providers/My.Rp/a/x/providers/Ext.Rp/b/y/c/z",
        ),
    ],
)
def test_resource_ids(call: str, expected: str) -> None:
    assert value(f"[{call}]") == expected


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("resourceId('My.Rp/a/b', 'x')", "'resourceId': the type 'My.Rp/a/b' requires '2' resource name argument(s)"),
        ("resourceId('a', 'b')", "function requires exactly one multi-segmented argument which must be resource type"),
        ("resourceId('My.Rp/a', 'x/y')", "Current function arguments 'My.Rp/a,x/y'"),
        ("resourceId('no guid', 'g', 'My.Rp/a', 'x')", "The provided value 'no guid' is not valid subscription identifier"),
        ("managementGroupResourceId('My.Rp/a', 'x')", "the deployment is in no management group"),
    ],
)
def test_wrong_resource_ids(call: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value(f"[{call}]")
    assert words in str(caught.value)


def at_level(around: Surroundings, expression: str) -> Any:
    made = Scope({}, {}, around)
    made.resolve()
    return made.evaluator.expand(expression)


def test_above_resource_groups() -> None:
    in_subscription = replace(AROUND, group=None)
    group = {"id": "/providers/Microsoft.Management/managementGroups/m", "name": "m"}
    in_management_group = replace(AROUND, group=None, subscription="", management_group=group)
    in_tenant = replace(AROUND, group=None, subscription="")
    call = "[resourceId('My.Rp/a', 'x')]"
    assert at_level(in_subscription, call) == f"/subscriptions/{SUBSCRIPTION}/providers/My.Rp/a/x"
    assert at_level(in_tenant, call) == "/providers/My.Rp/a/x"
    assert at_level(in_management_group, "[managementGroup().name]") == "m"
    assert at_level(in_management_group, "[managementGroupResourceId('My.Rp/a', 'x')]") == f"{group['id']}/providers/My.Rp/a/x"
    for around, name in ((in_subscription, "resourceGroup"), (in_tenant, "subscription"), (AROUND, "managementGroup")):
        with pytest.raises(ExpressionError, match=f"The template function '{name}' is not expected at this location"):
            at_level(around, f"[{name}()]")
