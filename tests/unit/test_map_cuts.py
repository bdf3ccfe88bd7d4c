"""A `for_each` run whose process dies at any one call, and many of its items that end at the same moment."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from loadme import store, transaction
from loadme.core.messages import StepCheck, StepCleanup, StepOutcome, StepRequest, decode
from loadme.core.state import Run
from loadme.errors import Conflict
from loadme.handlers import control
from tests.unit.test_poison import poisoned
from tests.world import World, attempt_id, die

SEAMS = [("tables", "write"), ("queues", "send"), ("blobs", "put")]
TEXT = """
name: sample
variables: {names: {}}
steps:
  each: {for_each: "${{ variables.names }}", max_parallel: 2, image: img}
  behind: {needs: [each], image: img}
"""


def die_at(world: World, seam: str, method: str, number: int) -> list[int]:
    """The process is killed at call `number` of the seam's method, half the time just after it; how many calls there were."""
    real, calls = getattr(getattr(world, seam), method), [0]

    def call(*args: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == number and number % 2:
            die()
        found = real(*args, **named)
        if calls[0] == number:
            die()
        return found

    setattr(getattr(world, seam), method, call)
    return calls


def play(world: World, run: Run, failing: frozenset[int], cancel_at: int | None) -> None:
    """Minutes pass; each container reports in the minute after its launch."""
    reported: set[str] = set()
    for minute in range(45):
        if cancel_at is not None and minute >= cancel_at:
            with suppress(Exception):
                control.cancel(world.services, run.id, {})
        world.live(1 / 60)
        for name in sorted(set(world.arm.container_groups) - reported):
            item = int(name.split("-")[3])
            world.arm.finish(name, exit_code=int(item in failing and "-each-" in name))
            if item in failing:
                reported.add(name)
                continue
            with suppress(Exception):
                world.report(name)
                reported.add(name)


@pytest.mark.parametrize(("seam", "method"), SEAMS)
@pytest.mark.parametrize(
    ("status", "failing", "cancel_at"),
    [("succeeded", frozenset(), None), ("failed", frozenset({1}), None), ("cancelled", frozenset(), 2)],
)
def test_whatever_call_a_process_dies_at_the_run_ends_as_it_should(seam, method, status, failing, cancel_at):
    number, calls = 0, [1]
    while number < calls[0]:
        number += 1
        world = World(TEXT)
        run = world.start(names=list("abcde"))
        calls = die_at(world, seam, method, number)
        play(world, run, failing, cancel_at)
        shown = world.show(run)
        assert shown["status"] == status, f"cut at call {number}"
        assert set(world.arm.starts.values()) == {1}, f"cut at call {number}"
        world.assert_nothing_left()
    assert number > 1


def launched(count: int, **more: Any) -> tuple[World, Run]:
    step = {"for_each": "${{ variables.names }}", "image": "img"}
    world = World(json.dumps({"name": "sample", "variables": {"names": {}}, "steps": {"each": step}, **more}))
    run = world.start(names=list(range(count)))
    world.drain(keep=(StepCheck.queue, StepCleanup.queue))
    return world, run


def conflicts(world: World, run: Run) -> dict[str, list[int]]:
    """Counts, from now on, how often a row of the run is written, and how often that comes too late."""
    real, seen = world.tables.write, {"written": [0], "late": [0]}

    def write(rows: Any) -> Any:
        is_run = any(row.row == "run" and row.partition == run.id for row in rows)
        try:
            found = real(rows)
        except Conflict:
            seen["late"][0] += is_run
            raise
        seen["written"][0] += is_run
        return found

    world.tables.write = write
    return seen


def test_a_fan_in_of_hundreds_of_items_writes_the_run_only_a_few_times():
    world, run = launched(400)
    seen = conflicts(world, run)
    for _ in range(200):
        ready = [name for name, group in world.arm.container_groups.items() if not group.containers[name].state]
        for name in ready:
            world.arm.finish(name)
            world.report(name)
        world.drain(within=600)
        if world.statuses(run) == {"each": "succeeded"}:
            break
    assert world.statuses(run) == {"each": "succeeded"}
    assert len(world.arm.starts) == 400
    # The last lane to end says so, the outputs are gathered, and the run's end is told and closed.
    assert seen["written"][0] <= 5
    assert seen["late"][0] == 0


def test_the_calls_for_one_item_do_not_grow_with_the_number_of_items():
    costs = []
    for count in (10, 1000):
        world, run = launched(count)
        name = attempt_id(run, "each", 0)
        world.arm.finish(name)
        calls = [world.calls(*seam) for seam in (("tables", "read"), ("tables", "write"), ("tables", "list"), ("queues", "send"))]
        world.report(name)
        world.drain(within=0, keep=(StepCheck.queue, StepCleanup.queue))
        costs.append([len(made) for made in calls])
    over, under = costs[1], costs[0]
    # With 10 items the lane is over, and looked at; with 1000 it goes on to the next item.
    assert sum(over) <= sum(under) + 12


def test_whoever_is_always_too_late_stands_back_a_little_longer_each_time():
    waits: list[float] = []
    world, run = launched(1)
    object.__setattr__(world.services, "sleep", waits.append)
    object.__setattr__(world.services, "random_bytes", lambda count: b"\xff" * count)
    real, left = world.tables.write, [5]

    def write(rows: Any) -> Any:
        if left[0] and rows[0].partition == run.id:
            left[0] -= 1
            raise Conflict("somebody was faster")
        return real(rows)

    world.tables.write = write
    world.report(attempt_id(run, "each", 0))
    assert len(waits) == 5
    assert waits == sorted(waits)
    assert 0 < waits[0] < waits[-1] <= transaction.LONGEST_WAIT


@pytest.mark.parametrize("part", ["expand", "collect"])
def test_a_step_whose_values_or_outputs_cannot_be_worked_out_fails_the_second_time_its_message_is_poison(part):
    world = World(TEXT)
    run = world.start(names=["a"])
    if part == "collect":
        world.drain(keep=(StepCheck.queue, StepCleanup.queue))
        world.arm.finish(attempt_id(run, "each", 0))
        world.report(attempt_id(run, "each", 0))
        world.deliver(world.queues.pop(StepOutcome.queue).body, StepOutcome.queue)
    body = world.queues.pop(StepRequest.queue).body
    message = decode(body).message
    assert message.part == part
    poisoned(world, message)
    assert [decode(one).message for one in world.queues.bodies(StepRequest.queue)] == [message], "it is sent again once"
    world.queues.sent.clear()
    poisoned(world, message)
    world.live(0.5)
    assert world.ended(run)["kind"] == "poison"


def test_an_item_whose_outcome_is_poison_twice_fails_the_run():
    world = World(TEXT)
    run = world.start(names=["a", "b"])
    world.drain(keep=(StepCheck.queue, StepCleanup.queue))
    for item in (0, 1):
        world.arm.finish(attempt_id(run, "each", item))
    world.report(attempt_id(run, "each", 0))
    message = decode(world.queues.pop(StepOutcome.queue).body).message
    poisoned(world, message)
    world.queues.sent[:] = [one for one in world.queues.sent if one.queue != StepOutcome.queue]
    poisoned(world, message)
    world.live(0.5)
    assert world.ended(run)["kind"] == "poison"


def test_values_that_somebody_deleted_fail_the_item_and_not_the_app():
    world = World(TEXT)
    run = world.start(names=["a", "b", "c"])
    world.deliver(world.queues.pop(StepRequest.queue).body, StepRequest.queue)
    for name in [name for name in world.blobs.data if "values" in name]:
        world.blobs.delete(name)
    world.live(0.5)
    error = world.ended(run)
    assert (error["kind"], error["item"]) == ("refused", 0)
    assert "somebody deleted it" in error["message"]


def test_the_state_of_a_run_stays_small_whatever_its_items_are():
    world, run = launched(1000)
    row = world.tables.read(run.id, "run")
    assert row is not None
    assert len(row.body) < 4000 + 1000 * 5, "the values are with the run's variables only"
    lane = store.read_lanes(world.tables, run.id, "each")
    assert lane == [], "there is no row of a lane before its first item is over"
