"""A step that is another workflow: its run begins, gives its outputs back, and ends with its parent, whatever dies in between."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from loadme import store, transaction
from loadme.core.arm import Deployment
from loadme.core.events import Fail
from loadme.core.ids import AttemptId, child_run, is_run_id
from loadme.core.messages import LOOK_NOW, StepCheck, StepRequest, encode
from loadme.core.outcome import Error
from loadme.core.state import Run
from loadme.errors import Rejected, Retryable, Terminal, Unavailable
from loadme.handlers import control, purge, queries
from loadme.handlers.queries import Query
from loadme.handlers.start import Start, start
from tests.world import World, attempt_id, die

PARENT = """
name: parent
variables: {region: westeurope}
steps:
  sub:
    workflow: child
    variables: {who: "${{ variables.region }}", deep: {list: ["${{ run.id }}", 1]}}
    outputs: {greeting: string}
  after: {needs: [sub], image: i, command: ["${{ variables.greeting }}"]}
"""
CHILD = """
name: child
variables: {who: {type: string, default: nobody}, deep: {type: object, required: false}}
outputs: {greeting: "hello ${{ variables.who }} ${{ steps.work.outputs.n }}"}
steps:
  work: {image: i, outputs: {n: integer}}
"""


def started(parent: str = PARENT, child: str = CHILD, *more: str) -> tuple[World, Run, Run]:
    """A world, the run of the parent, and its child, both of which are at work."""
    world = World(parent, child, *more)
    run = world.start("parent")
    world.drain(within=1)
    return world, run, child_of(world, run)


def child_of(world: World, run: Run, step: str = "sub") -> Run:
    return store.read_run(world.tables, step_of(world, run, step)["child"]).run


def step_of(world: World, run: Run, step: str = "sub") -> dict[str, Any]:
    return next(one for one in world.show(run)["steps"] if one["name"] == step)


def fail(world: World, run: Run, step: str = "work") -> None:
    world.arm.finish(attempt_id(run, step), exit_code=3, at=world.moment)


def succeed(world: World, attempt: str, **outputs: Any) -> None:
    """The container calls back and ends."""
    world.report(attempt, **outputs)
    world.arm.finish(attempt, at=world.moment)


def finish_all(world: World, hours: float = 1.0) -> None:
    """Every container that still runs ends well, and time passes."""
    for name, deployment in list(world.arm.deployments.items()):
        if name not in world.arm.container_groups:
            world.arm.deployments[name] = Deployment(name, "Succeeded")
        elif not deployment.is_over:
            world.arm.finish(name, at=world.moment)
    world.live(hours)


def test_a_childs_run_gives_its_outputs_back_and_the_parent_goes_on_with_them_at_once() -> None:
    world, run, child = started()
    succeed(world, attempt_id(child, "work"), n=3)
    world.drain(within=2)
    assert step_of(world, run)["outputs"] == {"greeting": "hello westeurope 3"}
    assert world.arm.parameters[attempt_id(run, "after")]["command"] == ["hello westeurope 3"]
    succeed(world, attempt_id(run, "after"))
    finish_all(world)
    world.ended(run, "succeeded")


def test_a_child_starts_with_the_steps_variables_and_nothing_else() -> None:
    world, run, child = started()
    assert world.show(child)["variables"] == {"who": "westeurope", "deep": {"list": [run.id, 1]}}


def test_one_can_follow_the_link_both_ways() -> None:
    world, run, child = started()
    attempt = attempt_id(run, "sub")
    assert world.show(child)["parent"] == {"run": run.id, "step": "sub", "item": 0, "attempt": attempt, "link": f"/api/runs/{run.id}"}
    assert world.show(run)["parent"] is None
    assert (step_of(world, run)["kind"], step_of(world, run)["workflow"]) == ("workflow", "child")
    assert child.ancestors == (run.id,)


def test_a_childs_id_follows_from_its_attempt_and_its_launch() -> None:
    world, run, child = started()
    assert child.id == child_run(world.moment - timedelta(seconds=1), AttemptId(run.id, "sub", 0, 1))
    assert is_run_id(child.id)
    assert child.id != child_run(world.moment - timedelta(seconds=1), AttemptId(run.id, "sub", 0, 2))


def test_a_child_begun_twice_is_one_run() -> None:
    world = World(PARENT, CHILD)
    run = world.start("parent")
    request = world.queues.sent[0]
    world.drain(within=1)
    for _ in range(3):
        world.deliver(request.body, request.queue)
    world.drain(within=1)
    assert len(world.tables.list("all")) == 2
    assert world.arm.starts.total() == 1
    assert step_of(world, run)["attempts"] == 1


def test_a_scheduled_parent_passes_its_time_on() -> None:
    world = World(PARENT, CHILD)
    at = world.moment - timedelta(hours=3)
    run = start(world.services, Start(workflow="parent", key="nightly", scheduled_at=at))
    world.drain(within=1)
    assert child_of(world, run).scheduled_at == at


def test_a_failed_child_fails_the_step_with_its_own_kind_and_says_which_run_it_was() -> None:
    world, run, child = started()
    fail(world, child)
    finish_all(world)
    error = world.ended(run)
    assert (error["kind"], error["exit_code"], error["step"]) == ("exit_code", 3, "sub")
    assert child.id in error["message"]
    assert "step work of child" in error["message"]
    assert child.id in error["hint"]


def test_outputs_that_the_step_does_not_expect_fail_it() -> None:
    world, run, child = started(child=CHILD.replace("greeting:", "hello:"))
    succeed(world, attempt_id(child, "work"), n=3)
    finish_all(world)
    error = world.ended(run)
    assert error["kind"] == "outputs"
    assert "greeting" in error["message"]


def test_outputs_that_cannot_be_worked_out_fail_the_step_and_name_the_childs_workflow() -> None:
    world, run, child = started(child=CHILD.replace("outputs.n }}", "outputs.n.deeper }}"))
    succeed(world, attempt_id(child, "work"), n=3)
    finish_all(world)
    error = world.ended(run)
    assert error["kind"] == "expression"
    assert "child" in error["hint"]


@pytest.mark.parametrize(
    ("parent", "child", "words"),
    [
        (PARENT.replace("workflow: child", "workflow: chidl"), CHILD, "child"),
        (PARENT.replace("who:", "whom:"), CHILD, "whom"),
        (PARENT, CHILD.replace("default: nobody", "pattern: ^x$"), "who"),
    ],
)
def test_a_child_that_cannot_be_started_fails_the_step_at_once(parent: str, child: str, words: str) -> None:
    world = World(parent, child)
    run = world.start("parent")
    world.live(0.2)
    error = world.ended(run)
    assert error["kind"] == "refused"
    assert words in error["message"]
    assert "variables" in error["hint"]


def test_a_cancel_goes_down_to_the_child_and_to_its_child() -> None:
    middle = "name: child\nvariables: {who: x, deep: {type: object, required: false}}\nsteps:\n  sub: {workflow: deepest}"
    world, run, child = started(PARENT, middle, "name: deepest\nsteps: {work: {image: i}}")
    world.drain(within=1)
    deepest = child_of(world, child)
    control.cancel(world.services, run.id, {"reason": "wrong region"})
    finish_all(world, 0.5)
    assert [world.show(one)["status"] for one in (run, child, deepest)] == ["cancelled"] * 3
    assert "wrong region" in world.show(child)["cancel"]["reason"]
    assert run.id in world.show(child)["cancel"]["reason"]
    world.ended(run, "cancelled")


@pytest.mark.parametrize(("given", "tidy"), [({}, "running"), ({"force": True}, "cancelled")])
def test_a_forced_cancel_is_forced_below_too(given: dict[str, Any], tidy: str) -> None:
    world, run, child = started(child=CHILD + "finally:\n  tidy: {image: i}\n")
    control.cancel(world.services, run.id, given)
    finish_all(world, 0.05)
    assert world.statuses(child)["tidy"] == tidy
    finish_all(world)
    world.ended(run, "cancelled")


def test_a_timeout_of_the_step_ends_the_child() -> None:
    world, run, child = started(PARENT.replace("workflow: child", "workflow: child\n    timeout: 10m"))
    world.arm.start(attempt_id(child, "work"), at=world.moment)
    world.live(0.15)
    assert world.statuses(run)["sub"] == "running"
    finish_after(world, attempt_id(child, "work"), minutes=10)
    error = world.ended(run)
    assert (error["kind"], world.show(child)["status"]) == ("timed_out", "cancelled")


def finish_after(world: World, attempt: str, minutes: float) -> None:
    world.live(minutes / 60)
    if attempt in world.arm.container_groups:
        world.arm.finish(attempt, at=world.moment)
    world.live(0.5)


def test_the_defaults_timeout_is_for_containers_and_no_child_is_ended_by_it() -> None:
    world, run, child = started("defaults: {timeout: 5m}\n" + PARENT, CHILD.replace("{image: i,", "{image: i, timeout: 3h,"))
    world.arm.start(attempt_id(child, "work"), at=world.moment)
    world.live(1)
    assert world.statuses(run)["sub"] == "running"


def test_a_lost_word_of_the_childs_end_is_found_out_by_the_parents_own_check_within_fifteen_minutes() -> None:
    world, run, child = started()
    world.drain(within=1200)
    succeed(world, attempt_id(child, "work"), n=3)
    lose = partial(is_lost, run)
    world.drain(within=1, deliver=lambda body, queue: None if lose(body) else world.deliver(body, queue))
    assert (world.statuses(run)["sub"], world.show(child)["status"]) == ("running", "succeeded")
    world.drain(within=900)
    assert world.statuses(run)["sub"] == "succeeded"


def is_lost(run: Run, body: str) -> bool:
    return body == body_of_look(run)


def test_the_end_is_told_by_a_check_that_no_other_one_follows() -> None:
    world, run, child = started()
    before = [one.body for one in world.queues.sent]
    world.deliver(body_of_look(run), StepCheck.queue)
    assert [one.body for one in world.queues.sent] == before
    assert world.statuses(run)["sub"] == "running"
    assert child.id


def body_of_look(run: Run) -> str:
    return encode(StepCheck(run=run.id, step="sub", number=LOOK_NOW))


def test_a_child_that_somebody_cancels_fails_the_step_and_not_the_parents_cancel() -> None:
    world, run, child = started()
    control.cancel(world.services, child.id, {"reason": "too dear"})
    finish_all(world)
    error = world.ended(run)
    assert error["kind"] == "cancelled"
    assert "too dear" in error["message"]


def test_a_retry_runs_the_child_once_more_as_another_run() -> None:
    world, run, first = started(PARENT.replace("workflow: child", "workflow: child\n    retry: {attempts: 2, delay: 1s}"))
    fail(world, first)
    world.live(0.3)
    second = child_of(world, run)
    assert second.id != first.id
    assert second.parent == attempt_id(run, "sub", attempt=2)
    succeed(world, attempt_id(second, "work"), n=1)
    world.drain(within=5)
    succeed(world, attempt_id(run, "after"))
    finish_all(world)
    world.ended(run, "succeeded")
    assert step_of(world, run)["attempts"] == 2


@pytest.mark.parametrize("kind", ["infrastructure", "capacity"])
def test_what_azure_did_to_a_childs_containers_does_not_run_the_child_again_by_itself(kind: str) -> None:
    world, run, child = started()
    fail_with(world, child, kind)
    finish_all(world, 0.5)
    error = world.ended(run)
    assert error["kind"] == kind
    assert step_of(world, run)["attempts"] == 1


def fail_with(world: World, run: Run, kind: str) -> None:
    """The run's end, as after all its budgets are spent."""
    after = transaction.change_run(world.services, run.id, Fail(error=Error(kind=kind, message="no luck")))
    transaction.perform_due(world.services, after, *after.run.steps)


