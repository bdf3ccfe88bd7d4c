"""What the rules say about steps, runs and schedules beyond images: where the limits are, and what is fine."""

from __future__ import annotations

from typing import Any

import pytest

from loadme.definitions.definition import Workflow
from loadme.definitions.doubts import doubts
from loadme.definitions.idle_rules import LONGEST
from loadme.definitions.map_rules import MOST_ITEMS
from loadme.definitions.validation import parse
from loadme.handlers import expand, idle
from tests.unit.definitions import document, workflow

SPOT = {"image": "i", "priority": "spot"}
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/work"
REGISTRY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/contoso"
SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s"


def found(**keys: Any) -> list[str]:
    return [problem.path for problem in parse(document(**keys))[1]]


def of_step(step: dict[str, Any], **others: Any) -> list[str]:
    """Where something is wrong with a step, as seen from it."""
    return [path.removeprefix("steps.a").lstrip(".") for path in found(steps={"a": step, "b": {"image": "i"}, **others})]


def container(**keys: Any) -> dict[str, Any]:
    return {"image": "i", **keys}


def volume(**content: Any) -> dict[str, Any]:
    return container(volumes={"volume": {"mount": "/data", **content}})


SHARE = {"account": "contoso", "share": "reports", "key": "keyvault://contoso/key"}


@pytest.mark.parametrize(
    ("fine", "not_fine", "where"),
    [
        # for_each
        ([1, 100], [0, 101, -1], lambda n: (container(for_each=[1], max_parallel=n), "max_parallel")),
        (
            [0, 10_000, "0%", "100%", "5%"],
            [-1, 10_001, "101%", "5", "%", "-1%", "5 %"],
            lambda n: (container(for_each=[1], tolerate=n), "tolerate"),
        ),
        (
            [[], {}, [1, "x"], {"k": 1}, "${{ [1] }}", " ${{ [1] }}\n", ["${{ run.id }}"]],
            ["x", "", "a ${{ [1] }}"],
            lambda v: (container(for_each=v), "for_each"),
        ),
        ([list(range(MOST_ITEMS))], [list(range(MOST_ITEMS + 1))], lambda v: (container(for_each=v), "for_each")),
        # wait and sleep
        (["1s", "2d", "3660d"], ["", "1", "3661d", "0s"], lambda v: ({"wait": {"timeout": v}}, "wait.timeout")),
        (["x", "x" * 200], ["", " ", "x" * 201, "${{ run.id }}"], lambda v: ({"wait": {"assignee": v}}, "wait.assignee")),
        (["1s", "${{ '10m' }}", "3660d"], ["", "1 hour", "3661d"], lambda v: ({"sleep": v}, "sleep")),
        (["1s", "${{ '10m' }}"], ["", "1 hour"], lambda v: ({"sleep": {"for": v}}, "sleep.for")),
        (
            ["2026-11-22T02:30:00Z", "2026-11-22T02:30Z", "2026-11-22T02:30:00.5+01:00", "${{ run.created_at }}"],
            ["2026-11-22", "2026-11-22T02:30:00", "2026-11-31T02:30:00Z", "02:30Z", ""],
            lambda v: ({"sleep": {"until": v}}, "sleep.until"),
        ),
        # secrets and places
        (
            ["keyvault://contoso/a", "keyvault://contoso/a/0123456789abcdef0123456789abcdef"],
            ["a", "keyvault://contoso", "https://contoso/a", "keyvault://${{ run.id }}/a"],
            lambda v: (container(secrets={"S": v}), "secrets.S"),
        ),
        (
            [IDENTITY, IDENTITY.upper(), IDENTITY + "/"],
            ["work", SUBNET, IDENTITY + "/x/y", "${{ run.id }}"],
            lambda v: (container(identity=v), "identity"),
        ),
        ([REGISTRY, REGISTRY.upper()], ["contoso.azurecr.io", IDENTITY], lambda v: (container(registry=v), "registry")),
        ([SUBNET, SUBNET.upper()], ["s", IDENTITY, SUBNET.removesuffix("/subnets/s")], lambda v: (container(subnet=v), "subnet")),
        # the container group
        ([1, 31], [0.5, 31.5, 0], lambda v: (container(cpu=v), "cpu")),
        ([1, 240], [0.5, 241], lambda v: (container(memory=v), "memory")),
        ([1, 4], [4.5], lambda v: ({**SPOT, "cpu": v}, "cpu")),
        ([1, 16], [16.5], lambda v: ({**SPOT, "memory": v}, "memory")),
        ([0.5, 1, 30], [0.4, 30.6], lambda v: (container(cpu=0.5, sidecars={"s": {"image": "i", "cpu": v}}), "sidecars")),
        ([0.5, 1, 239], [0.4, 239.6], lambda v: (container(memory=0.5, sidecars={"s": {"image": "i", "memory": v}}), "sidecars")),
        (
            ["/data", "/a/b", "/data/"],
            ["", "/", "data", "/a:b", "/a/../b", "${{ run.id }}"],
            lambda v: (volume(mount=v, empty=True), "volumes.volume.mount"),
        ),
        (
            ["abc", "a" * 24],
            ["ab", "A", "a" * 25, "a-b"],
            lambda v: (volume(files={**SHARE, "account": v}), "volumes.volume.files.account"),
        ),
        (["abc", "a-b"], ["ab", "A", "a--b", "a" * 64], lambda v: (volume(files={**SHARE, "share": v}), "volumes.volume.files.share")),
        ([{"a.pem": "keyvault://contoso/a"}], [{}], lambda v: (volume(secret=v), "volumes.volume.secret")),
        (
            [{f"volume-{n}": {"mount": f"/{n}", "empty": True} for n in range(20)}],
            [{f"volume-{n}": {"mount": f"/{n}", "empty": True} for n in range(21)}],
            lambda v: (container(volumes=v), "volumes"),
        ),
        (
            [{f"s{n}": {"image": "i"} for n in range(59)}],
            [{f"s{n}": {"image": "i"} for n in range(60)}],
            lambda v: (container(sidecars=v), "sidecars"),
        ),
        # catch
        (
            [["failed"], ["refused"], ["expression"], ["outputs"], ["my-kind"], []],
            [["cancelled"], ["poison"], ["quota"], ["timeout"]],
            lambda v: (container(catch=[{"on": v, "step": "b"}]), "catch[0].on[0]"),
        ),
        (
            [{"n": 1}],
            [{"n": "x"}, {"n": "${{ 1 }}"}],
            lambda v: (container(outputs={"n": "integer"}, catch=[{"outputs": v}]), "catch[0].outputs.n"),
        ),
    ],
)
def test_a_key_has_its_limits(fine: list[Any], not_fine: list[Any], where: Any) -> None:
    for value in fine:
        assert of_step(where(value)[0]) == [], value
    for value in not_fine:
        step, path = where(value)
        told = of_step(step)
        assert told, value
        assert all(one == path or one == path.rpartition(".")[0] for one in told), (value, told)


