"""The messages themselves are in broken_workflows/expected.txt; this is what they cannot show."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadme.definitions.doubts import doubts
from loadme.definitions.kinds import NAMED
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


SPEC = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Resources/templateSpecs/group/versions/1.0"


@pytest.mark.parametrize(
    ("keys", "fine", "not_fine"),
    [
        ("retry.attempts", [1, 100], [0, 101, -1]),
        ("retry.factor", [1, 1.5, 100], [0.99, 101]),
        ("retry.infrastructure", [0, 1000], [-1, 1001]),
        ("retry.capacity", [0, 1000], [-1, 1001]),
        ("retry.delay", ["1s", "10m"], ["0s", "601s", "1"]),
        ("retry.max_delay", ["30s", "7d"], ["29s", "soon"]),
        (
            "retry.on",
            [["failed"], ["my-kind_2"], ["k" * 40], list(NAMED)],
            [[], ["k" * 41], ["2"], ["Mine"], ["failed", "failed"], ["time_out"]],
        ),
        ("heartbeat", ["10s", "3599s"], ["9s", "1h", "0s"]),
        ("locations", [["westeurope"], ["eastus2", "uksouth"], []], [["West Europe"], ["westeurope", "westeurope"], ["2us"]]),
        ("callback", ["token", "url"], ["URL"]),
        ("template", [SPEC, SPEC.upper(), {"spec": SPEC, "parameters": {"zone": 1}}], [SPEC.removesuffix("/1.0"), "group", {"spec": ""}]),
        (
            "template.parameters",
            [{"a": [1], "b": None, "c": "${{ run.id }}"}],
            [{"cpu": 1}, {"containerName": "x"}, {"a": ["${{ run.id }}"]}],
        ),
    ],
)
@pytest.mark.parametrize("place", ["step", "defaults"])
def test_what_concerns_attempts_has_limits_wherever_it_stands(keys: str, fine: list[Any], not_fine: list[Any], place: str) -> None:
    def found(value: Any) -> list[str]:
        key, _, inner = keys.partition(".")
        whole = {key: {"spec": SPEC, inner: value} if key == "template" else {inner: value}} if inner else {key: value}
        given = {"steps": {"a": {"image": "i", **whole}}} if place == "step" else {"defaults": whole}
        return paths(**given)

    root = "steps.a" if place == "step" else "defaults"
    assert [found(value) for value in fine] == [[] for _ in fine]
    assert all(path.startswith(f"{root}.{keys.partition('.')[0]}") for value in not_fine for path in found(value))
    assert all(len(found(value)) == 1 for value in not_fine)


def test_a_heartbeat_is_held_against_the_timeout_that_holds_for_the_step() -> None:
    given: dict[str, Any] = {"a": {"image": "i", "timeout": "30s"}, "b": {"image": "i", "heartbeat": "2h"}, "c": {"image": "i"}}

    assert paths(defaults={"heartbeat": "1m"}, steps=given) == ["steps.a.timeout", "steps.b.heartbeat"]
    assert paths(defaults={"heartbeat": "1h"}, steps=given) == ["defaults.heartbeat"]


def test_a_step_s_retry_takes_the_place_of_the_default_as_a_whole() -> None:
    parsed = workflow(
        defaults={"retry": {"attempts": 9, "delay": "1s"}}, steps={"a": {"image": "i", "retry": {"attempts": 2}}, "b": {"image": "i"}}
    )

    assert [parsed.retry(step).attempts for step in parsed.steps.values()] == [2, 9]
    assert [parsed.retry(step).delay for step in parsed.steps.values()] == ["30s", "1s"]


def test_expressions_of_template_parameters_see_what_the_step_sees() -> None:
    found = steps({"first": [], "last": ["first"]})
    found["first"]["outputs"] = {"x": "string"}
    for step, text in (("last", "${{ steps.first.outputs.x }}"), ("first", "${{ variables.x }}")):
        found[step]["template"] = {"spec": SPEC, "parameters": {"zone": text, "if": "${{ run.id }}"}}

    assert paths(steps=found) == ["steps.first.template.parameters.zone"]


def test_an_environment_variable_that_is_called_if_is_no_condition() -> None:
    assert paths(steps={"a": {"image": "i", "env": {"if": "${{ run.id }} or not"}}}) == []


def test_a_heartbeat_that_a_container_with_a_callback_url_hardly_sends_is_doubted() -> None:
    given = {"a": {"image": "i", "callback": "url"}, "b": {"image": "i"}}

    assert [problem.path for problem in doubts(workflow(defaults={"heartbeat": "1m"}, steps=given))] == ["steps.a.heartbeat"]
    assert list(doubts(workflow(steps=given))) == []


def test_a_default_secret_is_not_replaced_by_env_in_silence() -> None:
    secrets = {"SAS": "keyvault://contoso/sas"}
    assert paths(defaults={"secrets": secrets}, steps={"a": {"image": "i", "env": {"SAS": "x"}}}) == ["steps.a.env.SAS"]
    assert paths(defaults={"env": {"SAS": "x"}}, steps={"a": {"image": "i", "secrets": secrets}}) == []


def test_spot_where_azure_had_none_is_doubted_unless_it_is_a_later_place() -> None:
    def doubted(*locations: str) -> list[str]:
        given = {"a": {"image": "i", "priority": "spot", "locations": list(locations)}}
        return [problem.path for problem in doubts(workflow(steps=given))]

    assert doubted("northeurope", "westeurope") == ["steps.a.priority"]
    assert doubted("westeurope", "northeurope") == doubted() == []


@pytest.mark.parametrize(
    "image",
    [
        "a",
        "a:1",
        "localhost:5000/a/b:1.2-x_y",
        "Contoso.azurecr.io/a__b/c--d.e:V1",
        f"docker.io/library/a@sha256:{'0' * 64}",
        "a:${{ run.id }}",
    ],
)
def test_an_image_may_be_named_in_every_way_that_docker_knows(image: str) -> None:
    assert paths(steps={"a": {"image": image}}) == []


@pytest.mark.parametrize("mount", ["/data", "/data/", "/data/more", "/etc/ssl-certs_1.2"])
def test_a_mount_is_an_absolute_path(mount: str) -> None:
    assert paths(steps={"a": {"image": "i", "volumes": {"scratch": {"mount": mount, "empty": True}}}}) == []


@pytest.mark.parametrize("mount", ["", "/", "data", "//data", "/data//more", "/a/../b", "/./a", "/a:b", "/a\nb", "/data//"])
def test_a_mount_that_is_none_is_refused(mount: str) -> None:
    assert paths(steps={"a": {"image": "i", "volumes": {"scratch": {"mount": mount, "empty": True}}}}) == ["steps.a.volumes.scratch.mount"]


def test_an_expression_whose_type_only_a_run_can_tell_may_give_items_or_a_duration() -> None:
    given = {
        "a": {"image": "i", "for_each": "${{ variables.x }}"},
        "b": {"image": "i", "for_each": "${{ {'a': 1} }}"},
        "c": {"sleep": "${{ variables.x }}"},
        "d": {"sleep": "${{ variables.x }}m"},
        "e": {"sleep": {"until": "${{ timestamp(run.created_at) }}"}},
        "f": {"sleep": "${{ duration('90s') }}"},
    }
    assert paths(variables={"x": "1"}, steps=given) == []


@pytest.mark.parametrize(
    "kind", ["timeout", "Timed_out", "time-out", "exit-code", "heart_beat", "infrastucture", "capcity", "fail", "error"]
)
def test_a_kind_that_is_almost_a_known_one_is_a_slip(kind: str) -> None:
    [problem] = parse(document(defaults={"retry": {"on": [kind]}}))[1]

    assert problem.hint.startswith("did you mean `")


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


@pytest.mark.parametrize(
    ("text", "is_doubted"),
    [
        ("variables.x", True),
        ("steps.b.outputs.rows", True),
        ("steps['b-c'].status", True),
        ("run.id", True),
        ("${{ run.id }}", False),
        ("run.py", False),
        ("see variables.x", False),
    ],
)
def test_a_text_that_looks_like_an_expression_is_doubted(text: str, is_doubted: bool) -> None:
    given = workflow(variables={"x": "1"}, steps={"a": {"image": "i", "env": {"WHICH": text}}})

    assert [problem.path for problem in doubts(given)] == ["steps.a.env.WHICH"] * is_doubted


@pytest.mark.parametrize(("default", "is_doubted"), [("integer", True), ({"type": "integer"}, False), ("westeurope", False)])
def test_a_type_as_the_default_of_a_variable_is_doubted(default: object, is_doubted: bool) -> None:
    given = workflow(variables={"total": default}, steps={"a": {"image": "i"}})

    assert [problem.path for problem in doubts(given)] == ["variables.total"] * is_doubted


@pytest.mark.parametrize(
    ("text", "condition", "is_doubted"),
    [
        ("${{ run.error.message }}", None, True),
        ("${{ run.error == null ? '' : run.error.message }}", None, False),
        ("${{ run.error.message }}", "${{ run.status == 'failed' }}", False),
        ("${{ run.status }}", None, False),
    ],
)
def test_an_error_that_finally_reads_without_asking_for_it_is_doubted(text: str, condition: str | None, is_doubted: bool) -> None:
    tell = {"image": "i", "env": {"WHY": text}} | ({"if": condition} if condition else {})
    given = workflow(steps={"a": {"image": "i"}}, **{"finally": {"tell": tell}})

    assert [problem.path for problem in doubts(given)] == ["finally.tell.env.WHY"] * is_doubted


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
            st.text(max_size=3)
            | st.sampled_from(
                [
                    "image",
                    "needs",
                    "env",
                    "outputs",
                    "default",
                    "cron",
                    "type",
                    "retry",
                    "on",
                    "heartbeat",
                    "locations",
                    "template",
                    "parameters",
                    "wait",
                    "sleep",
                    "workflow",
                    "for_each",
                    "max_parallel",
                    "tolerate",
                    "catch",
                    "step",
                    "volumes",
                    "init",
                    "sidecars",
                    "secrets",
                    "timezone",
                    "group",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)
parts = st.dictionaries(
    st.sampled_from(
        ["name", "version", "steps", "variables", "schedules", "defaults", "finally", "outputs", "concurrency", "timeout", "x"]
    ),
    json_like,
)


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
