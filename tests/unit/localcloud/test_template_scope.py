"""What the expressions of a template can see, and what is added to it by those who deploy."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from localcloud.arm.deployments.scope import Scope, Surroundings
from localcloud.arm.errors import ArmError
from localcloud.arm.expressions import Catalog, ExpressionError, calls

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = {"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/jobs", "name": "jobs", "location": "westeurope"}
AROUND = Surroundings(
    SUBSCRIPTION,
    "22222222-2222-2222-2222-222222222222",
    GROUP,
    {"name": "main", "properties": {}},
    now=datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=UTC),
    ids=random.Random(1),  # noqa: S311
)


def scope(source: dict[str, Any], given: dict[str, Any] | None = None, **more: Any) -> Scope:
    made = Scope(source, given or {}, AROUND, **more)
    made.resolve()
    return made


def value(expression: Any, source: dict[str, Any] | None = None, given: dict[str, Any] | None = None) -> Any:
    return scope(source or {}, given).evaluator.expand(expression)


def test_functions_are_added_to_an_evaluator_and_not_to_the_scope() -> None:
    outer = scope({"variables": {"v": 1}}).evaluator
    functions = Catalog()
    functions.function("reference", "string", "string", optional=1)(lambda name, version="": {"name": name, "version": version})
    functions.function("list*", "string", "string")(lambda called, resource, version: f"{called}({resource},{version})")
    inner = outer.within(functions)
    assert inner.expand("[concat(reference('a', '1').name, listKeys('b', '2'), listSecrets('c', '3'), variables('v'))]") == (
        "alistKeys(b,2)listSecrets(c,3)1"
    )
    for name in ("reference", "listKeys"):
        with pytest.raises(ExpressionError, match=name):
            outer.expand(f"[{name}('a', '1')]")


def test_what_an_added_function_raises_goes_through_and_the_variable_can_be_asked_for_again() -> None:
    class NotYet(Exception):
        pass

    def not_yet(name: str) -> Any:
        raise NotYet(name)

    functions = Catalog()
    functions.function("reference", "string")(not_yet)
    made = scope({"variables": {"v": "x"}}).evaluator.within(functions)
    for _ in range(2):
        with pytest.raises(NotYet):
            made.expand({"properties": {"a": ["[reference(variables('v'))]"]}})


def test_rounds_of_loops_are_known_inside_them_only() -> None:
    made = scope({"variables": {"copy": [{"name": "names", "count": 2, "input": "[concat('n', copyIndex('names', 1))]"}]}}).evaluator
    disks = {"name": "disks", "count": 2, "input": {"lun": "[copyIndex('disks')]", "of": "[copyIndex(10)]"}}
    resource = {"name": "[concat('r', copyIndex())]", "properties": {"copy": [disks]}}
    assert made.expand("[variables('names')]") == ["n1", "n2"]
    assert made.looping("rounds", 3, resource=True).expand(resource) == {
        "name": "r3",
        "properties": {"disks": [{"lun": 0, "of": 13}, {"lun": 1, "of": 13}]},
    }
    with pytest.raises(ExpressionError, match="'copyIndex' is not expected at this location"):
        made.expand("[copyIndex()]")


@pytest.mark.parametrize("count", [-1, 801, "x", None])
def test_a_loop_has_a_bounded_number_of_rounds(count: Any) -> None:
    with pytest.raises(ExpressionError, match="cannot exceed '800'"):
        value({"copy": [{"name": "a", "count": count, "input": 1}]})


def test_calls_are_found_without_evaluating() -> None:
    tree = {"a": ["[concat(reference(variables('x')).y, if(false(), listKeys('z', '1'), ''))]"], "[toLower('B')]": "reference('no')"}
    assert [call.name for call in calls(tree, "reference", "list*")] == ["reference", "listKeys"]


def test_nulls_stay_in_variables_and_are_left_out_of_resources() -> None:
    assert value({"a": "[variables('o')]", "b": None}, {"variables": {"o": {"c": None}}}) == {"a": {"c": None}}


def test_a_variable_that_needs_itself_is_refused_every_time() -> None:
    made = scope({"variables": {"a": "[variables('b')]", "b": "[variables('A')]"}}).evaluator
    for _ in range(2):
        with pytest.raises(ExpressionError, match="refers to itself"):
            made.expand("[variables('a')]")


def test_an_error_does_not_show_what_was_made_of_a_secret() -> None:
    source = {"parameters": {"s": {"type": "secureString"}, "p": {"type": "string"}}, "variables": {"v": "[concat(parameters('s'), '!')]"}}
    made = scope(source, {"s": {"value": "hunter2"}, "p": {"value": "open"}}).evaluator
    for expression in ("[int(parameters('s'))]", "[int(variables('v'))]", "[int(base64(variables('v')))]"):
        with pytest.raises(ExpressionError) as caught:
            made.expand(expression)
        assert "'(hidden)'" in str(caught.value)
    with pytest.raises(ExpressionError, match="'open'"):
        made.expand("[int(parameters('p'))]")


def test_what_list_functions_give_is_a_secret() -> None:
    functions = Catalog()
    functions.function("list*", "string", "string")(lambda _called, _resource, _version: {"keys": ["hunter2"]})
    made = scope({}).evaluator.within(functions)
    with pytest.raises(ExpressionError) as caught:
        made.expand("[int(listKeys('a', '1').keys[0])]")
    assert "'(hidden)'" in str(caught.value)


def test_a_secret_is_read_from_a_vault() -> None:
    asked: list[tuple[str, str, str | None]] = []

    def read(vault: str, name: str, version: str | None) -> str:
        asked.append((vault, name, version))
        return "from the vault"

    source = {"parameters": {"s": {"type": "secureString"}}}
    given = {"s": {"reference": {"keyVault": {"id": "/vaults/v"}, "secretName": "n"}}}
    assert scope(source, given, secrets=read).evaluator.expand("[parameters('s')]") == "from the vault"
    assert asked == [("/vaults/v", "n", None)]
    with pytest.raises(ArmError, match="Key Vault"):
        scope(source, given)


def test_an_error_in_a_variable_is_shown_where_another_one_next_to_it_is_secret() -> None:
    parameters = {"plain": {"type": "string"}, "secret": {"type": "secureString"}}
    variables = {"secret": "[toUpper(parameters('secret'))]", "wrong": "[int(parameters('plain'))]"}
    given = {"plain": {"value": "word"}, "secret": {"value": "s3cret"}}
    made = scope({"parameters": parameters, "variables": variables}, given)
    with pytest.raises(ExpressionError) as caught:
        made.evaluator.expand("[concat(variables('secret'), variables('wrong'))]")
    assert "'word'" in str(caught.value)
