from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loadme.definitions.variables import accept, declared_outputs, environment, json_schema, matches, overlay
from loadme.errors import Rejected
from tests.unit.definitions import steps, workflow

RUN = {"id": "r1", "scheduled_at": "2026-01-02T03:04:05Z"}
VARIABLES = {
    "region": "westeurope",
    "day": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$", "default": "${{ run.scheduled_at.substring(0, 10) }}"},
    "count": {"type": "integer", "description": "how many"},
    "tags": {"type": "array", "required": False},
    "rate": {"type": "number", "default": 1},
}


def started(
    given: dict[str, Any] | None = None, query: dict[str, str] | None = None, run: dict[str, Any] | None = None, **keys: Any
) -> dict[str, Any]:
    return accept(workflow(variables=VARIABLES, **keys), given or {}, query or {}, run or RUN)


def refusal(given: dict[str, Any] | None = None, query: dict[str, str] | None = None, run: dict[str, Any] | None = None) -> Rejected:
    with pytest.raises(Rejected) as caught:
        started(given, query, run)
    return caught.value


def test_a_start_gets_defaults_in_the_order_of_the_definition() -> None:
    found = started({"count": 3})

    assert list(found.items()) == [("region", "westeurope"), ("day", "2026-01-02"), ("count", 3), ("rate", 1.0)]


def test_the_query_is_parsed_as_declared_and_the_body_wins() -> None:
    found = started({"count": 4}, {"count": "3", "tags": '["a"]', "rate": "2", "region": "7", "code": "key", "clientId": "default"})

    assert found == {"region": "7", "day": "2026-01-02", "count": 4, "tags": ["a"], "rate": 2.0}


def test_a_value_of_the_query_that_the_body_overrides_is_not_even_parsed() -> None:
    assert started({"count": 4}, {"count": "many"})["count"] == 4


def test_numbers_take_their_declared_form() -> None:
    found = started({"count": 3.0, "rate": 2})

    assert (type(found["count"]), type(found["rate"])) == (int, float)


def test_every_wrong_variable_is_named_at_once() -> None:
    error = refusal({"regoin": "x", "day": "today", "tags": "a"}, {"rate": "fast"})

    assert error.status == 400
    assert {entry["field"]: entry["message"] for entry in error.errors} == {
        "regoin": "the workflow sample has no variable of this name",
        "day": r"does not match ^\d{4}-\d{2}-\d{2}$",
        "tags": "must be a list, not 'a'",
        "rate": "must be a number, not 'fast'",
        "count": "is required and was not given",
    }
    assert next(entry["hint"] for entry in error.errors if entry["field"] == "regoin") == "did you mean `region`?"
    assert next(entry["hint"] for entry in error.errors if entry["field"] == "count") == "expected: integer (how many)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": True}, "must be a whole number, not true"),
        ({"count": 2**63}, "64 bits"),
        ({"count": 1, "rate": float("inf")}, "finite"),
        ({"count": 1, "region": "a\0b"}, "NUL"),
        ({"count": 1, "region": "\ud800"}, "surrogate"),
        ({"count": 1, "Region": "x"}, "no variable of this name"),
        ({"count": 1, "day": "2026-01-02\n"}, "does not match"),
    ],
)
def test_a_bad_value_is_refused_with_its_reason(given: dict[str, Any], message: str) -> None:
    error = refusal(given)

    assert len(error.errors) == 1
    assert message in error.errors[0]["message"]


def test_a_wrong_query_parameter_is_named_once() -> None:
    assert [entry["field"] for entry in refusal({}, {"count": "x"}).errors] == ["count"]


def test_a_default_that_cannot_be_computed_names_its_variable() -> None:
    error = refusal({"count": 1}, run={"scheduled_at": "soon"})

    assert [entry["field"] for entry in error.errors] == ["day"]
    assert "its default cannot be computed" in error.errors[0]["message"]


def test_a_default_that_does_not_fit_this_run_names_its_variable() -> None:
    error = refusal({"count": 1}, run={"scheduled_at": "2026/01/02 noon"})

    assert "its default is wrong for this run: does not match" in error.errors[0]["message"]


def test_a_given_value_is_data_even_when_it_looks_like_an_expression() -> None:
    assert started({"count": 1, "region": "${{ run.id }}"})["region"] == "${{ run.id }}"


def test_variables_over_a_megabyte_are_refused() -> None:
    error = refusal({"count": 1, "region": "x" * 1_000_000})

    assert error.status == 413


def test_too_many_variables_are_refused_before_any_is_looked_at() -> None:
    assert refusal({f"v{n}": 1 for n in range(501)}).title == "Too many variables"
    with pytest.raises(Rejected, match="501 were given") as caught:
        outputs_of({f"v{n}": 1 for n in range(501)})
    assert caught.value.status == 422