def test_the_defaults_retry_is_for_containers() -> None:
    world, run, child = started("defaults: {retry: {attempts: 3, delay: 1s}}\n" + PARENT)
    fail_with(world, child, "failed")
    finish_all(world)
    world.ended(run)
    assert step_of(world, run)["attempts"] == 1


def test_a_resumed_parent_begins_another_child() -> None:
    world, run, first = started()
    fail(world, first)
    finish_all(world)
    control.resume(world.services, run.id, {})
    world.drain(within=5)
    second = child_of(world, run)
    assert second.id != first.id
    succeed(world, attempt_id(second, "work"), n=1)
    world.drain(within=5)
    succeed(world, attempt_id(run, "after"))
    finish_all(world)
    world.ended(run, "succeeded")


def test_a_step_whose_child_was_refused_is_resumed_at_once() -> None:
    world = World(PARENT.replace("who:", "whom:"), CHILD)
    run = world.start("parent", {"region": "north"})
    world.drain(within=10)
    control.resume(world.services, run.id, {"variables": {"region": "south"}})
    world.drain(within=10)
    step = step_of(world, run)
    assert (step["status"], step["attempts"], step["error"]["kind"]) == ("failed", 2, "refused")


@pytest.mark.parametrize("number", range(1, 10))
def test_a_child_that_begins_although_its_attempt_was_cancelled_meanwhile_is_cancelled_too(number: int) -> None:
    world = World(PARENT, CHILD)
    run = world.start("parent")
    request = world.queues.sent.pop(0)

    def cancel_and_clean_up() -> None:
        control.cancel(world.services, run.id, {})
        world.drain(within=30)

    world.before("write", number, cancel_and_clean_up)
    with suppress(Retryable):
        world.deliver(request.body, request.queue)
    if world.show(run)["status"] == "running":  # it had begun before so many writes were made
        cancel_and_clean_up()
    world.live(0.2)
    assert {row.columns["status"] for row in world.tables.list("all")} == {"cancelled"}
    finish_all(world)
    world.ended(run, "cancelled")


