from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadme.definitions import expressions
from loadme.definitions.expressions import check, holds, references, render, render_text
from loadme.errors import ExpressionFailed

CONTEXT: dict[str, Any] = {
    "variables": {"n": 3, "f": 1.5, "text": "a b", "list": [1, 2], "none": None, "trap": "${{ 1 + 1 }}"},
    "steps": {"list-files": {"outputs": {"files": ["a", "b"]}}},
    "run": {"id": "r1", "scheduled_at": "2026-01-02T03:04:05Z", "status": "running"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        (" spaces stay ", " spaces stay "),
        ("${{ variables.n }}", 3),
        ("  ${{ variables.n }}\n", 3),
        ("${{variables.n + 1}}", 4),
        ("n=${{ variables.n }}", "n=3"),
        ("${{ variables.n }}${{ variables.text }}", "3a b"),
        ("${{ variables.list }} ${{ variables.none }} ${{ true }}", "[1,2] null true"),
        ("${{ steps['list-files'].outputs.files }}", ["a", "b"]),
        ("${{ steps.`list-files`.outputs.files[1] }}", "b"),
        ("${{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("x ${{ {'a': {'b': 1}}}} y", 'x {"a":{"b":1}} y'),
        ("${{ '}}' + \"}}\" }}", "}}}}"),
        ("${{ '''it's }}''' }}", "it's }}"),
        ("${{ r'\\d}}' }}", "\\d}}"),
        ("${{ 'a\\'}}' }}", "a'}}"),
        ("${{ '${{' }} stays", "${{ stays"),
        ("${{ 1 // a comment }}\n}}", 1),
        ("$ {{ no }} {{ no }}", "$ {{ no }} {{ no }}"),
        ("${{ timestamp(run.scheduled_at) }}", "2026-01-02T03:04:05Z"),
        ("${{ run.scheduled_at.substring(0, 10) }}", "2026-01-02"),
        ("${{ duration('90s') }} ${{ duration('1.5s') }}", "90s 1.5s"),
        ("${{ b'abc' }}", "YWJj"),
        ("${{ {1: 'x', 2: 'y'} }}", {"1": "x", "2": "y"}),
        ("${{ variables.list.map(item, item * 2) }}", [2, 4]),
        ("${{ has(variables.absent) ? 'yes' : 'no' }}", "no"),
    ],
)
def test_a_text_is_rendered(text: str, expected: Any) -> None:
    value = render(text, CONTEXT)

    assert value == expected
    assert type(value) is type(expected)


def test_the_values_of_variables_are_data_and_never_evaluated() -> None:
    assert render("${{ variables.trap }}", CONTEXT) == "${{ 1 + 1 }}"
    assert render("<${{ variables.trap }}>", CONTEXT) == "<${{ 1 + 1 }}>"


@given(st.text())
def test_any_text_without_an_opening_is_itself(text: str) -> None:
    if "${{" not in text:
        assert render(text, {}) == text


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
def test_a_value_comes_through_an_expression_unchanged(value: Any) -> None:
    result = render("${{ variables.x }}", {"variables": {"x": value}})

    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${{ variables.absent }}", "there is no `absent`"),
        ("${{ variables.list[9] }}", "no element 9 in a list of 2"),
        ("${{ variables.n + variables.f }}", "`\\+` does not work on int, double"),
        ("${{ run.nothing.substring(1) }}", "there is no `nothing`"),
        ("${{ variables.none.substring(1) }}", "`substring` does not work on null"),
        ("${{ 1 / 0 }}", "divides by zero"),
        ("${{ variables.none.message }}", "before a dot is null"),
        ("${{ 9223372036854775807 + 1 }}", "integer overflow"),
        ("${{ item }}", "`item` is not available here"),
        ("${{ int(variables.text) }}", "cannot convert string to int"),
        ("${{ 1.0 / 0.0 }}", "not a finite number"),
        ("${{ type(1) }}", "not JSON"),
        ("${{ 'a\\x00b' }}", "NUL"),
        ("${{ 1 + }}", "too early"),
    ],
)
def test_a_failure_names_the_expression_and_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ExpressionFailed, match=reason) as caught:
        render(text, CONTEXT)

    assert caught.value.expression == text.removeprefix("${{").removesuffix("}}").strip()
    assert "`" + caught.value.expression + "`" in str(caught.value)


