"""Catches, named needs, `finally`, slots and the time of a run, through the real handlers over fakes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadme.core.messages import StepCheck, StepCleanup
from loadme.core.state import Run
from loadme.errors import Rejected
from loadme.handlers import control
from tests.world import World, attempt_id

LATER = (StepCheck.queue, StepCleanup.queue)
CAUGHT = """
name: sample
steps:
  load: {image: img, catch: [{on: [exit_code], step: mend}]}
  use: {image: img, needs: [load]}
  mend: {image: img}
  either: {image: img, needs: {mend: [succeeded], use: [skipped, succeeded]}}
"""
FINALLY = """
name: sample
timeout: 1h
variables: {rows: 0}
steps:
  load: {image: img, outputs: {rows: integer}}
  use: {image: img, needs: [load]}
finally:
  notify:
    image: img
    env: {ENDED: "${{ run.status }}", WHY: "${{ run.error == null ? 'nothing' : run.error.kind }}"}
  tidy: {image: img, needs: [notify]}
"""


def started(text: str) -> tuple[World, Run]:
    world = World(text)
    run = world.start()
    world.drain(keep=LATER)
    return world, run


def over(world: World, run: Run, step: str, *, exit_code: int = 0, **outputs: Any) -> None:
    """The container of the step runs and ends; then a few minutes pass."""
    name = attempt_id(run, step)
    world.arm.start(name, at=world.moment)
    if not exit_code:
        world.report(name, **outputs)
    world.arm.finish(name, exit_code=exit_code, at=world.moment)
    world.live(0.1)


def test_a_failure_that_is_caught_starts_the_step_that_catches_and_the_run_succeeds():
    world, run = started(CAUGHT)

    over(world, run, "load", exit_code=1)
    assert world.statuses(run) == {"load": "failed", "use": "skipped", "mend": "running", "either": "pending"}
    assert next(step["handled"] for step in world.show(run)["steps"] if step["name"] == "load") == "step:mend"
    over(world, run, "mend")
    over(world, run, "either")

    assert world.ended(run, "succeeded") is None


def test_without_a_failure_the_step_that_catches_never_runs():
    world, run = started(CAUGHT)

    over(world, run, "load")
    over(world, run, "use")

    assert world.statuses(run) == {"load": "succeeded", "use": "succeeded", "mend": "skipped", "either": "skipped"}
    world.ended(run, "succeeded")
    assert not [name for name in world.arm.starts if "mend" in name]


def test_the_outputs_of_a_catch_are_variables_for_the_steps_behind():
    catch = "catch: [{outputs: {rows: 7}}]"
    world, run = started(f"name: sample\nsteps: {{a: {{image: img, outputs: {{rows: integer}}, {catch}}}, b: {{image: img, needs: [a]}}}}")

    over(world, run, "a", exit_code=1)

    assert world.environment(attempt_id(run, "b"))["___ROWS"] == "7"
    over(world, run, "b")
    assert (world.ended(run, "succeeded"), world.show(run)["outputs"]) == (None, {"rows": 7})


def test_a_number_that_a_catch_gives_is_a_number_as_if_the_step_had_given_it():
    steps = """
  a: {image: img, outputs: {rate: number}, catch: [{outputs: {rate: 2}}]}
  b: {image: img, needs: [a], env: {HALF: "${{ variables.rate / 4.0 }}"}}"""
    world, run = started(f"name: sample\nsteps: {steps}")

    over(world, run, "a", exit_code=1)

    assert world.environment(attempt_id(run, "b"))["HALF"] == "0.5"


def test_a_map_whose_failure_a_catch_made_good_has_the_outputs_of_the_catch_and_no_items():
    steps = """
  a: {image: img, for_each: [1], outputs: {rate: number}, catch: [{outputs: {rate: [2]}}]}
  b: {image: img, needs: [a], env: {X: "${{ steps.a.outputs.rate[0] / 4.0 }} ${{ size(steps.a.items) }}"}}"""
    world, run = started(f"name: sample\nsteps: {steps}")

    over(world, run, "a", exit_code=1)

    assert world.environment(attempt_id(run, "b"))["X"] == "0.5 0"


def test_what_fails_with_on_error_continue_lets_the_steps_behind_it_run():
    world, run = started("name: sample\nsteps: {a: {image: img, on_error: continue}, b: {image: img, needs: [a]}}")

    over(world, run, "a", exit_code=1)
    over(world, run, "b")

    world.ended(run, "succeeded")


@pytest.mark.parametrize(("exit_code", "seen"), [(0, ("succeeded", "nothing")), (3, ("failed", "exit_code"))])
def test_finally_runs_after_success_and_failure_and_sees_how_the_run_ended(exit_code, seen):
    world, run = started(FINALLY)
    over(world, run, "load", rows=4)
    over(world, run, "use", exit_code=exit_code)

    assert world.show(run)["status"] == "running"
    given = world.environment(attempt_id(run, "notify"))
    assert ((given["ENDED"], given["WHY"]), json.loads(given["___ROWS"])) == (seen, 4)
    over(world, run, "notify")
    over(world, run, "tidy")

    world.ended(run, seen[0])
    assert world.show(run)["ending"]["status"] == seen[0]


def test_finally_runs_after_a_cancel():
    world, run = started(FINALLY)
    world.arm.start(attempt_id(run, "load"), at=world.moment)
    control.cancel(world.services, run.id, {"reason": "enough"})
    world.live(0.1)

    assert world.statuses(run) == {"load": "cancelled", "use": "cancelled", "notify": "running", "tidy": "pending"}
    assert world.environment(attempt_id(run, "notify"))["ENDED"] == "cancelled"
    over(world, run, "notify")
    over(world, run, "tidy")

    world.ended(run, "cancelled")


def test_a_cancel_while_finally_runs_is_refused_and_with_force_it_ends_the_run():
    world, run = started(FINALLY)
    over(world, run, "load", exit_code=1)
    with pytest.raises(Rejected, match="force") as refused:
        control.cancel(world.services, run.id, {})
    assert refused.value.status == 409

    world.arm.start(attempt_id(run, "notify"), at=world.moment)
    control.cancel(world.services, run.id, {"force": True})
    world.live(0.2)

    world.ended(run, "cancelled")
    assert world.statuses(run) == {"load": "failed", "use": "skipped", "notify": "cancelled", "tidy": "cancelled"}


@pytest.mark.parametrize("timeout", ["45s", "10m", "1h"])
def test_a_run_times_out_at_most_two_minutes_late_and_its_finally_still_runs(timeout):
    world, run = started(FINALLY.replace("timeout: 1h", f"timeout: {timeout}"))
    world.arm.start(attempt_id(run, "load"), at=world.moment)
    minutes = {"45s": 0.75, "10m": 10, "1h": 60}[timeout]

    world.live((round(minutes) - 1) / 60)
    assert world.show(run)["status"] == "running"
    assert world.statuses(run)["load"] == "running"
    world.live(4 / 60)

    assert world.statuses(run) == {"load": "cancelled", "use": "cancelled", "notify": "running", "tidy": "pending"}
    given = world.environment(attempt_id(run, "notify"))
    assert (given["ENDED"], given["WHY"]) == ("failed", "timed_out")
    over(world, run, "notify")
    over(world, run, "tidy")
    assert world.ended(run, "failed")["kind"] == "timed_out"


def test_no_more_containers_are_at_work_than_the_run_may_have_at_once():
    steps = ", ".join(f"s{number}: {{image: img}}" for number in range(4))
    world, run = started(f"name: sample\nmax_parallel: 2\nsteps: {{{steps}}}")
    assert sorted(world.arm.starts) == [attempt_id(run, "s0"), attempt_id(run, "s1")]

    over(world, run, "s1")
    assert attempt_id(run, "s2") in world.arm.starts
    assert attempt_id(run, "s3") not in world.arm.starts
    for name in ("s0", "s2", "s3"):
        over(world, run, name)

    world.ended(run, "succeeded")


def test_a_resumed_run_runs_its_finally_again():
    world, run = started(FINALLY)
    over(world, run, "load", exit_code=1)
    over(world, run, "notify")
    over(world, run, "tidy")
    world.ended(run, "failed")

    control.resume(world.services, run.id, {})
    world.live(0.1)

    assert world.statuses(run) == {"load": "running", "use": "pending", "notify": "pending", "tidy": "pending"}