def test_a_step_that_runs_again_waits_for_its_last_run_and_says_so() -> None:
    # The child's own `finally` goes on after the cancel.
    world, run, child = started(child=CHILD + "finally:\n  tidy: {image: i}\n")
    control.cancel(world.services, run.id, {})
    world.arm.finish(attempt_id(child, "work"), at=world.moment)
    world.drain(within=20)
    control.resume(world.services, run.id, {})
    world.drain(within=1)
    waiting = step_of(world, run)["waiting"]
    assert waiting == {"why": f"the last attempt's run {child.id} to be closed", "until": None, "estimate": None}
    request = next(one for one in world.queues.sent if one.queue == StepRequest.queue)
    with pytest.raises(Retryable, match=f"the run {child.id} is not closed yet"):
        world.deliver(request.body, request.queue)


def test_listed_runs_say_whose_step_they_are() -> None:
    world, run, child = started()
    listed = {one["id"]: one["parent"] for one in queries.list_runs(world.services, Query())["runs"]}
    assert listed == {run.id: None, child.id: world.show(child)["parent"]}
    assert listed[child.id]["run"] == run.id


def test_a_run_that_has_succeeded_shows_the_outputs_that_its_workflow_declares() -> None:
    world, _, child = started()
    assert (world.show(child)["outputs"], world.show(child)["outputs_error"]) == ({}, None)
    succeed(world, attempt_id(child, "work"), n=3)
    world.drain(within=5)
    assert (world.show(child)["outputs"], world.show(child)["outputs_error"]) == ({"greeting": "hello westeurope 3"}, None)


