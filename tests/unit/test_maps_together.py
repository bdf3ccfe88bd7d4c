"""`for_each` together with the rest of the language: other kinds of steps, catches, `finally`, cancel and resume."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadme.core.messages import StepRequest, decode
from loadme.core.state import Run
from loadme.handlers import control, queries
from tests.unit.test_maps import at_work, drained, each, fail, resumed, started, step_of, succeed
from tests.world import World, attempt_id

OPTIONAL = {"type": "integer", "required": False}


def with_steps(**steps: dict[str, Any]) -> str:
    return json.dumps({"name": "sample", "variables": {"names": {}}, "steps": steps})


def test_each_item_can_be_a_run_of_another_workflow():
    parent = with_steps(
        each={
            "for_each": "${{ variables.names }}",
            "workflow": "child",
            "variables": {"name": "${{ item }}"},
            "outputs": {"said": "string"},
        },
        behind={"needs": ["each"], "image": "img", "env": {"SAID": "${{ steps.each.outputs.said }}"}},
    )
    child = json.dumps(
        {
            "name": "child",
            "variables": {"name": {"type": "string"}},
            "outputs": {"said": "${{ variables.name }}!"},
            "steps": {"only": {"image": "img"}},
        }
    )
    world = World(parent, child)
    run = world.start(names=["a", "b", "c"])
    world.drain(within=5)
    children = [one["attempts"][0]["child"] for one in queries.list_items(world.services, run.id, "each")["items"]]
    assert len(set(children)) == 3
    for one in children:
        world.arm.finish(f"lm-{one}-only-0-1")
        world.report(f"lm-{one}-only-0-1")
        world.drain(within=30)
    assert json.loads(world.environment(attempt_id(run, "behind"))["SAID"]) == ["a!", "b!", "c!"]


def test_a_map_that_fails_can_be_caught_with_outputs():
    text = with_steps(
        each={"for_each": "${{ variables.names }}", "image": "img", "outputs": {"n": OPTIONAL}, "catch": [{"outputs": {"n": [7]}}]},
        behind={"needs": ["each"], "image": "img", "env": {"N": "${{ steps.each.outputs.n }}"}},
    )
    world, run = started(text)
    fail(world, run, 0)
    for item in (1, 2):
        succeed(world, run, item)
    assert world.environment(attempt_id(run, "behind"))["N"] == "[7]"
    assert step_of(world, run)["outputs"] == {"n": [7]}


def test_a_map_that_fails_is_passed_over_with_on_error_continue_and_its_items_can_be_read():
    text = with_steps(
        each={"for_each": "${{ variables.names }}", "image": "img", "on_error": "continue"},
        behind={"needs": ["each"], "image": "img", "env": {"S": "${{ steps.each.items.map(i, i.status) }}"}},
    )
    world, run = started(text)
    fail(world, run, 0)
    for item in (1, 2):
        succeed(world, run, item)
    assert json.loads(world.environment(attempt_id(run, "behind"))["S"]) == ["failed", "succeeded", "succeeded"]
    succeed(world, run, 0, "behind")
    world.live(1)
    world.ended(run, "succeeded")


def start_all(world: World) -> None:
    """Every container runs."""
    for name in world.arm.container_groups:
        world.arm.start(name)


def test_a_map_in_finally_runs_after_a_cancel_and_sees_how_the_run_ended():
    text = json.dumps(
        {
            **json.loads(each()),
            "finally": {"tidy": {"for_each": "${{ variables.names }}", "image": "img", "command": ["${{ item }}", "${{ run.status }}"]}},
        }
    )
    world, run = started(text)
    start_all(world)
    control.cancel(world.services, run.id, {})
    drained(world)
    assert [world.arm.parameters[attempt_id(run, "tidy", item)]["command"] for item in range(3)] == [
        ["a", "cancelled"],
        ["b", "cancelled"],
        ["c", "cancelled"],
    ]
    for item in range(3):
        succeed(world, run, item, "tidy")
    world.live(1)
    world.ended(run, "cancelled")


def cancelled_run(count: int, done: int, width: int) -> tuple[World, Run]:
    """A run over so many items, of which the first ones have succeeded when it was cancelled."""
    world, run = started(each(max_parallel=width), names=list(range(count)))
    for item in range(done):
        succeed(world, run, item)
    start_all(world)
    control.cancel(world.services, run.id, {})
    drained(world)
    world.live(1)
    world.ended(run, "cancelled")
    return world, run


def test_a_run_that_was_cancelled_goes_on_with_the_items_that_it_had_not_done():
    world, run = cancelled_run(6, 3, 2)
    resumed(world, run)
    world.live(0.1)
    assert at_work(world) == ["each-3", "each-4"]
    for item in (4, 3, 5):
        group = next(name for name in world.arm.container_groups if f"-each-{item}-" in name)
        succeed(world, run, item, attempt=int(group.rpartition("-")[2]))
        world.live(0.1)
    world.live(1)
    world.ended(run, "succeeded")
    assert step_of(world, run)["items"]["succeeded"] == 6


@pytest.mark.parametrize("most", [50, 3])
def test_many_kept_items_of_a_lane_are_found_by_few_messages(most, monkeypatch):
    monkeypatch.setattr("loadme.handlers.expand.MOST_KEPT", most)
    world, run = cancelled_run(40, 30, 1)
    control.resume(world.services, run.id, {})
    messages = 0
    while bodies := world.queues.bodies(StepRequest.queue):
        messages += sum(decode(body).message.part == "item" for body in bodies)
        world.deliver(world.queues.pop(StepRequest.queue).body, StepRequest.queue)
    assert messages <= 30 // most + 2
    assert step_of(world, run)["items"]["succeeded"] == 30


def test_two_maps_one_behind_the_other_and_a_run_that_is_resumed_from_the_first_works_out_both_again():
    text = with_steps(
        first={"for_each": "${{ variables.names }}", "image": "img", "outputs": {"n": "integer"}},
        second={"needs": ["first"], "for_each": "${{ steps.first.outputs.n }}", "image": "img", "command": ["${{ item }}"]},
    )
    world, run = started(text, names=["a", "b"])
    for item in (0, 1):
        succeed(world, run, item, "first", n=item + 5)
    assert world.arm.parameters[attempt_id(run, "second", 1)]["command"] == ["6"]
    succeed(world, run, 0, "second")
    fail(world, run, 1, "second")
    world.live(1)
    world.ended(run)
    resumed(world, run, **{"from": "first"})
    world.live(0.1)
    for item in (0, 1):
        succeed(world, run, item, "first", attempt=2, n=item + 8)
    world.live(0.1)
    assert world.arm.parameters[attempt_id(run, "second", 0, 2)]["command"] == ["8"]
    for item in (0, 1):
        succeed(world, run, item, "second", attempt=2)
    world.live(1)
    world.ended(run, "succeeded")


def test_a_map_of_which_only_the_gathering_failed_gathers_again_on_resume(monkeypatch):
    monkeypatch.setattr("loadme.handlers.collect.MOST_BYTES", 10)
    world, run = started(each())
    for item in range(3):
        succeed(world, run, item, n=item)
    world.live(1)
    world.ended(run)
    monkeypatch.setattr("loadme.handlers.collect.MOST_BYTES", 10_000)
    resumed(world, run)
    world.live(1)
    world.ended(run, "succeeded")
    assert step_of(world, run)["outputs"] == {"n": [0, 1, 2]}
    assert set(world.arm.starts.values()) == {1}


def test_an_item_that_waits_for_quota_is_given_up_when_the_step_fails():
    world = World(each())
    world.services.templates.get(world.services.settings.template_spec, world.arm.template_parameters)
    run = world.start(names=["a", "b", "c"])
    full = {"ContainerGroups": type(world.arm.usages("westeurope")["ContainerGroups"])(99, 100)}
    world.arm.usage["westeurope"] = full | {"StandardCores": full["ContainerGroups"]}
    drained(world)
    at_once = at_work(world)
    assert 0 < len(at_once) < 3
    fail(world, run, int(at_once[0].removeprefix("each-")))
    world.live(0.3)
    assert step_of(world, run)["status"] == "failed"
