"""The expression language, held against values and error texts of Microsoft's own engine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from localcloud.arm.expressions import Evaluator, ExpressionError, is_expression

RECORDED = Path(__file__).parents[4] / "shared" / "azure"
ABSENT = "the values and error texts of Microsoft's engine (../shared/azure) are not beside this checkout"

# Bicep writes what is not the same in ARM's language.
IN_ARM = {
    "map(range(0, 3), i => dataUriToString('Hi ${i}!'))": (
        "map(range(0, 3), lambda('i', dataUriToString(format('Hi {0}!', lambdaVariables('i')))))"
    )
}


def recorded(name: str) -> Any:
    path = RECORDED / name
    return json.loads(path.read_text()) if path.exists() else None


VECTORS = recorded("expression-vectors.json") or []
TEXTS = (recorded("expression-errors.json") or {"errors": []})["errors"]


def evaluate(expression: str) -> Any:
    return Evaluator().string(expression)


def test_the_recorded_values_are_there_where_they_must_be() -> None:
    if not VECTORS and not os.environ.get("CI"):
        pytest.skip(ABSENT)
    assert VECTORS, ABSENT
    assert TEXTS, ABSENT


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["expr"][:60] for vector in VECTORS])
def test_an_expression_has_the_recorded_value(vector: dict[str, Any]) -> None:
    got = evaluate(vector["expr"])
    assert got == vector["expected"]
    assert type(got) is type(vector["expected"])


@pytest.mark.parametrize("error", TEXTS, ids=[error["bicep_expr"][:60] for error in TEXTS])
def test_a_wrong_call_gets_the_genuine_error_text(error: dict[str, str]) -> None:
    expression = IN_ARM.get(error["bicep_expr"], error["bicep_expr"])
    with pytest.raises(ExpressionError) as caught:
        evaluate(f"[{expression}]")
    assert str(caught.value) == error["message"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("[[literal]", "[literal]"), ("[test] value", "[test] value"), ("plain", "plain"), ("[[", "[["), ("[[a] b", "[[a] b")],
)
def test_what_is_no_expression_is_text(written: str, meant: str) -> None:
    assert evaluate(written) == meant


def test_a_null_property_is_left_out_and_null_items_stay() -> None:
    tree = {"gone": "[null()]", "kept": [None, "[json('null')]"], "deep": {"gone": None, "[concat('a', 'b')]": "[add(1, 1)]"}}
    assert Evaluator().expand(tree) == {"kept": [None, None], "deep": {"ab": 2}}


@pytest.mark.parametrize(("value", "expected"), [("[a]", True), ("[[a]", False), ("[a", False), ("a]", False), ("", False)])
def test_only_single_brackets_make_an_expression(value: str, expected: bool) -> None:
    assert is_expression(value) is expected