def test_outputs_that_cannot_be_worked_out_are_told_and_the_run_is_shown_all_the_same() -> None:
    world = World(CHILD.replace("${{ variables.who }}", "${{ variables.deep.none }}"))
    run = world.start("child", {"deep": {}})
    world.drain(within=1)
    succeed(world, attempt_id(run, "work"), n=3)
    world.drain(within=5)
    shown = world.show(run)
    assert (shown["status"], shown["outputs"]) == ("succeeded", {})
    assert "none" in shown["outputs_error"]


def test_a_workflow_that_becomes_a_step_of_itself_is_refused() -> None:
    # Each run keeps its definition, so a deployment can close a circle that no check of the files sees.
    text = "name: child\nvariables: {who: x, deep: {type: object, required: false}}\nsteps:\n  sub: {workflow: parent}"
    world, run, child = started(PARENT, text)
    world.live(0.2)
    error = world.ended(run)
    assert "parent → child → parent" in error["message"]
    assert child.ancestors == (run.id,)


def test_runs_lie_ten_deep_and_no_deeper() -> None:
    texts = [f"name: w{depth}\nsteps:\n  sub: {{workflow: w{depth + 1}}}" for depth in range(12)]
    world = World(*texts, "name: w12\nsteps: {work: {image: i}}")
    run = world.start("w0")
    world.live(1)
    error = world.ended(run)
    runs = [store.read_run(world.tables, store.newest_first(row.row)).run for row in world.tables.list("all")]
    assert max(len(one.ancestors) for one in runs) == 10
    assert error["kind"] == "refused"
    assert "10 runs may be above a run" in error["message"]


def test_a_child_whose_workflow_is_kept_from_beginning_by_its_group_skips_the_step() -> None:
    world, run, child = started()
    row = store.read_run(world.tables, child.id)
    over = replace(row.run, status="skipped", ended_at=world.moment)
    store.write(world.tables, store.StoredRun(run=over, etag=row.etag))
    world.drain(within=900)
    assert world.statuses(run) == {"sub": "skipped", "after": "skipped"}


def test_a_child_that_was_deleted_before_its_end_was_seen_fails_the_step() -> None:
    world, run, child = started()
    # The parent's checks are lost, and with them the child's word; the patrol has not missed them yet.
    world.queues.sent[:] = [one for one in world.queues.sent if run.id not in one.body]
    fail(world, child)
    while not purged(world, child):
        world.drain(within=1, deliver=lambda body, queue: None if run.id in body else world.deliver(body, queue))
    finish_all(world)
    error = world.ended(run)
    assert child.id in error["message"]
    assert "deleted" in error["message"]


def purged(world: World, run: Run) -> bool:
    try:
        return purge.delete(world.services, run.id)
    except Rejected:
        return False