@pytest.mark.parametrize(
    ("keys", "fine", "not_fine"),
    [
        ("max_parallel", [1, 1000], [0, 1001]),
        ("timeout", ["1s", "7d"], ["", "1 h"]),
        (
            "concurrency.group",
            ["x", "${{ variables.v }}-${{ run.workflow }}", "x" * 500],
            ["", " ", "x" * 501, "${{ steps.a.status }}", "${{ item }}"],
        ),
        ("outputs", [{}, {"a": 1, "b": {"c": ["${{ run.id }}"]}}], [{"1a": 1}, {"a": "${{ variables.nobody }}"}, {"LOADME_X": 1}]),
    ],
)
def test_a_key_of_the_run_as_a_whole_has_its_limits(keys: str, fine: list[Any], not_fine: list[Any]) -> None:
    key, _, inner = keys.partition(".")
    for value in fine:
        assert found(variables={"v": "1"}, **{key: {inner: value} if inner else value}) == [], value
    for value in not_fine:
        told = found(variables={"v": "1"}, **{key: {inner: value} if inner else value})
        assert told, value
        assert all(path.startswith(keys) for path in told)


@pytest.mark.parametrize(
    ("zone", "is_known"),
    [("UTC", True), ("Europe/Vienna", True), ("America/New_York", True), ("Vienna", False), ("", False), ("/etc/passwd", False)],
)
def test_a_time_zone_is_one_that_there_is(zone: str, is_known: bool) -> None:
    assert found(schedules=[{"cron": "0 0 0 * * *", "timezone": zone}]) == ([] if is_known else ["schedules[0].timezone"])


def test_the_engine_has_the_limits_that_the_rules_have() -> None:
    assert LONGEST == idle.LONGEST
    assert MOST_ITEMS == expand.MOST_ITEMS


def steps_and_last(steps: dict[str, Any], last: dict[str, Any]) -> list[str]:
    return found(steps=steps, **{"finally": last})


def test_finally_reads_all_other_steps_and_how_they_ended() -> None:
    texts = ["${{ steps.a.outputs.x }}", "${{ variables.x }}", "${{ run.status }}", "${{ run.error == null ? '' : run.error.kind }}"]

    assert steps_and_last({"a": {"image": "i", "outputs": {"x": "string"}}}, {"z": {"image": "i", "command": texts}}) == []


@pytest.mark.parametrize("text", ["${{ run.status }}", "${{ run.error.message }}", "${{ run['status'] }}", "${{ run.nothing }}"])
def test_how_the_run_ended_is_known_in_finally_alone(text: str) -> None:
    assert of_step(container(command=[text])) == ["command[0]"]
    assert found(defaults={"env": {"A": text}}) == ["defaults.env.A"]
    assert found(outputs={"a": text}) == ["outputs.a"]
    assert found(variables={"a": text}) == ["variables.a.default"]


def test_steps_and_finally_do_not_need_each_other() -> None:
    one = {"image": "i"}

    assert steps_and_last({"a": one}, {"y": one, "z": {**one, "needs": ["y"]}}) == []
    assert steps_and_last({"a": {**one, "needs": ["z"]}}, {"z": one}) == ["steps.a.needs[0]"]
    assert steps_and_last({"a": one}, {"z": {**one, "needs": ["a"]}}) == ["finally.z.needs[0]"]
    assert steps_and_last({"a": {**one, "catch": [{"step": "z"}]}}, {"z": one}) == ["steps.a.catch[0].step"]
    assert steps_and_last({"a": one}, {"a": one}) == ["finally.a"]


