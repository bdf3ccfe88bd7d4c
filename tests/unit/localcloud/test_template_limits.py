"""No template can hang the local cloud, take all its memory or make it raise what it does not expect."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.arm.deployments.scope import Scope
from localcloud.arm.errors import ArmError
from localcloud.arm.expressions import Catalog, Evaluation, Evaluator, ExpressionError, Function
from localcloud.arm.expressions.builtins import BUILTINS
from localcloud.arm.expressions.evaluation import MAX_WORK
from localcloud.arm.expressions.parser import quote
from tests.unit.localcloud.test_template_scope import AROUND, scope, value

SECONDS = 10  # far more than any of these needs, and far less than any would take without limits
A_TENTH = MAX_WORK // 10


def nested(name: str, depth: int, inner: str) -> str:
    return f"{name}(" * depth + inner + ")" * depth


GREEDY = [
    # Values that grow with every round.
    "reduce(range(0, 100), 'x', lambda('a', 'b', concat(lambdaVariables('a'), lambdaVariables('a'))))",
    "reduce(range(0, 100), createArray(1), lambda('a', 'b', concat(lambdaVariables('a'), lambdaVariables('a'))))",
    # A tree whose parts are shared: small in memory, beyond all measure when it is printed.
    "reduce(range(0, 100), createArray(1), lambda('a', 'b', createArray(lambdaVariables('a'), lambdaVariables('a'))))",
    # Deep values, which every walk over them would fall into.
    "reduce(range(0, 10000), createArray(), lambda('a', 'b', createArray(lambdaVariables('a'))))",
    "string(reduce(range(0, 10000), createObject(), lambda('a', 'b', createObject('a', lambdaVariables('a')))))",
    # Loops in loops.
    "map(range(0, 10000), lambda('a', map(range(0, 10000), lambda('b', 1))))",
    "filter(range(0, 10000), lambda('a', contains(range(0, 10000), -1)))",
    "map(range(0, 10000), lambda('a', union(range(0, 10000), range(0, 10000))))",
    "map(range(0, 10000), lambda('a', equals(string(range(0, 10000)), '')))",
    "sort(range(0, 10000), lambda('a', 'b', not(empty(range(0, 10000)))))",
    # Short calls for long results.
    "padLeft('x', 2000000000)",
    "format('{0,999999}{0,999999}{0,999999}{0,999999}{0,999999}', 1)",
    "format('{0,9999999999}', 1)",
    "join(range(0, 10000), padLeft('x', 100000))",
    "replace(padLeft('x', 10000), ' ', padLeft('x', 100000))",
    "split(padLeft('x', 4000000), ' ')",
    "split(padLeft('x', 400000), map(range(0, 10000), lambda('i', concat('ab', lambdaVariables('i')))))",
    "json(concat('''', padLeft('x', 1000000)))",
    "json(concat(padLeft('x', 100000, '['), 'x'))",
    "int(padLeft('1', 100000, '1'))",
    "json(padLeft('1', 100000, '1'))",
]


@pytest.mark.parametrize("expression", GREEDY, ids=[expression[:50] for expression in GREEDY])
def test_a_greedy_expression_is_refused(expression: str) -> None:
    start = time.monotonic()
    with pytest.raises(ExpressionError):
        Evaluator(evaluation=Evaluation(A_TENTH)).string(f"[{expression}]")
    assert time.monotonic() - start < SECONDS


def test_a_deployment_may_cost_seconds_and_not_minutes() -> None:
    start = time.monotonic()
    with pytest.raises(ExpressionError, match="too costly"):
        value("[map(range(0, 10000), lambda('a', union(range(0, 10000), range(0, 10000))))]")
    assert time.monotonic() - start < 10 * SECONDS


def test_a_pattern_with_many_stars_is_quick() -> None:
    start = time.monotonic()
    assert value(f"[like(padLeft('b', 100000, 'a'), '{'*a' * 100}*c')]") is False
    assert time.monotonic() - start < SECONDS


def test_the_budget_is_one_for_all_expressions_of_a_deployment() -> None:
    evaluator = Evaluator(evaluation=Evaluation(work=1_000))
    with pytest.raises(ExpressionError, match="too costly"):
        evaluator.expand(["[range(0, 300)]"] * 10)
    nested_template = scope({}, evaluation=evaluator.evaluation)
    with pytest.raises(ExpressionError, match="too costly"):
        nested_template.evaluator.expand("[range(0, 300)]")


@pytest.mark.parametrize(
    "expression",
    [
        "'" + "x" * 25_000 + "'",
        nested("not", 70, "true()"),
        nested("not", 4_000, "true()"),
        "createObject()" + ".a" * 8_000,
        "createArray()" + "[0" * 8_000 + "]" * 8_000,
        "1" * 20_000,
        "(" * 20_000,
        "'" * 24_001,
    ],
)
def test_a_monstrous_text_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        Evaluator().string(f"[{expression}]")


def test_the_length_of_an_expression_is_arms() -> None:
    assert value("['" + "x" * (24_576 - 2) + "']") == "x" * (24_576 - 2)
    with pytest.raises(ExpressionError, match=r"length limit exceeded\. Limit: '24576' and actual: '24577'"):
        value("['" + "x" * (24_577 - 2) + "']")


def test_deep_trees_and_long_chains_of_variables_are_refused() -> None:
    tree: Any = "x"
    for _ in range(500):
        tree = [tree]
    with pytest.raises(ExpressionError, match="levels deep"):
        value(tree)
    chain = {f"v{at}": f"[variables('v{at + 1}')]" for at in range(200)}
    with pytest.raises(ExpressionError, match="levels deep"):
        value("[variables('v0')]", {"variables": {**chain, "v200": 1}})
    short = {f"v{at}": f"[variables('v{at + 1}')]" for at in range(15)}
    assert value("[variables('v0')]", {"variables": {**short, "v15": 1}}) == 1


def test_loops_in_loops_are_bounded() -> None:
    tree: Any = "x"
    for name in "abcd":
        tree = {"copy": [{"name": name, "count": 800, "input": tree}]}
    with pytest.raises(ExpressionError, match="too costly"):
        Evaluator(evaluation=Evaluation(A_TENTH)).expand(tree)


def test_a_big_value_may_be_used_often_but_not_be_copied_without_end() -> None:
    big = {"variables": {"big": [{"name": f"item{at}", "value": at} for at in range(2_000)]}}
    assert value(["[variables('big')[7].name]"] * 700, big) == ["item7"] * 700
    with pytest.raises(ExpressionError):
        value(["[variables('big')]"] * 5_000, big)


def test_a_refused_expression_leaves_the_evaluator_usable() -> None:
    evaluator = Evaluator()
    for _ in range(150):
        with pytest.raises(ExpressionError):
            evaluator.expand({"a": ["[nonsense()]"]})
    assert evaluator.expand({"a": ["[add(1, 1)]"]}) == {"a": [2]}


names = st.sampled_from([*sorted(function.name for function in BUILTINS.values()), "parameters", "variables", "resourceId", "nonsense"])
literals = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.integers(-3, 12).map(str),
    st.text(max_size=8).map(quote),
    st.sampled_from(
        ["true()", "null()", "createArray()", "'a'", "'P1D'", "'2020-01-01'", "'{0:N0}'", "'10.0.0.0/8'", "'data:,x'", "'p'", "'v'"]
    ),
)


def calls_of(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    called = st.tuples(names, st.lists(inner, max_size=4)).map(lambda pair: f"{pair[0]}({', '.join(pair[1])})")
    member = st.tuples(inner, st.sampled_from([".a", "[0]", "['a']", ".length"])).map("".join)
    looped = st.tuples(st.sampled_from(["map", "filter", "sort", "toObject", "groupBy"]), inner, inner).map(
        lambda parts: f"{parts[0]}({parts[1]}, lambda('x', {parts[2]}))"
    )
    return st.one_of(called, member, looped)


expressions = st.recursive(literals, calls_of, max_leaves=12)
trees = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=5),
        expressions.map(lambda text: f"[{text}]"),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=10,
)
SOURCE = {
    "parameters": {"p": {"type": "string", "defaultValue": "x"}, "s": {"type": "secureObject", "defaultValue": {"k": "hunter2"}}},
    "variables": {"v": [1, {"a": "[parameters('p')]"}], "a": {"a": "b"}},
    "functions": [
        {"namespace": "my", "members": {"f": {"parameters": [{"name": "x", "type": "int"}], "output": {"type": "int", "value": 1}}}}
    ],
}


def outcome(tree: Any) -> Any:
    try:
        return scope(SOURCE).evaluator.expand(tree, keep_nulls=True)
    except ExpressionError as error:
        return str(error)


@settings(deadline=None, max_examples=150)
@given(trees)
def test_any_tree_has_a_value_or_an_expression_error_and_always_the_same(tree: Any) -> None:
    first = outcome(tree)
    json.dumps(first)
    assert json.dumps(outcome(tree)) == json.dumps(first)


OF_KIND: dict[str, st.SearchStrategy[Any]] = {
    "string": st.one_of(
        st.text(max_size=12),
        st.sampled_from(["2020-02-29T01:02:03.5Z", "-P1Y2M3W4DT5H6M7.5S", "10.0.0.0/30", "fd00::/126", "http://a.b/c", "data:,x", "x,y;z"]),
        st.sampled_from(
            ["{0:N2}", "{0,5:X}", "{{{1}}}", "{0:#,##0.0#%}", "yyyy-MM-ddTHH:mm:ss.FFF zzz K", "%d", "R", "['a', {b: 1}]", "MQ=="]
        ),
    ),
    "int": st.one_of(st.integers(-3, 40), st.integers(-(2**63), 2**63 - 1)),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "null": st.none(),
}
OF_KIND["any"] = st.recursive(
    st.one_of(*OF_KIND.values()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["a", "A", "b", "scheme", "host", ""]), inner, max_size=4)
    ),
    max_leaves=6,
)
OF_KIND["array"] = st.lists(OF_KIND["any"], max_size=4)
OF_KIND["object"] = st.dictionaries(st.sampled_from(["a", "A", "b", "scheme", "host", ""]), OF_KIND["any"], max_size=4)


def of_kinds(kinds: str) -> st.SearchStrategy[Any]:
    return st.one_of(*(OF_KIND[kind] for kind in kinds.split("|")))


def arguments(function: Function) -> st.SearchStrategy[tuple[Function, list[Any]]]:
    """As many as the function takes, and of the types that it takes."""
    needed = [of_kinds(kind) for kind in function.kinds]
    few = st.tuples(*needed[: len(needed) - function.optional])
    more = st.lists(of_kinds(function.rest), max_size=3) if function.rest else st.just([])
    full = st.tuples(st.tuples(*needed), more).map(lambda parts: [*parts[0], *parts[1]])
    return st.one_of(few, full).map(lambda values: (function, list(values)))


@settings(deadline=None, max_examples=250)
@given(st.sampled_from([function for function in BUILTINS.values() if not function.lazy]).flatmap(arguments))
def test_a_function_gives_a_value_for_whatever_it_takes_or_an_expression_error(call: tuple[Function, list[Any]]) -> None:
    function, values = call
    variables = {f"v{at}": given for at, given in enumerate(values)}
    called = f"{function.name}({', '.join(f'variables({quote(name)})' for name in variables)})"
    functions = Catalog()
    functions.function("variables", "string")(lambda name: variables[name])
    try:
        made = Evaluator(functions).string(f"[{called}]")
    except ExpressionError:
        return
    assert json.loads(json.dumps(made)) == made


@settings(deadline=None, max_examples=120)
@given(st.text(alphabet="'()[],. \nab1-{}\\\"é😀:", max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        Evaluator().string(f"[{text}]")
    except ExpressionError:
        return


@given(st.text())
def test_a_quoted_string_means_itself(text: str) -> None:
    if len(quote(text)) <= 24_000 and not text.startswith("["):
        assert Evaluator().string(f"[{quote(text)}]") == text
        assert Evaluator().string(f"[first(createArray({quote(text)}))]") == text


@given(st.text(max_size=50))
def test_text_survives_its_encodings(text: str) -> None:
    for there, back in (("base64", "base64ToString"), ("uriComponent", "uriComponentToString"), ("dataUri", "dataUriToString")):
        assert Evaluator().string(f"[{back}({there}({quote(text)}))]") == text


KEYS = """
type defaultValue $ref properties items name namespace members output value copy count input nullable allowedValues minLength
discriminator a
""".split()  # noqa: SIM905
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))
loose = st.recursive(
    plain,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=12,
)
templates = st.fixed_dictionaries(
    {},
    optional={
        "parameters": st.dictionaries(st.text(max_size=3), loose, max_size=3),
        "variables": st.dictionaries(st.sampled_from(["v", "copy", "Copy"]), loose, max_size=2),
        "functions": loose,
        "definitions": loose,
    },
)


@settings(deadline=None, max_examples=120)
@given(templates, st.dictionaries(st.text(max_size=3), loose, max_size=2))
def test_any_template_is_taken_or_refused_with_an_error_of_arms(source: dict[str, Any], entries: dict[str, Any]) -> None:
    try:
        made = Scope(source, entries, AROUND)
        made.resolve()
        made.parameters.shown()
        made.evaluator.expand("[variables('v')]")
    except (ArmError, ExpressionError):
        return
