"""A step that waits for an answer: by whom, until when, early, late, twice, and whatever dies in between. A step that sleeps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from loadme import store
from loadme.core.state import MOST_PAST, Item, Run
from loadme.errors import Rejected, Unavailable
from loadme.handlers import control, purge
from tests.world import World, attempt_id, die

WAIT = """
name: sample
steps:
  first: {image: i}
  approve:
    needs: [first]
    wait: {timeout: 2h, assignee: ops@contoso.com}
    outputs: {approved: boolean, note: {type: string, required: false}}
  after: {needs: [approve], image: i, command: ["${{ string(variables.approved) }}"]}
"""
ALONE = "name: sample\nsteps:\n  approve: {wait: {}, outputs: {approved: boolean}}"
DEFAULT = WAIT.replace("timeout: 2h,", "timeout: 2h, default: {approved: false},")


def waiting(text: str = WAIT) -> tuple[World, Run]:
    """A world whose run waits for an answer."""
    world = World(text)
    run = world.start()
    world.drain(within=1)
    if "first" in world.statuses(run):
        finish(world, attempt_id(run, "first"))
        world.drain(within=2)
    return world, run


def finish(world: World, attempt: str) -> None:
    world.report(attempt)
    world.arm.finish(attempt, at=world.moment)


def item_of(world: World, run: Run, step: str = "approve") -> Item:
    found = store.read_item(world.tables, run.id, step, 0)
    assert found is not None
    return found.item


def shown(world: World, run: Run, step: str = "approve") -> dict[str, Any]:
    return next(one for one in world.show(run)["steps"] if one["name"] == step)


def refused(world: World, run: Run, step: str = "approve", by: str = "", **outputs: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        world.signal(run, step, by, **outputs)
    return caught.value


def test_an_answer_is_the_steps_outputs_and_the_run_goes_on_at_once() -> None:
    world, run = waiting()
    assert world.signal(run, "approve", "Ada", approved=True) == "accepted"
    world.drain(within=1)
    assert world.arm.parameters[attempt_id(run, "after")]["command"] == ["true"]
    finish(world, attempt_id(run, "after"))
    world.live(0.5)
    world.ended(run, "succeeded")


def test_a_step_that_waits_is_shown_with_all_that_is_needed_to_answer_it() -> None:
    world, run = waiting()
    step = shown(world, run)
    assert (step["kind"], step["status"]) == ("wait", "running")
    assert step["ends_at"] == (item_of(world, run).attempt.launched_at + timedelta(hours=2)).isoformat(timespec="milliseconds")[:-6] + "Z"
    assert step["answer"] == {
        "assignee": "ops@contoso.com",
        "link": f"/api/runs/{run.id}/signal/approve",
        "schema": {
            "type": "object",
            "properties": {"approved": {"type": "boolean"}, "note": {"type": "string"}},
            "required": ["approved"],
        },
    }


def test_who_answered_is_recorded_and_shown() -> None:
    world, run = waiting()
    world.signal(run, "approve", "Ada", approved=True)
    world.drain(within=1)
    step = shown(world, run)
    assert (step["answered_by"], step["answer"]) == ("Ada", None)
    outcome = item_of(world, run).outcome
    assert outcome is not None
    assert (outcome.by, outcome.source) == ("Ada", "signal")


@pytest.mark.parametrize(
    ("outputs", "words"), [({"approved": "maybe"}, "approved"), ({}, "approved"), ({"approved": True, "note": 3}, "note")]
)
def test_an_answer_of_another_shape_is_refused_and_the_step_waits_on(outputs: dict[str, Any], words: str) -> None:
    world, run = waiting()
    wrong = refused(world, run, **outputs)
    assert wrong.status == 422
    assert [error["field"] for error in wrong.errors] == [words]
    assert world.statuses(run)["approve"] == "running"
    assert world.signal(run, "approve", approved=True) == "accepted"


def test_the_same_answer_again_is_no_other_one_and_another_one_is_refused() -> None:
    world, run = waiting()
    assert [world.signal(run, "approve", "Ada", approved=True) for _ in range(2)] == ["accepted"] * 2
    wrong = refused(world, run, approved=False)
    assert wrong.status == 409
    assert "Ada" in wrong.detail
    world.drain(within=1)
    assert shown(world, run)["outputs"] == {"approved": True}


def test_an_early_answer_is_kept_until_the_step_waits() -> None:
    world = World(WAIT)
    run = world.start()
    assert world.signal(run, "approve", "Ada", approved=True) == "kept"
    assert world.signal(run, "approve", "Ada", approved=True) == "kept"
    assert refused(world, run, approved=False).status == 409
    world.drain(within=1)
    finish(world, attempt_id(run, "first"))
    world.drain(within=1)
    assert shown(world, run)["answered_by"] == "Ada"
    assert world.statuses(run)["after"] == "running"


def test_a_step_that_is_not_answered_in_time_fails_and_says_so() -> None:
    world, run = waiting()
    world.live(1.9)
    assert world.statuses(run)["approve"] == "running"
    world.live(0.3)
    error = world.ended(run)
    assert (error["kind"], error["step"]) == ("timed_out", "approve")
    assert "2h" in error["message"]
    assert "resume" in error["hint"]


def test_a_default_answers_for_whoever_did_not() -> None:
    world, run = waiting(DEFAULT)
    world.live(2.1)
    step = shown(world, run)
    assert (step["status"], step["outputs"], step["answered_by"]) == ("succeeded", {"approved": False}, None)
    assert item_of(world, run).outcome.source == "timer"  # type: ignore[union-attr]
    assert refused(world, run, approved=True).status == 409


def test_without_a_timeout_a_step_waits_for_weeks_and_costs_a_look_an_hour() -> None:
    world, run = waiting(ALONE)
    world.drain(within=21 * 86_400)
    assert world.statuses(run) == {"approve": "running"}
    assert item_of(world, run).attempt.checks <= 21 * 24 + 2
    assert world.signal(run, "approve", approved=True) == "accepted"


def test_a_wait_asks_nothing_of_arm_and_leaves_nothing_to_clean_up() -> None:
    world, run = waiting(ALONE)
    calls = [world.calls("arm", method) for method in ("deploy", "deployment", "group", "delete_group", "usages")]
    world.signal(run, "approve", approved=True)
    world.live(0.2)
    assert calls == [[]] * 5
    assert item_of(world, run).attempt.cleanup == "none"
    world.ended(run, "succeeded")


@pytest.mark.parametrize(
    ("text", "step", "status", "words"),
    [
        (WAIT, "aprove", 404, "did you mean `approve`"),
        (WAIT, "first", 409, "no `wait`"),
        ("name: sample\nsteps: {only: {image: i}}", "other", 404, "no step of it waits"),
    ],
)
def test_an_answer_to_what_does_not_wait_is_refused(text: str, step: str, status: int, words: str) -> None:
    world = World(text)
    wrong = refused(world, world.start(), step)
    assert wrong.status == status
    assert words in wrong.detail


def test_an_answer_to_an_unknown_run_is_refused() -> None:
    world, _ = waiting(ALONE)
    with pytest.raises(Rejected) as caught:
        world.signal("01jg8qk3m0000000000a", "approve", approved=True)
    assert caught.value.status == 404


def test_a_cancelled_run_waits_no_more() -> None:
    world, run = waiting()
    control.cancel(world.services, run.id, {})
    assert refused(world, run, approved=True).status == 409
    world.live(0.2)
    world.ended(run, "cancelled")
    assert refused(world, run, approved=True).status == 409


def test_a_resume_waits_anew_and_an_answer_that_was_used_is_not_used_again() -> None:
    world, run = waiting()
    world.signal(run, "approve", "Ada", approved=True)
    world.drain(within=1)
    world.arm.finish(attempt_id(run, "after"), exit_code=1, at=world.moment)
    world.live(0.5)
    control.resume(world.services, run.id, {"from": "approve"})
    world.drain(within=30)
    assert world.statuses(run)["approve"] == "running"
    assert world.signal(run, "approve", "Bob", approved=True) == "accepted"
    world.drain(within=1)
    assert (shown(world, run)["answered_by"], shown(world, run)["attempts"]) == ("Bob", 2)


def test_an_early_answer_outlives_a_resume() -> None:
    world = World(WAIT)
    run = world.start()
    world.signal(run, "approve", "Ada", approved=True)
    world.drain(within=1)
    world.arm.finish(attempt_id(run, "first"), exit_code=1, at=world.moment)
    world.live(0.5)
    assert world.show(run)["status"] == "failed"
    control.resume(world.services, run.id, {})
    world.drain(within=5)
    finish(world, attempt_id(run, "first", attempt=2))
    world.drain(within=5)
    assert shown(world, run)["answered_by"] == "Ada"


def test_an_answer_that_came_too_late_is_not_used_after_a_resume() -> None:
    world, run = waiting()
    timer = [one for one in world.queues.sent if "StepCheck" in one.body][-1]

    def time_is_over() -> None:
        world.pass_time(3 * 3600)
        world.queues.sent.remove(timer)
        world.deliver(timer.body, timer.queue)

    # The answer's row is read by the check just before it is written.
    world.before("write", 1, time_is_over)
    assert refused(world, run, approved=True).status == 409
    world.live(0.5)
    control.resume(world.services, run.id, {})
    world.drain(within=30)
    assert world.statuses(run)["approve"] == "running"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("number", range(1, 10))
def test_a_process_that_dies_at_any_write_between_an_answer_and_its_step_loses_neither(number: int, first: bool) -> None:
    world = World(ALONE)
    run = world.start()
    if first:
        world.signal(run, "approve", "Ada", approved=True)
        world.before("write", number, die)
        world.live(0.2)
    else:
        world.drain(within=1)
        world.before("write", number, die)
        for _ in range(3):
            answer_again(world, run)
        world.live(0.2)
    assert shown(world, run)["answered_by"] == "Ada"
    world.ended(run, "succeeded")


def answer_again(world: World, run: Run) -> None:
    try:
        world.signal(run, "approve", "Ada", approved=True)
    except MemoryError:
        return


def test_an_answer_between_the_launch_and_its_look_at_the_answers_is_taken_once() -> None:
    world = World(ALONE)
    run = world.start()
    answers: list[str] = []
    # Just after the item is written, before the launcher reads the row.
    real = world.tables.read

    def read(partition: str, row: str) -> Any:
        if row.startswith("s~") and not answers:
            answers.append("")
            answers[0] = world.signal(run, "approve", approved=True)
        return real(partition, row)

    world.tables.read = read  # type: ignore[method-assign]
    world.live(0.2)
    assert answers == ["accepted"]
    world.ended(run, "succeeded")


def test_two_people_at_the_same_moment_and_one_of_them_is_heard() -> None:
    world, run = waiting(ALONE)
    said: list[str] = []
    world.before("write", 1, lambda: said.append(world.signal(run, "approve", "Bob", approved=False)))
    wrong = refused(world, run, approved=True, by="Ada")
    assert (said, wrong.status) == (["accepted"], 409)
    world.drain(within=1)
    assert shown(world, run)["answered_by"] == "Bob"


def test_an_answers_row_goes_with_its_run() -> None:
    world, run = waiting(ALONE)
    world.signal(run, "approve", approved=True)
    world.live(0.2)
    assert purge.delete(world.services, run.id)
    assert world.tables.list(run.id) == []


def nap(sleep: str, **variables: Any) -> tuple[World, Run]:
    world = World(
        f"name: sample\nvariables: {{pause: 90s, at: ''}}\nsteps:\n  nap: {{sleep: {sleep}}}\n  after: {{needs: [nap], image: i}}"
    )
    run = world.start(**variables)
    return world, run


@pytest.mark.parametrize(
    ("sleep", "seconds"),
    [
        ("5s", 5),
        ("10m", 600),
        ("1h30m", 5400),
        ("{for: 2d}", 172_800),
        ("'${{ variables.pause }}'", 90),
        ("{until: '2030-01-01T12:00:30Z'}", 30),
        ("{until: '2030-01-01T14:00:00+01:00'}", 3600),
        ("{until: '${{ variables.at }}'}", 45),
    ],
)
def test_a_sleep_lasts_as_long_as_it_says_to_the_second(sleep: str, seconds: float) -> None:
    world, run = nap(sleep, at="2030-01-01T12:00:45Z")
    world.drain(within=seconds - 1)
    assert world.statuses(run) == {"nap": "running", "after": "pending"}
    world.drain(within=2)
    assert world.statuses(run) == {"nap": "succeeded", "after": "running"}
    assert item_of(world, run, "nap").attempt.cleanup == "none"


def test_a_time_that_has_passed_is_no_sleep() -> None:
    world, run = nap("{until: '2029-01-01T00:00:00Z'}")
    world.drain(within=1)
    assert world.statuses(run)["nap"] == "succeeded"


def test_a_resumed_sleep_sleeps_again() -> None:
    world, run = nap("10m")
    world.drain(within=601)
    world.arm.finish(attempt_id(run, "after"), exit_code=1, at=world.moment)
    world.live(0.2)
    control.resume(world.services, run.id, {"from": "nap"})
    world.drain(within=590)
    assert world.statuses(run)["nap"] == "running"
    world.drain(within=15)
    assert world.statuses(run)["nap"] == "succeeded"


@pytest.mark.parametrize(
    ("sleep", "variables", "words"),
    [
        ("'${{ variables.pause }}'", {"pause": "soon"}, "not a duration"),
        ("'${{ variables.pause }}'", {"pause": "9999d"}, "ten years"),
        ("{until: '${{ variables.at }}'}", {"at": "tomorrow"}, "not a time"),
        ("{until: '${{ variables.at }}'}", {"at": "2030-01-01T12:00:00"}, "time zone"),
    ],
)
def test_a_sleep_that_cannot_be_worked_out_fails_and_says_how_to_write_it(sleep: str, variables: dict[str, str], words: str) -> None:
    world, run = nap(sleep, **variables)
    world.live(0.1)
    error = world.ended(run)
    assert (error["kind"], error["step"]) == ("expression", "nap")
    assert words in error["message"]


def test_a_cancelled_sleep_ends_at_once() -> None:
    world, run = nap("10m")
    world.drain(within=60)
    control.cancel(world.services, run.id, {})
    world.drain(within=10)
    assert world.show(run)["status"] == "cancelled"


@pytest.mark.parametrize("number", range(1, 8))
def test_a_process_that_dies_at_any_write_of_a_sleep_makes_it_late_at_the_most(number: int) -> None:
    world, run = nap("2m")
    world.before("write", number, die)
    world.live(0.25)
    assert world.statuses(run)["nap"] == "succeeded"


def test_a_sleep_whose_check_is_lost_is_woken_by_the_patrol() -> None:
    world, run = nap("3m")
    world.drain(within=60)
    world.queues.sent[:] = [one for one in world.queues.sent if "StepCheck" not in one.body]
    world.live(0.2)
    assert world.statuses(run)["nap"] == "succeeded"


def test_a_step_whose_if_is_false_neither_waits_nor_sleeps() -> None:
    world = World("name: sample\nsteps:\n  a: {if: '${{ false }}', wait: {}}\n  b: {if: '${{ false }}', sleep: 10m}")
    run = world.start()
    world.drain(within=1)
    assert world.statuses(run) == {"a": "skipped", "b": "skipped"}


def test_an_answer_that_comes_again_sends_the_message_that_the_first_one_could_not():
    world, run = waiting(ALONE)
    world.calls("queues", "send", Unavailable("the queue does not answer"))
    with pytest.raises(Unavailable):
        world.signal(run, "approve", approved=True)
    world.recover("queues", "send")
    assert world.signal(run, "approve", approved=True) == "accepted"
    world.drain(within=60)
    assert world.show(run)["status"] == "succeeded"


def test_an_answer_is_not_taken_again_by_an_attempt_so_late_that_the_one_it_ended_is_forgotten():
    world, run = waiting("name: sample\nsteps:\n  approve: {wait: {timeout: 1m}}\n  after: {needs: [approve], image: i}\n")
    world.signal(run, "approve")
    world.drain(within=10)
    world.arm.finish(attempt_id(run, "after"), exit_code=1)
    for _ in range(MOST_PAST + 3):
        world.live(hours=0.2)
        assert world.show(run)["status"] == "failed"
        control.resume(world.services, run.id, {"from": "approve"})
    world.live(hours=0.2)
    assert world.statuses(run)["approve"] == "failed"