@pytest.mark.parametrize("number", range(1, 24))
@pytest.mark.parametrize("method", ["write", "read"])
def test_a_process_that_dies_at_any_call_of_a_childs_beginning_costs_time_and_nothing_else(method: str, number: int) -> None:
    world = World(PARENT, CHILD)
    run = world.start("parent")
    world.before(method, number, die)
    for _ in range(16):
        world.live(1 / 60)
    child = child_of(world, run)
    assert world.arm.starts == {attempt_id(child, "work"): 1}
    succeed(world, attempt_id(child, "work"), n=3)
    world.live(0.1)
    succeed(world, attempt_id(run, "after"))
    finish_all(world)
    world.ended(run, "succeeded")
    assert len(world.tables.list("all")) == 2


def test_a_child_whose_beginner_died_is_begun_by_a_check_once_that_one_is_surely_dead() -> None:
    world = World(PARENT, CHILD)
    run = world.start("parent")
    request = world.queues.sent.pop(0)

    def die_for_good() -> None:
        world.calls("tables", "write", MemoryError())
        die()

    world.before("write", 2, die_for_good)
    with pytest.raises(MemoryError):
        world.deliver(request.body, request.queue)
    world.recover("tables", "write")
    planned = step_of(world, run)["child"]
    world.drain(within=100)
    assert [row.row for row in world.tables.list("all")] == [store.newest_first(run.id)]
    world.drain(within=200)
    assert child_of(world, run).id == planned


@pytest.mark.parametrize("number", range(1, 24))
def test_a_cancel_at_any_write_of_a_childs_beginning_leaves_nothing_behind(number: int) -> None:
    world = World(PARENT, CHILD)
    run = world.start("parent")

    def cancel() -> None:
        with suppress(Rejected):
            control.cancel(world.services, run.id, {})

    world.before("write", number, cancel)
    world.live(0.1)
    finish_all(world)
    if world.show(run)["status"] == "running":  # it had begun before so many writes were made
        cancel()
        world.live(0.5)
    world.ended(run, "cancelled")


def test_the_parent_is_closed_only_after_its_child() -> None:
    world, run, child = started()
    fail(world, child)
    world.arm.errors["delete_group"] = [Unavailable("ARM is away")] * 6
    world.live(0.04)
    stored = [store.read_run(world.tables, one.id).run for one in (run, child)]
    assert [(one.status, one.closed) for one in stored] == [("failed", 0), ("failed", 0)]
    world.live(0.5)
    assert world.ended(run)["kind"] == "exit_code"


def test_a_child_that_cannot_be_cleaned_up_keeps_its_parent_for_ten_minutes_only() -> None:
    world, run, child = started()
    fail(world, child)
    refused = world.calls("arm", "delete_group", Terminal("a lock", "ScopeLocked"))
    world.live(0.5)
    assert refused
    assert store.read_run(world.tables, run.id).run.closed
    assert not store.read_run(world.tables, child.id).run.closed


def test_another_attempt_begins_only_once_the_last_childs_own_finally_is_over_however_long_it_takes() -> None:
    parent = "name: parent\nsteps:\n  sub: {workflow: child, timeout: 10m, retry: {attempts: 2, delay: 1s, on: [timed_out]}}"
    child = "name: child\nsteps: {work: {sleep: 1d}}\nfinally: {tidy: {sleep: 40m}}"
    world = World(parent, child)
    run = world.start("parent")
    world.drain(within=2)
    first = child_of(world, run)
    world.live(0.7)
    assert world.statuses(first) == {"work": "cancelled", "tidy": "running"}
    assert step_of(world, run)["attempts"] == 1
    world.live(0.3)
    assert world.show(first)["status"] == "cancelled"
    assert child_of(world, run).id != first.id


def test_a_run_without_containers_asks_nothing_of_arm_and_of_the_quota() -> None:
    world = World("name: parent\nsteps:\n  sub: {workflow: child}", "name: child\nsteps: {nap: {sleep: 1s}}")
    calls = [world.calls("arm", method) for method in ("deploy", "deployment", "group", "delete_group", "usages")]
    run = world.start("parent")
    world.live(0.5)
    world.ended(run, "succeeded")
    assert calls == [[]] * 5
    assert world.tables.list("quota") == []


def test_a_child_without_containers_is_closed_by_its_parents_cleanup_and_not_minutes_later_by_the_patrol():
    world, run, child = started("name: parent\nsteps: {sub: {workflow: child}}\n", "name: child\nsteps: {nap: {sleep: 1s}}\n")
    world.drain(within=90)
    assert store.read_run(world.tables, child.id).run.closed
    assert store.read_run(world.tables, run.id).run.closed
    assert world.queues.sent == []
