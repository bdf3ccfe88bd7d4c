"""The messages themselves are in broken_workflows/expected.txt; this is what they cannot show."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadme.definitions.scopes import doubts
from loadme.definitions.validation import parse
from tests.unit.definitions import document, steps, workflow


def paths(**keys: Any) -> list[str]:
    return [problem.path for problem in parse(document(**keys))[1]]


@pytest.mark.parametrize(
    ("keys", "fine", "not_fine"),
    [
        ("steps", {f"s{n}": {"image": "i"} for n in range(500)}, {f"s{n}": {"image": "i"} for n in range(501)}),
        ("variables", {f"v{n}": 1 for n in range(200)}, {f"v{n}": 1 for n in range(201)}),
        ("schedules", [{"cron": "0 0 0 * * *"}] * 20, [{"cron": "0 0 0 * * *"}] * 21),
        ("name", "n" * 60, "n" * 61),
    ],
)
def test_counts_and_names_are_limited(keys: str, fine: Any, not_fine: Any) -> None:
    assert paths(**{keys: fine}) == []
    assert paths(**{keys: not_fine}) == [keys]


def test_lengths_of_names_are_limited() -> None:
    assert paths(steps={"s" * 28: {"image": "i", "outputs": {"o" * 60: "string"}, "env": {"E" * 63: "x"}}}, variables={"v" * 60: 1}) == []
    assert (
        len(paths(steps={"s" * 29: {"image": "i", "outputs": {"o" * 61: "string"}, "env": {"E" * 64: "x"}}}, variables={"v" * 61: 1})) == 4
    )


def test_the_prefix_of_the_app_is_kept_for_variables() -> None:
    keys = document(steps={"a": {"image": "i", "env": {"PIPE_X": "1"}}})

    assert parse(keys)[1] == []
    assert [problem.path for problem in parse(keys, prefix="PIPE_")[1]] == ["steps.a.env.PIPE_X"]


def test_what_follows_from_a_wrong_type_is_not_told_twice() -> None:
    broken = {
        "a": {"image": 3, "timeout": 5, "outputs": {"n": "int"}},
        "b": {"image": "i", "needs": ["a"], "command": ["${{ variables.n }}"]},
    }

    assert paths(steps=broken) == ["steps.a.image", "steps.a.timeout", "steps.a.outputs.n"]


@pytest.mark.parametrize("text", ["${{ variables.late }}", "${{ steps.last.outputs.late }}", "${{ steps.middle.outputs.x }}"])
def test_a_step_cannot_use_what_comes_later_or_beside_it(text: str) -> None:
    found = steps({"first": [], "middle": ["first"], "last": ["middle"]})
    found["last"]["outputs"] = {"late": "string"}
    found["first"]["command"] = [text]

    assert paths(steps=found) == ["steps.first.command[0]"]


def test_a_step_can_use_what_its_ancestors_give_however_far_away() -> None:
    found = steps({"first": [], "middle": ["first"], "last": ["middle"]})
    found["first"]["outputs"] = {"x": "string"}
    found["last"]["command"] = ["${{ variables.x }}", "${{ steps.first.outputs.x }}"]

    assert paths(steps=found) == []


def test_steps_one_after_the_other_may_give_one_output_two_types() -> None:
    found = steps({"first": [], "middle": ["first"], "last": ["middle"], "beside": ["first"]})
    found["first"]["outputs"] = {"x": "string"}
    found["last"]["outputs"] = {"x": "number"}
    assert paths(steps=found) == []

    found["beside"]["outputs"] = {"x": {"type": "number"}}
    assert paths(steps=found) == []

    found["beside"]["outputs"] = {"x": "string"}
    assert paths(steps=found) == ["steps.beside.outputs.x"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("${ variables.x }", "${ variables.x }"),
        ("say ${steps['a'].outputs.n} now", "${steps['a'].outputs.n}"),
        ("${run.id", "${run.id"),
        ("${{ variables.x }}", None),
        ("${{ '${ variables.x }' }}", None),
        ("${VARIABLES} ${variables} ${x.y} $variables.x", None),
    ],
)
def test_one_brace_is_doubted_and_not_refused(text: str, found: str | None) -> None:
    doubted = list(doubts(workflow(variables={"x": "1"}, steps={"a": {"image": "i", "command": ["sh", text]}})))

    assert [problem.path for problem in doubted] == ([] if found is None else ["steps.a.command[1]"])
    assert found is None or f"`{found}` is no expression" in doubted[0].message


def test_a_variable_takes_its_default_type_unless_it_is_computed() -> None:
    parsed = workflow(
        variables={
            "s": "x",
            "i": 1,
            "n": 1.5,
            "b": True,
            "l": [1],
            "o": {"default": {"k": 1}},
            "e": "${{ run.id }}",
            "p": {"pattern": "x"},
            "any": {},
        }
    )

    assert [variable.type for variable in parsed.variables.values()] == [
        "string",
        "integer",
        "number",
        "boolean",
        "array",
        "object",
        None,
        "string",
        None,
    ]


def test_a_problem_without_a_hint_is_sent_without_one() -> None:
    found = [problem.as_error() for problem in parse(document(steps={"A": {"image": "i"}}, version=1, stpes=1))[1]]

    assert [error.keys() for error in found] == [{"field", "message", "hint"}, {"field", "message"}]


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["${{ steps.a }}", "${{", "1h", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=3) | st.sampled_from(["image", "needs", "env", "outputs", "default", "cron", "type"]), inner, max_size=3
        )
    ),
    max_leaves=10,
)
parts = st.dictionaries(st.sampled_from(["name", "version", "steps", "variables", "schedules", "defaults", "x"]), json_like)


@given(parts, st.dictionaries(st.sampled_from("ab"), json_like))
def test_no_document_whatever_makes_the_validation_raise(keys: dict[str, Any], more: dict[str, Any]) -> None:
    parsed, problems = parse(document(**{"steps": more, **keys}))

    assert (parsed is None) == bool(problems)


def test_a_large_workflow_is_checked_in_reasonable_time() -> None:
    names = [f"s{index}" for index in range(500)]
    chain = {name: names[max(0, index - 3) : index] for index, name in enumerate(names)}
    begun = time.process_time()

    workflow(steps=steps(chain, command=["${{ variables.x }}"]), variables={"x": 1})

    assert time.process_time() - begun < 5