def test_a_refusal_can_be_sent_whatever_the_caller_called_a_variable() -> None:
    error = refusal({"count": 1, "\ud800": 1, "x" * 10_000: 1})

    assert msgspec.json.encode({"detail": error.detail, "errors": error.errors})


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [("b", "abc", True), ("^b$", "abc", False), ("^b$", "b\n", False), (r"a\$", "a$", True), ("^(a|b)$", "b", True), ("a", 3, False)],
)
def test_a_pattern_is_searched_with_its_own_anchors(pattern: str, value: Any, expected: bool) -> None:
    assert matches(pattern, value) is expected


def test_a_step_sees_the_run_overlaid_by_its_ancestors_in_topological_order() -> None:
    diamond = workflow(steps=steps({"join": ["b", "a"], "b": ["start"], "a": ["start"], "start": [], "aside": []}))
    outputs = {name: {"who": name, name: 1} for name in ("aside", "join", "start", "a", "b")}

    assert overlay(diamond, {"who": "run", "kept": True}, outputs, "join") == {"who": "a", "kept": True, "start": 1, "b": 1, "a": 1}
    assert overlay(diamond, {"who": "run"}, {}, "join") == {"who": "run"}


def test_an_output_that_differs_only_in_case_replaces_the_variable() -> None:
    chain = workflow(steps=steps({"a": [], "b": ["a"]}))

    assert overlay(chain, {"region": "x"}, {"a": {"REGION": "y"}}, "b") == {"region": "y"}


def test_the_environment_has_text_as_it_is_and_everything_else_as_json() -> None:
    variables = {
        "text": "a b",
        "n": 3,
        "f": 1.0,
        "none": None,
        "list": [1, "x"],
        "flag": True,
        "umlaut": "ü",
        "large": "x" * 32_769,
        "fits": "x" * 32_768,
    }

    found = environment(variables, "P_")

    assert found.pop("P_FITS") == "x" * 32_768
    assert found == {"P_TEXT": "a b", "P_N": "3", "P_F": "1.0", "P_NONE": "null", "P_LIST": '[1,"x"]', "P_FLAG": "true", "P_UMLAUT": "ü"}


def test_the_schema_says_what_a_start_may_give() -> None:
    schema = json_schema(workflow(variables=VARIABLES))

    assert schema["required"] == ["count"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["region"] == {"type": "string", "default": "westeurope"}
    assert schema["properties"]["day"] == {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}


def outputs_of(raw: dict[str, Any], **declared: Any) -> dict[str, Any]:
    return declared_outputs(workflow(steps={"a": {"image": "i", "outputs": declared}}).steps["a"], raw)


def test_outputs_lose_their_prefix_and_take_their_declared_name_and_type() -> None:
    found = outputs_of(
        {"___ROWS": "3", "Files": '["a"]', "rate": 2, "text": "7", "Extra": "7"},
        rows="integer",
        files="array",
        rate="number",
        text="string",
    )

    assert found == {"rows": 3, "files": ["a"], "rate": 2.0, "text": "7", "Extra": "7"}
    assert type(found["rate"]) is float


def test_an_output_may_come_twice_only_with_one_value() -> None:
    assert outputs_of({"rows": 3, "___ROWS": "3"}, rows="integer") == {"rows": 3}
    with pytest.raises(Rejected, match="given twice"):
        outputs_of({"rows": 3, "___ROWS": 4}, rows="integer")


def test_every_wrong_output_is_named() -> None:
    with pytest.raises(Rejected) as caught:
        outputs_of({"rows": "many", "bad-name": 1, "LOADME_X": 1, "___": 1}, rows="integer", files="array", note={"required": False})

    assert caught.value.status == 422
    assert [entry["field"] for entry in caught.value.errors] == ["rows", "bad-name", "LOADME_X", "___", "files"]
    assert caught.value.errors[-1]["message"] == "is declared and was not given"


def test_an_output_that_was_misspelt_is_named() -> None:
    with pytest.raises(Rejected) as caught:
        outputs_of({"___ROW": 3, "other": 1}, rows="integer", files="array")

    assert caught.value.detail == "rows: is declared and was not given: you gave `ROW`; files: is declared and was not given"
    assert caught.value.errors[0]["hint"] == "rename one of the two, so that both say `rows`"


def test_of_a_log_only_declared_outputs_are_taken_and_the_rest_is_dropped_silently() -> None:
    step = workflow(steps={"a": {"image": "i", "outputs": {"rows": "integer"}}}).steps["a"]
    noise = {f"n{index}": index for index in range(1000)}

    assert declared_outputs(step, {"___ROWS": "3", "bad-name": 1, "zzz": 1, **noise}, only_declared=True) == {"rows": 3}
    with pytest.raises(Rejected, match="you gave `row`"):
        declared_outputs(step, {"row": 3}, only_declared=True)
    with pytest.raises(Rejected, match="whole number"):
        declared_outputs(step, {"rows": "three", "extra": 1}, only_declared=True)


def test_outputs_over_a_megabyte_are_refused() -> None:
    with pytest.raises(Rejected) as caught:
        outputs_of({"x": "x" * 1_000_000})

    assert caught.value.status == 413
