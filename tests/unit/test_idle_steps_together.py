"""Steps without a container with the rest of the language: items, groups, slots, finally, time-outs, catch, and answers by the patrol."""

from __future__ import annotations

from typing import Any

import pytest

from loadme import store
from loadme.core.state import Run
from loadme.errors import Rejected
from loadme.handlers import control
from tests.world import World, attempt_id

CHILD = """
name: child
variables: {n: 0}
outputs: {square: "${{ variables.n * variables.n }}"}
steps:
  work: {image: i, command: ["${{ string(variables.n) }}"]}
"""
MAP = """
name: sample
steps:
  each: {for_each: [1, 2, 3], max_parallel: 2, workflow: child, variables: {n: "${{ item }}"}, outputs: {square: integer}}
  after: {needs: [each], image: i, command: ["${{ string(steps.each.outputs.square[2]) }}"]}
"""


def finish(world: World, attempt: str, exit_code: int = 0) -> None:
    world.arm.finish(attempt, exit_code=exit_code, at=world.moment)


def finish_all(world: World, hours: float = 0.2) -> None:
    """All containers that run end well, and so do those that follow."""
    for _ in range(round(hours * 60)):
        for name, group in list(world.arm.container_groups.items()):
            if group.state in ("Pending", "Running"):
                finish(world, name)
        world.live(1 / 60)


def children(world: World, run: Run) -> list[Run]:
    rows = [store.read_run(world.tables, store.newest_first(row.row)).run for row in world.tables.list("all")]
    return sorted((one for one in rows if one.ancestors[-1:] == (run.id,)), key=lambda one: one.parent)


def step(world: World, run: Run, name: str) -> dict[str, Any]:
    return next(one for one in world.show(run)["steps"] if one["name"] == name)


def test_each_item_is_a_run_of_its_own_and_their_outputs_are_a_list() -> None:
    world = World(MAP, CHILD)
    run = world.start()
    world.drain(within=2)
    assert [one.variables.inline for one in children(world, run)] == [{"n": 1}, {"n": 2}]
    finish_all(world)
    assert [one.parent for one in children(world, run)] == [attempt_id(run, "each", item) for item in range(3)]
    assert world.arm.parameters[attempt_id(run, "after")]["command"] == ["9"]
    world.live(0.5)
    world.ended(run, "succeeded")


def test_a_cancel_ends_the_runs_of_all_items() -> None:
    world = World(MAP, CHILD)
    run = world.start()
    world.drain(within=2)
    control.cancel(world.services, run.id, {})
    finish_all(world, 0.5)
    world.live(0.5)
    assert [one.status for one in children(world, run)] == ["cancelled"] * 2
    world.ended(run, "cancelled")


def test_a_child_waits_for_its_concurrency_group_as_any_other_run() -> None:
    child = CHILD + "concurrency: {group: one}\n"
    world = World("name: sample\nsteps:\n  a: {workflow: child}\n  b: {workflow: child}", child)
    run = world.start()
    world.drain(within=2)
    assert sorted(one.status for one in children(world, run)) == ["queued", "running"]
    assert world.arm.starts.total() == 1
    finish_all(world)
    world.live(0.5)
    assert [one.status for one in children(world, run)] == ["succeeded"] * 2
    world.ended(run, "succeeded")


def test_a_child_that_is_queued_when_its_parent_is_cancelled_never_begins() -> None:
    world = World("name: sample\nsteps:\n  a: {workflow: child}\n  b: {workflow: child}", CHILD + "concurrency: {group: one}\n")
    run = world.start()
    world.drain(within=2)
    control.cancel(world.services, run.id, {})
    finish_all(world, 0.5)
    world.live(0.5)
    assert world.arm.starts.total() == 1
    world.ended(run, "cancelled")


def test_a_child_that_its_group_skips_makes_the_step_skipped() -> None:
    child = CHILD + "concurrency: {group: one, on_conflict: skip}\n"
    world = World("name: sample\nsteps:\n  a: {workflow: child}\n  b: {needs: {a: [skipped]}, sleep: 1s}", child)
    holder = world.start("child")
    run = world.start("sample")
    world.drain(within=60)
    assert world.statuses(run)["a"] == "skipped"
    world.drain(within=60)
    assert world.show(run)["status"] == "succeeded"
    assert world.show(holder)["status"] == "running"