@pytest.mark.parametrize("value", ["\ud800", ["\ud800"], {"\ud800": 1}, (1,), {1: object()}, 2**70])
def test_a_value_that_cel_cannot_hold_is_a_named_failure(value: Any) -> None:
    with pytest.raises(ExpressionFailed):
        render("${{ variables.x }}", {"variables": {"x": value}})


def test_a_condition_is_true_or_false_and_nothing_else() -> None:
    assert holds("${{ variables.n > 2 }}", CONTEXT) is True
    assert holds("${{ variables.n > 3 }}\n", CONTEXT) is False
    with pytest.raises(ExpressionFailed, match="must be true or false, this is 3"):
        holds("${{ variables.n }}", CONTEXT)


def test_a_text_that_was_never_checked_is_a_named_failure() -> None:
    with pytest.raises(ExpressionFailed, match="never closed"):
        render("${{ variables.n", CONTEXT)


def test_commands_get_text_whatever_the_type() -> None:
    assert [render_text(text, CONTEXT) for text in ("${{ variables.n }}", "${{ variables.list }}", "${{ variables.text }}")] == [
        "3",
        "[1,2]",
        "a b",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${{ 1 + }}", "column 4: it ends too early"),
        ("${{ foo }}", "`foo` is not known here"),
        ("${{ run.id + nosuch(1) }}", "no function `nosuch`"),
        ("${{ steps.a-b.outputs }}", "hyphen"),
        ("${{ 1 + \n 2 3 }}", "line 2, column 4"),
        ("${{ 'a' - 1 }}", "`-` does not work on string, int"),
        ("${{ unclosed", "never closed"),
        ("${{ }}", "empty"),
        ("${{ " + "(" * 100 + "1" + ")" * 100 + " }}", "nested too deeply"),
        ("${{ " + "1" * 5000 + " }}", "5000 characters"),
        ("${{ 'a\ud800' }}", "Unicode"),
    ],
)
def test_a_check_says_what_is_wrong_before_any_run(text: str, message: str) -> None:
    problems = check(text)

    assert len(problems) == 1
    assert message in f"{problems[0].message} {problems[0].hint}"


def test_every_expression_of_a_text_is_checked() -> None:
    assert len(check("${{ 1 + }} ${{ variables.x }} ${{ foo }}")) == 2


def test_a_check_knows_which_roots_are_there() -> None:
    assert check("${{ run.id }}", scope=["run"]) == []
    assert "`variables` is not known here" in check("${{ variables.x }}", scope=["run"])[0].message
    assert check("${{ variables.l.map(item, item + 1) }}", scope=["variables"]) == []


@pytest.mark.parametrize(
    ("text", "fine"), [("${{ run.x }}", True), ("${{ 1 > 2 }}", True), ("${{ 1 }}", False), ("1 > 2", False), ("not ${{ run.x }}", False)]
)
def test_a_condition_is_checked_to_be_one_expression_of_the_right_type(text: str, fine: bool) -> None:
    assert (check(text, condition=True) == []) is fine


def test_references_are_found_however_they_are_written() -> None:
    found = references(
        "${{ steps.a.outputs.x + steps['b-c'].outputs[\"y\"] + variables.v }} ${{ steps.`d-e` }} ${{ variables['w'].size() }}"
    )

    assert found.steps == {"a", "b-c", "d-e"}
    assert found.outputs == {("a", "x"), ("b-c", "y")}
    assert found.variables == {"v", "w"}


@pytest.mark.parametrize(
    "text",
    [
        "steps.a",
        "${{ 'steps.a' }}",
        "${{ run.steps.a }}",
        "${{ steps[variables['x'] + 'y'] }}",
        "${{ steps.size() }}",
        "${{ 1 // steps.a\n}}",
        "${{ steps",
    ],
)
def test_what_only_looks_like_a_reference_to_a_step_is_none(text: str) -> None:
    assert references(text).steps == frozenset()


@given(st.text(alphabet="${}'\"\\/ abr\n.[]`"))
def test_no_text_whatever_makes_a_check_raise(text: str) -> None:
    check(text)
    references(text)
    expressions.is_expression(text)


def test_expressions_are_found_at_any_depth() -> None:
    assert expressions.has_expression({"a": ["x", {"b": "${{ 1 }}"}]})
    assert not expressions.has_expression({"a": ["x", 1, None, "$ {{"]})
