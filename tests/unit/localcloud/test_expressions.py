"""The expression language, held against values and error texts of Microsoft's own engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.arm.expressions import Evaluator, ExpressionError, is_expression

RECORDED = Path(__file__).parents[4] / "shared" / "azure"


def recorded(name: str) -> Any:
    path = RECORDED / name
    return json.loads(path.read_text()) if path.exists() else None


VECTORS = recorded("expression-vectors.json") or []
NEEDS_RECORDINGS = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded Azure values (../shared/azure) are not beside this checkout"
)


def evaluate(expression: str) -> Any:
    return Evaluator().string(expression)


@NEEDS_RECORDINGS
def test_every_recorded_expression_has_the_recorded_value() -> None:
    assert VECTORS
    wrong = [(vector["expr"], got, vector["expected"]) for vector in VECTORS if (got := evaluate(vector["expr"])) != vector["expected"]]
    assert wrong == []


@NEEDS_RECORDINGS
@pytest.mark.parametrize(
    ("source", "expression"),
    [
        ("base64ToString(concat(base64('abc'), '@'))", "[base64ToString(concat(base64('abc'), '@'))]"),
        ("bool('sdf')", "[bool('sdf')]"),
        ("dataUriToString(concat(dataUri('abc'), '@'))", "[dataUriToString(concat(dataUri('abc'), '@'))]"),
        ("format('->{123}<-', 123)", "[format('->{123}<-', 123)]"),
        ("int('asdf')", "[int('asdf')]"),
        (
            "map(range(0, 3), i => dataUriToString('Hi ${i}!'))",
            "[map(range(0, 3), lambda('i', dataUriToString(format('Hi {0}!', lambdaVariables('i')))))]",
        ),
        ("uri('github.com', 'Azure/bicep')", "[uri('github.com', 'Azure/bicep')]"),
    ],
)
def test_a_wrong_call_gets_the_genuine_error_text(source: str, expression: str) -> None:
    texts = {item["bicep_expr"]: item["message"] for item in recorded("expression-errors.json")["errors"]}
    with pytest.raises(ExpressionError) as caught:
        evaluate(expression)
    assert str(caught.value) == texts[source]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("[concat('a', 1, true())]", "a1True"),
        ("[concat(createArray(1), createArray(2))]", [1, 2]),
        ("[format('{0}-{1:D3}|{2,4}|{{}}', 'x', 7, 'r')]", "x-007|   r|{}"),
        ("[format('{0:N0}', 1234567)]", "1,234,567"),
        (
            '[union(json(\'{"a": {"x": 1}, "b": [1]}\'), json(\'{"a": {"y": 2}, "b": [2]}\'))]',
            {"a": {"x": 1, "y": 2}, "b": [2]},
        ),
        ("[map(items(createObject('b', 2, 'a', 1)), lambda('i', lambdaVariables('i').key))]", ["a", "b"]),
        ("[createObject('a', createArray(5, 6)).A[1]]", 6),
        ("[if(true(), 'yes', int('boom'))]", "yes"),
        ("[or(true(), bool('boom'))]", True),
        ("[coalesce(null(), 'x')]", "x"),
        ("[equals(1, true())]", False),
        ("[div(-7, 2)]", -3),
        ("[mod(-7, 2)]", -1),
        ("[string(createObject('é', createArray(1, true(), null())))]", '{"é":[1,true,null]}'),
        ("['it''s']", "it's"),
        ("[[literal]", "[literal]"),
        ("[test] value", "[test] value"),
        ("plain", "plain"),
        ("[uniqueString('hello', 'world')]", "a7wkljktk6wne"),
        ("[uri('http://contoso.org/a/b', 'c.sh')]", "http://contoso.org/a/c.sh"),
        ("[sort(createArray(3, 1, 2), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))]", [1, 2, 3]),
        ("[reduce(range(1, 4), 0, lambda('sum', 'n', add(lambdaVariables('sum'), lambdaVariables('n'))))]", 10),
    ],
)
def test_a_value(expression: str, value: Any) -> None:
    got = evaluate(expression)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("[listKeys('x', '2020-01-01')]", "The template function 'listKeys' is not expected at this location"),
        ("[nonsense()]", "The template function 'nonsense' is not valid. Please see https://aka.ms/arm-functions for usage details."),
        ("[concat('a']", "expected token 'RightParenthesis' and actual 'EndOfData'"),
        ("[concat('a', #)]", "the string character '#' at position '12' is not expected"),
        ("[toLower(1)]", "expects its parameter to be of type 'String'. The provided value is of type 'Integer'"),
        ("[toLower()]", "requires 1 argument(s) while 0 were provided"),
        ("[createObject('a', 1).b]", "property 'b' doesn't exist, available properties are 'a'"),
        ("[createArray(1)[1]]", "index '1' is out of bounds"),
        ("[range(0, 10001)]", "between '0' and '10000'. The provided value is '10001'"),
        ("[" + "not(" * 70 + "true()" + ")" * 70 + "]", "nested more than 60 deep"),
        ("['" + "x" * 25_000 + "']", "length limit exceeded. Limit: '24576'"),
        ("[contoso.name()]", "The template function 'contoso.name' is not valid"),
    ],
)
def test_an_error_says_what_is_wrong(expression: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(expression)
    assert words in str(caught.value)


def test_a_null_property_is_left_out_and_null_items_stay() -> None:
    tree = {"gone": "[null()]", "kept": [None, "[json('null')]"], "deep": {"gone": None, "[concat('a', 'b')]": "[add(1, 1)]"}}
    assert Evaluator().expand(tree) == {"kept": [None, None], "deep": {"ab": 2}}


@pytest.mark.parametrize(("value", "expected"), [("[a]", True), ("[[a]", False), ("[a", False), ("a]", False), ("", False)])
def test_only_single_brackets_make_an_expression(value: str, expected: bool) -> None:
    assert is_expression(value) is expected