def test_the_steps_of_finally_count_with_the_others() -> None:
    many = {f"s{n}": {"image": "i"} for n in range(499)}

    assert steps_and_last(many, {"z": {"image": "i"}}) == []
    assert steps_and_last(many, {"y": {"image": "i"}, "z": {"image": "i"}}) == ["steps"]


@pytest.mark.parametrize("place", ["command", "env", "variables", "init", "sidecars", "template"])
def test_an_item_is_seen_by_all_that_is_done_for_it(place: str) -> None:
    def step(text: str) -> dict[str, Any]:
        spec = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Resources/templateSpecs/t/versions/1"
        given: dict[str, Any] = {
            "command": container(command=[text]),
            "env": container(env={"A": text}),
            "variables": {"workflow": "w", "variables": {"a": {"deep": [text]}}},
            "init": container(init={"x": {"image": "i", "command": [text]}}),
            "sidecars": container(sidecars={"x": {"image": text}}),
            "template": container(template={"spec": spec, "parameters": {"a": text}}),
        }[place]
        return given

    assert of_step({**step("${{ item }}-${{ index }}"), "for_each": [1]}) == []
    assert len(of_step(step("${{ item }}"))) == 1
    assert len(of_step({**step("${{ index }}"), "for_each": [1], "if": "${{ item > 1 }}"})) == 1


def test_the_outputs_of_a_map_are_lists_at_the_step_and_no_variables() -> None:
    one = container(for_each=[1], outputs={"rows": "integer"})

    assert of_step(one, z=container(needs=["a"], command=["${{ steps.a.outputs.rows[0] }}", "${{ steps.a.items[0].status }}"])) == []
    assert of_step(one, z=container(needs=["a"], command=["${{ variables.rows }}"])) == ["steps.z.command[0]"]
    assert of_step(container(), z=container(needs=["a"], command=["${{ steps.a.items }}"])) == ["steps.z.command[0]"]
    assert of_step(one, z=container(outputs={"rows": "string"})) == []


def test_a_subnet_is_in_one_location_wherever_either_of_them_stands() -> None:
    assert found(defaults={"subnet": SUBNET}, steps={"a": container(locations=["westeurope"])}) == []
    assert found(defaults={"subnet": SUBNET}, steps={"a": container(locations=["westeurope", "northeurope"])}) == ["steps.a"]
    assert found(defaults={"subnet": SUBNET}, steps={"a": {"sleep": "1m"}}) == []


@pytest.mark.parametrize(
    ("needs", "is_fine"),
    [
        (["b", "c"], False),
        ({"b": ["succeeded"], "c": ["succeeded", "failed"]}, False),
        ({"b": ["succeeded", "failed"], "c": ["succeeded"]}, True),
        ({"b": ["succeeded"], "c": ["skipped"]}, True),
        (["c"], True),
        (["b"], True),
    ],
)
def test_a_step_that_needs_a_failure_and_a_success_at_once_never_runs(needs: Any, is_fine: bool) -> None:
    given = {"b": container(catch=[{"step": "c"}]), "c": container()}

    assert of_step(container(needs=needs), **given) == ([] if is_fine else ["needs"])


def test_an_answer_that_is_given_for_somebody_is_one_that_the_step_declares() -> None:
    declared = {"outputs": {"approved": "boolean", "note": {"type": "string", "required": False}}}

    assert of_step({"wait": {"timeout": "1d", "default": {"approved": False}}, **declared}) == []
    assert of_step({"wait": {"timeout": "1d", "default": {}}, **declared}) == ["wait.default"]
    assert of_step({"wait": {"timeout": "1d", "default": {"approved": 1}}, **declared}) == ["wait.default.approved"]
    assert of_step({"wait": {"default": {"approved": True}}, **declared}) == ["wait.default"]


def doubted(parsed: Workflow) -> list[str]:
    return [doubt.path for doubt in doubts(parsed)]


def test_a_secret_that_a_text_does_not_get_is_doubted() -> None:
    texts = {"WHOLE": "${{ variables.token }}", "PART": "Bearer ${{ steps.a.outputs.token }}"}
    given = {"a": container(outputs={"token": "secret"}), "b": container(needs=["a"], env=texts, command=["${{ variables.token }}"])}

    assert doubted(workflow(steps=given)) == ["steps.b.command[0]", "steps.b.env.PART"]
    assert doubted(workflow(steps={**given, "a": container(outputs={"token": "string"})})) == []


def test_one_brace_is_doubted_in_finally_and_in_outputs_too() -> None:
    last = {"z": container(command=["${ run.status }", "${item}"])}

    assert doubted(workflow(outputs={"a": ["${run.id}"]}, **{"finally": last})) == [
        "finally.z.command[0]",
        "finally.z.command[1]",
        "outputs.a",
    ]
