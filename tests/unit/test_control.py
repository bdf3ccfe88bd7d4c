"""Cancel and resume: at any moment, twice at once, and without leaving anything behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from loadme import store
from loadme.core.messages import StepCheck, StepCleanup, StepRequest
from loadme.core.state import Run
from loadme.errors import Rejected, Retryable
from loadme.handlers import callback as callbacks
from loadme.handlers import control, quota
from loadme.handlers.close import close_if_over
from tests.unit.test_callbacks import status_of
from tests.world import World, attempt_id

CHAIN = """
name: sample
variables: {day: monday}
steps: {a: {image: img, outputs: {n: integer}}, b: {image: img, needs: [a]}, c: {image: img, needs: [b]}}
"""
LATER = (StepCheck.queue, StepCleanup.queue)


def succeed(world: World, run: Run, step: str, number: int = 1, **outputs: Any) -> None:
    """The attempt's container runs, reports and ends; then ten minutes pass."""
    name = attempt_id(run, step, attempt=number)
    world.arm.start(name, at=world.moment)
    world.report(name, **outputs)
    world.arm.finish(name, at=world.moment)
    world.live(1 / 6)


def fail(world: World, run: Run, step: str, number: int = 1) -> None:
    """The attempt's container ends with exit code 1; then ten minutes pass."""
    world.arm.finish(attempt_id(run, step, attempt=number), exit_code=1, at=world.moment)
    world.live(1 / 6)


def cancel(world: World, run: Run, **given: Any) -> dict[str, Any]:
    control.cancel(world.services, run.id, given)
    return world.show(run)


def resume(world: World, run: Run, **given: Any) -> Run:
    return control.resume(world.services, run.id, {"from" if name == "start" else name: value for name, value in given.items()})


def failed_at_b() -> tuple[World, Run]:
    """A run whose step a has succeeded, b has failed and c was skipped, and of which nothing is left."""
    world = World(CHAIN)
    run = world.start()
    world.live(1 / 60)
    succeed(world, run, "a", n=7)
    fail(world, run, "b")
    world.ended(run)
    return world, run


def before_launch(world: World, run: Run) -> None:
    """Nothing of the run has been launched yet."""


def while_it_is_provisioned(world: World, run: Run) -> None:
    world.drain(keep=LATER)


def while_it_runs(world: World, run: Run) -> None:
    world.drain(keep=LATER)
    world.arm.start(attempt_id(run, "a"), at=world.moment)


def while_it_waits_for_its_retry(world: World, run: Run) -> None:
    world.drain(keep=LATER)
    fail(world, run, "a")


def while_it_waits_for_quota(world: World, run: Run) -> None:
    world.live(1 / 60)
    assert world.show(run)["steps"][0]["waiting"]["why"] == "quota"


@pytest.mark.parametrize("moment", [before_launch, while_it_is_provisioned, while_it_runs, while_it_waits_for_its_retry])
def test_a_run_can_be_cancelled_at_any_moment_and_leaves_nothing_behind(moment):
    world = World(CHAIN.replace("{image: img, outputs", "{image: img, retry: {attempts: 2, delay: 1h, max_delay: 1h}, outputs"))
    run = world.start()
    moment(world, run)
    starts = dict(world.arm.starts)
    cancel(world, run, reason="wrong day")
    for name in world.arm.deployments:
        world.arm.start(name, at=world.moment)
    world.live(1.1)
    shown = world.show(run)
    assert (shown["status"], shown["cancel"]["reason"]) == ("cancelled", "wrong day")
    assert {step["status"] for step in shown["steps"]} <= {"cancelled", "failed"}
    assert world.arm.starts == starts
    world.assert_nothing_left()


def test_a_run_that_waits_for_quota_can_be_cancelled():
    world = World(CHAIN)
    first = world.start()
    world.live(1 / 60)
    world.services.tables.write([row_of_a_full_ledger(world)])
    run = world.start()
    while_it_waits_for_quota(world, run)
    cancel(world, run)
    world.live(0.2)
    assert world.show(run)["status"] == "cancelled"
    assert not [name for name in world.arm.starts if run.id in name]
    assert world.show(first)["status"] == "running"