def test_waits_and_sleeps_take_no_slot_and_workflows_do() -> None:
    text = """
name: sample
max_parallel: 1
steps:
  nap: {sleep: 1h}
  ask: {wait: {}}
  a: {workflow: child}
  b: {workflow: child}
"""
    world = World(text, CHILD)
    run = world.start()
    world.drain(within=2)
    assert world.statuses(run) == {"nap": "running", "ask": "running", "a": "running", "b": "pending"}


def test_the_runs_own_timeout_ends_what_waits_sleeps_or_runs_below() -> None:
    text = "name: sample\ntimeout: 10m\nsteps:\n  nap: {sleep: 1h}\n  ask: {wait: {}}\n  sub: {workflow: child}"
    world = World(text, CHILD)
    run = world.start()
    world.drain(within=2)
    assert set(world.statuses(run).values()) == {"running"}
    world.arm.start(attempt_id(children(world, run)[0], "work"), at=world.moment)
    world.live(1.2)  # checks that were on their way find nothing to do
    assert world.ended(run)["kind"] == "timed_out"
    assert [one.status for one in children(world, run)] == ["cancelled"]


def test_a_wait_in_finally_waits_although_the_run_was_cancelled() -> None:
    text = "name: sample\nsteps: {nap: {sleep: 1h}}\nfinally:\n  ask: {wait: {}}\n  sub: {needs: [ask], workflow: child}"
    world = World(text, CHILD)
    run = world.start()
    world.drain(within=2)
    control.cancel(world.services, run.id, {})
    world.drain(within=5)
    assert world.statuses(run) == {"nap": "cancelled", "ask": "running", "sub": "pending"}
    assert world.signal(run, "ask") == "accepted"
    world.drain(within=5)
    assert world.statuses(run)["sub"] == "running"
    finish_all(world)
    world.live(0.5)
    assert [one.status for one in children(world, run)] == ["succeeded"]
    world.ended(run, "cancelled")


def test_a_wait_in_finally_is_ended_by_force() -> None:
    world = World("name: sample\nsteps: {nap: {sleep: 1s}}\nfinally:\n  ask: {wait: {}}")
    run = world.start()
    world.drain(within=5)
    control.cancel(world.services, run.id, {"force": True})
    world.live(0.2)
    assert world.show(run)["status"] == "cancelled"
    with pytest.raises(Rejected):
        world.signal(run, "ask")


def test_a_wait_that_nobody_answered_is_caught_by_its_kind() -> None:
    text = """
name: sample
steps:
  ask: {wait: {timeout: 1h}, catch: [{on: [timed_out], step: remind}]}
  remind: {sleep: 1s}
  after: {needs: [ask], sleep: 1s}
"""
    world = World(text)
    run = world.start()
    world.drain(within=3700)
    assert world.statuses(run) == {"ask": "failed", "remind": "succeeded", "after": "skipped"}
    assert world.show(run)["status"] == "succeeded"


def test_a_failed_child_is_caught_by_the_kind_of_its_own_error() -> None:
    text = "name: sample\nsteps:\n  sub: {workflow: child, outputs: {square: integer}, catch: [{on: [exit_code], outputs: {square: 0}}]}"
    world = World(text, CHILD)
    run = world.start()
    world.drain(within=2)
    (child,) = children(world, run)
    finish(world, attempt_id(child, "work"), exit_code=3)
    world.live(0.5)
    world.ended(run, "succeeded")
    assert step(world, run, "sub")["outputs"] == {"square": 0}


def test_a_child_sees_what_its_own_steps_gave_through_its_outputs_at_any_depth() -> None:
    child = """
name: child
outputs: {all: {list: ["${{ steps.a.outputs.x }}", "${{ steps.a.status }}"], id: "${{ run.id }}"}}
steps:
  a: {image: i, outputs: {x: integer}}
"""
    world = World("name: sample\nsteps:\n  sub: {workflow: child, outputs: {all: object}}", child)
    run = world.start()
    world.drain(within=2)
    (below,) = children(world, run)
    world.report(attempt_id(below, "a"), x=4)
    world.drain(within=2)
    assert step(world, run, "sub")["outputs"] == {"all": {"list": [4, "succeeded"], "id": below.id}}