def row_of_a_full_ledger(world: World) -> Any:
    """The ledger of the only location, in which Azure has just refused a create for an hour."""
    quota.hold(world.services, "westeurope", 3600.0)
    row = world.tables.read("quota", "westeurope")
    assert row is not None
    return replace(row, etag="*")


def test_what_a_cancelled_attempt_reports_is_refused():
    world = World(CHAIN)
    run = world.start()
    while_it_runs(world, run)
    call = world.call(attempt_id(run, "a"), {"n": 1})
    cancel(world, run)
    world.drain(keep=LATER)
    assert status_of(callbacks.callback, world.services, call) == 410


def test_an_outcome_that_was_accepted_before_the_cancel_stands():
    world = World(CHAIN)
    run = world.start()
    while_it_runs(world, run)
    world.report(attempt_id(run, "a"), n=3)
    cancel(world, run)
    world.arm.finish(attempt_id(run, "a"), at=world.moment)
    world.live(0.2)
    assert world.statuses(run) == {"a": "succeeded", "b": "cancelled", "c": "cancelled"}
    assert world.show(run)["status"] == "cancelled"
    world.assert_nothing_left()


def test_cancelling_twice_is_cancelling_once_and_a_run_that_is_over_cannot_be_cancelled():
    world = World(CHAIN)
    run = world.start()
    first, second = cancel(world, run, reason="one"), cancel(world, run, reason="two")
    assert first["cancel"] == second["cancel"]
    world.live(0.2)
    assert status_of(control.cancel, world.services, run.id, {}) == 409


@pytest.mark.parametrize("given", [{"reason": 5}, {"reason": "x" * 501}, {"resaon": "typo"}, {"force": "yes"}])
def test_a_cancel_that_cannot_be_understood_changes_nothing(given):
    world = World(CHAIN)
    run = world.start()
    with pytest.raises(Rejected) as refused:
        control.cancel(world.services, run.id, given)
    assert (refused.value.status, refused.value.errors[0]["field"]) == (400, next(iter(given)))
    assert world.show(run)["cancel"] is None


def test_messages_of_a_cancel_that_are_lost_are_sent_again_by_the_patrol():
    world = World(CHAIN)
    run = world.start()
    while_it_runs(world, run)
    world.calls("queues", "send", Retryable("down"))
    cancel(world, run)
    world.recover("queues", "send")
    world.live(0.3)
    assert world.show(run)["status"] == "cancelled"
    world.assert_nothing_left()


def test_a_resumed_run_keeps_outputs_and_runs_again_what_failed_and_what_never_ran():
    world, run = failed_at_b()
    resume(world, run)
    world.live(1 / 60)
    assert world.environment(attempt_id(run, "b", attempt=2))["___N"] == "7"
    succeed(world, run, "b", 2)
    succeed(world, run, "c")
    shown = world.show(run)
    assert (shown["status"], shown["resumes"], shown["outputs"]["n"], shown["error"]) == ("succeeded", 1, 7, None)
    names = [attempt_id(run, "a"), attempt_id(run, "b"), attempt_id(run, "b", attempt=2), attempt_id(run, "c")]
    assert world.arm.starts == dict.fromkeys(names, 1)
    world.assert_nothing_left()


def test_a_run_can_be_resumed_from_a_step_that_succeeded():
    world, run = failed_at_b()
    resume(world, run, start="a")
    world.live(1 / 60)
    succeed(world, run, "a", 2, n=8)
    assert world.environment(attempt_id(run, "b", attempt=2))["___N"] == "8"


def test_a_run_can_be_resumed_with_other_variables():
    world, run = failed_at_b()
    resume(world, run, variables={"day": "friday"})
    world.live(1 / 60)
    assert world.environment(attempt_id(run, "b", attempt=2))["___DAY"] == "friday"
    assert world.show(run)["variables"] == {"day": "friday"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"from": "d"}, "from"),
        ({"from": 3}, "from"),
        ({"variables": {"dya": 1}}, "dya"),
        ({"variables": {"day": 5}}, "day"),
        ({"x": 1}, "x"),
    ],
)
def test_a_resume_that_cannot_be_understood_changes_nothing(given, field):
    world = World(CHAIN.replace("{day: monday}", "{day: {type: string, default: monday}}"))
    run = world.start()
    world.live(1 / 60)
    fail(world, run, "a")
    before = store.read_run(world.tables, run.id).run
    with pytest.raises(Rejected) as refused:
        control.resume(world.services, run.id, given)
    assert refused.value.status == 400
    assert refused.value.errors[0]["field"].endswith(field)
    assert store.read_run(world.tables, run.id).run == before


def test_a_run_that_is_running_or_has_wholly_succeeded_cannot_be_resumed():
    world = World("name: sample\nsteps: {only: {image: img}}")
    run = world.start()
    world.live(1 / 60)
    assert status_of(control.resume, world.services, run.id, {}) == 409
    succeed(world, run, "only")
    assert status_of(control.resume, world.services, run.id, {}) == 409
    resume(world, run, start="only")
    world.live(1 / 60)
    succeed(world, run, "only", 2)
    assert world.show(run)["status"] == "succeeded"


def test_two_resumes_at_once_are_one():
    world, run = failed_at_b()
    others: list[Run] = []
    world.before("write", 2, lambda: others.append(resume(world, run)))
    after = resume(world, run)
    assert (after.generation, [other.generation for other in others]) == (1, [1])
    world.live(1 / 60)
    assert world.arm.starts[attempt_id(run, "b", attempt=2)] == 1
    assert attempt_id(run, "b", attempt=3) not in world.arm.starts


def test_a_request_from_before_the_resume_launches_nothing():
    world = World(CHAIN)
    run = world.start()
    old = world.queues.bodies(StepRequest.queue)[0]
    world.live(1 / 60)
    fail(world, run, "a")
    resume(world, run, variables={"day": "friday"})
    world.deliver(old, StepRequest.queue)
    world.live(1 / 60)
    assert world.environment(attempt_id(run, "a", attempt=2))["___DAY"] == "friday"


def test_a_resumed_step_has_all_its_retries_again():
    world = World("name: sample\nsteps: {only: {image: img, retry: {attempts: 2, delay: 1s}}}")
    run = world.start()
    world.live(1 / 60)
    fail(world, run, "only")
    fail(world, run, "only", 2)
    resume(world, run)
    world.live(1 / 60)
    fail(world, run, "only", 3)
    assert attempt_id(run, "only", attempt=4) in world.arm.starts


def test_a_cancelled_run_can_be_resumed():
    world = World(CHAIN)
    run = world.start()
    while_it_runs(world, run)
    cancel(world, run)
    world.arm.finish(attempt_id(run, "a"), at=world.moment)
    world.live(0.2)
    resume(world, run)
    world.live(0.1)
    assert world.show(run)["cancel"] is None
    for step, number in (("a", 2), ("b", 1), ("c", 1)):
        succeed(world, run, step, number, **({"n": 1} if step == "a" else {}))
    assert world.show(run)["status"] == "succeeded"


def let_go_again() -> tuple[World, Run, Run]:
    """A run that is over and whose row for the patrol is there again, as after a close that was cut."""
    world, run = failed_at_b()
    world.tables.write([control.open_row(run.id, world.moment)])
    return world, run, store.read_run(world.tables, run.id).run


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_run_that_is_let_go_of_while_it_is_resumed_is_not_lost(number):
    world, run, over = let_go_again()
    world.before("write", number, lambda: close_if_over(world.services, over))
    resume(world, run)
    assert world.tables.read("open", run.id) is not None


@pytest.mark.parametrize(("method", "number"), [("read", 1), ("read", 2), ("write", 1), ("write", 2), ("delete", 1)])
def test_a_run_that_is_resumed_while_it_is_let_go_of_is_not_lost(method, number):
    world, run, over = let_go_again()
    resumed: list[Run] = []
    world.before(method, number, lambda: resumed.append(resume(world, run)))
    close_if_over(world.services, over)
    assert resumed[0].status == "running"
    assert world.tables.read("open", run.id) is not None


def test_each_end_of_a_resumed_run_is_told():
    world, run = failed_at_b()
    resume(world, run)
    world.live(1 / 60)
    succeed(world, run, "b", 2)
    succeed(world, run, "c")
    told = [event["type"].rsplit(".", 1)[1] for event in world.events]
    assert told == ["failed", "succeeded"]
    assert len({event["id"] for event in world.events}) == 2
    assert [event["data"]["run"] for event in world.events] == [run.id, run.id]
