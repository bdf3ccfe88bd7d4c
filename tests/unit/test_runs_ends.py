"""Failures that are handled, `finally`, cancel, time-out, resume and concurrency groups: what becomes of a run, by examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadme.core import runs
from loadme.core.events import Admit, Announced, Cancel, Closed, Fail, Purge, Resume, Skip, TimeOut
from loadme.core.outcome import Error, Outcome, Value
from loadme.core.state import Run, StepState
from loadme.definitions.definition import Catch, Workflow
from loadme.definitions.workflow_files import load
from tests.unit.run_plays import NOW, Play, a_run, a_step, a_workflow, statuses


def caught(**more: Any) -> Workflow:
    """Step a is caught with `mend`; b needs a, and `after` needs `mend`."""
    mend = {"mend": a_step(), "b": a_step("a"), "after": a_step("mend")}
    return a_workflow({"a": a_step(catch=(Catch(on=("too-late",), step="mend"),)), **mend}, **more)


def with_finally(**more: Any) -> Workflow:
    return a_workflow({"a": a_step(), "b": a_step("a")}, {"notify": a_step(), "tidy": a_step("notify")}, **more)


def resumed(play: Play, **given: Any) -> Play:
    play.happens(Announced(play.run.generation))
    assert play.happens(Resume(**given))
    return play


# Needs with named outcomes


@pytest.mark.parametrize(
    ("ending", "accepted", "status"),
    [
        ("succeeded", ["succeeded"], "started"),
        ("succeeded", ["failed"], "skipped"),
        ("too-late", ["failed", "skipped"], "started"),
        ("too-late", ["succeeded", "skipped"], "skipped"),
        ("skipped", ["skipped"], "started"),
        ("skipped", ["succeeded"], "skipped"),
    ],
)
def test_a_step_begins_when_what_it_needs_ended_in_a_way_that_it_accepts(ending, accepted, status):
    play = Play(a_workflow({"a": a_step(), "b": a_step(needs={"a": tuple(accepted)})}))

    assert play.ends_with("a", ending).run.steps["b"].status == status


def test_that_a_step_needs_a_failure_does_not_make_the_run_succeed():
    play = Play(a_workflow({"a": a_step(), "b": a_step(needs={"a": ("failed",)})})).ends_with("a", "too-late").ends_with("b")

    assert (play.run.status, play.run.error.kind, play.run.error.step) == ("failed", "too-late", "a")


def test_a_step_is_skipped_as_soon_as_one_need_ended_otherwise_though_others_are_still_at_work():
    play = Play(a_workflow({"slow": a_step(), "a": a_step(), "b": a_step(needs={"slow": ("succeeded",), "a": ("skipped",)})}))

    play.ends_with("a")

    assert statuses(play.run) == {"slow": "started", "a": "succeeded", "b": "skipped"}


# catch and on_error


def test_the_step_that_a_catch_names_runs_when_the_failure_is_of_its_kind_and_the_run_succeeds():
    play = Play(caught()).ends_with("a", "too-late")

    assert statuses(play.run) == {"a": "failed", "mend": "started", "b": "skipped", "after": "pending"}
    assert play.run.steps["a"].handled == "step:mend"
    assert play.ends_with("mend").ends_with("after").run.status == "succeeded"
    assert play.run.error is None


@pytest.mark.parametrize("ending", ["succeeded", "skipped", "exit_code"])
def test_the_step_that_a_catch_names_is_skipped_when_there_is_nothing_for_it_to_catch(ending):
    play = Play(caught()).ends_with("a", ending)

    assert play.run.steps["mend"].status == play.run.steps["after"].status == "skipped"
    assert play.run.steps["a"].handled == ""
    assert play.run.status == ("running" if ending == "succeeded" else "failed" if ending == "exit_code" else "succeeded")


def test_a_failure_whose_catching_step_is_skipped_is_handled_by_nothing():
    mend = {"other": a_step(), "mend": a_step("other")}
    play = Play(a_workflow({"a": a_step(catch=(Catch(step="mend"),)), **mend, "gate": a_step()}))

    play.ends_with("other", "skipped")
    play.ends_with("a", "failed")
    play.ends_with("gate", "succeeded")

    assert play.run.steps["mend"].status == "skipped"
    assert play.run.status == "failed"
    assert play.run.error is not None
    assert play.run.error.step == "a"
    assert {"a", "mend"} <= runs.resumable(play.workflow, play.run, "")


def test_a_step_that_catches_waits_for_what_else_it_needs():
    steps = {"a": a_step(catch=(Catch(step="mend"),)), "slow": a_step(), "mend": a_step("slow")}
    play = Play(a_workflow(steps)).ends_with("a", "failed")

    assert play.run.steps["mend"].status == "pending"
    assert play.ends_with("slow").run.steps["mend"].status == "started"


def test_when_what_catches_fails_itself_the_run_fails_with_that():
    play = Play(caught()).ends_with("a", "too-late").ends_with("mend", "exit_code")

    assert (play.run.status, play.run.error.step, play.run.error.kind) == ("failed", "mend", "exit_code")


@pytest.mark.parametrize(
    ("on", "kind", "is_caught"),
    [
        ((), "expression", True),
        ((), "infrastructure", True),
        ((), "cancelled-by-us", True),
        (("failed",), "failed", True),
        (("failed",), "exit_code", True),
        (("failed",), "too-late", True),
        (("failed",), "timed_out", False),
        (("failed",), "outputs", False),
        (("failed",), "capacity", False),
        (("failed",), "refused", False),
        (("timed_out", "refused"), "refused", True),
        (("exit_code",), "failed", False),
    ],
)
def test_a_catch_is_for_the_kinds_that_it_names_and_failed_is_what_the_work_said(on, kind, is_caught):
    play = Play(a_workflow({"a": a_step(catch=(Catch(on=on, outputs={"rows": 0}),))})).ends_with("a", kind)

    assert play.run.status == ("succeeded" if is_caught else "failed")


def test_a_step_whose_work_was_cancelled_elsewhere_is_caught_only_by_that_name():
    """A child run that somebody cancelled."""
    outcome = Outcome(status="failed", at=NOW, error=Error(kind="cancelled", message="m"))
    for on, status in (((), "failed"), (("cancelled",), "succeeded")):
        workflow = a_workflow({"a": a_step(catch=(Catch(on=on, outputs={}),))})
        assert runs.applied(workflow, a_run(workflow), "a", outcome, NOW).status == status


def test_the_first_catch_that_fits_counts_and_its_outputs_are_those_of_the_step():
    catch = (Catch(on=("heartbeat",), outputs={"n": 1}), Catch(on=("failed",), outputs={"n": 2}), Catch(outputs={"n": 3}))
    play = Play(a_workflow({"a": a_step(catch=catch, on_error="continue"), "b": a_step("a")})).ends_with("a", "exit_code")

    step = play.run.steps["a"]
    assert (step.status, step.handled, step.outputs, step.error.kind) == ("failed", "outputs", Value(inline={"n": 2}), "exit_code")
    assert play.run.steps["b"].status == "started"


def test_a_failure_that_nothing_catches_is_passed_over_with_on_error_continue():
    steps = {
        "a": a_step(on_error="continue", catch=(Catch(on=("heartbeat",), outputs={}),)),
        "b": a_step("a"),
        "c": a_step(needs={"a": ("failed",)}),
        "d": a_step(needs={"a": ("skipped",)}),
    }
    play = Play(a_workflow(steps)).ends_with("a", "too-late")

    assert statuses(play.run) == {"a": "failed", "b": "started", "c": "started", "d": "skipped"}
    assert play.ends_with("b").ends_with("c").run.status == "succeeded"


# finally


@pytest.mark.parametrize(("ending", "status"), [("succeeded", "succeeded"), ("too-late", "failed")])
def test_finally_runs_however_the_other_steps_ended_and_the_run_ends_as_they_did(ending, status):
    play = Play(with_finally()).ends_with("a")
    assert play.run.steps["notify"].status == "pending"

    play.ends_with("b", ending)

    assert (play.run.status, play.run.ending.status, play.run.ended_at) == ("running", status, None)
    assert {name: play.run.steps[name].status for name in ("notify", "tidy")} == {"notify": "started", "tidy": "pending"}
    play.later(60).ends_with("notify").ends_with("tidy")
    assert (play.run.status, play.run.ended_at) == (status, play.now)
    assert (play.run.error and play.run.error.kind) == (None if status == "succeeded" else "too-late")


def test_a_step_of_finally_that_fails_makes_a_run_fail_that_would_have_succeeded():
    play = Play(with_finally()).ends_with("a").ends_with("b").ends_with("notify", "exit_code")

    assert (play.run.status, play.run.error.step, play.run.ending.status) == ("failed", "notify", "succeeded")


def test_the_error_of_a_run_stays_the_first_one_when_finally_fails_as_well():
    play = Play(with_finally()).ends_with("a", "too-late").ends_with("notify", "exit_code")

    assert (play.run.status, play.run.error.step) == ("failed", "a")


def test_a_failure_in_finally_can_be_handled_as_any_other():
    steps = {"notify": a_step(on_error="continue"), "tidy": a_step("notify")}
    play = Play(a_workflow({"a": a_step()}, steps)).ends_with("a").ends_with("notify", "failed").ends_with("tidy")

    assert play.run.status == "succeeded"


def test_a_run_that_cannot_go_on_ends_without_its_finally():
    play = Play(with_finally())

    play.happens(Fail(error=Error(kind="poison", message="m")))

    assert (play.run.status, set(statuses(play.run).values())) == ("failed", {"cancelled"})


def the_page() -> Workflow:
    text = (Path(__file__).parents[2] / "docs" / "runs.md").read_text()
    workflow, problems = load(text.split("```yaml\n")[1].split("```")[0], "runs.yaml")
    assert workflow is not None, problems
    return workflow


@pytest.mark.parametrize(
    ("ending", "following"),
    [
        ("succeeded", {"fetch-again": "skipped", "statistics": "started", "load": "started"}),
        ("no-such-day", {"fetch-again": "skipped", "statistics": "started", "load": "started"}),
        ("timed_out", {"fetch-again": "started", "statistics": "skipped", "load": "pending"}),
        ("exit_code", {"fetch-again": "skipped", "statistics": "skipped", "load": "started"}),
    ],
)
def test_the_example_in_the_documentation_goes_as_it_says(ending, following):
    play = Play(the_page()).ends_with("fetch", ending)

    assert {name: play.run.steps[name].status for name in following} == following


# cancel


def test_a_cancel_ends_what_is_at_work_and_then_finally_runs():
    play = Play(with_finally())

    assert play.happens(Cancel(reason="enough"))
    assert statuses(play.run) == {"a": "started", "b": "cancelled", "notify": "pending", "tidy": "pending"}
    assert runs.is_stopped(play.run, "a")
    play.ends_with("a", "cancelled")

    assert (play.run.status, play.run.ending.status) == ("running", "cancelled")
    assert not runs.is_stopped(play.run, "notify")
    assert play.ends_with("notify").ends_with("tidy").run.status == "cancelled"


def test_a_cancel_while_finally_runs_changes_nothing_unless_it_is_forced():
    play = Play(with_finally()).ends_with("a", "too-late")

    assert not play.happens(Cancel())
    assert play.happens(Cancel(force=True, reason="now"))
    assert not play.happens(Cancel(force=True, reason="once more"))

    assert runs.is_stopped(play.run, "notify")
    assert play.run.steps["tidy"].status == "cancelled"
    play.ends_with("notify", "cancelled")
    assert (play.run.status, play.run.error.kind, play.run.cancel.reason) == ("cancelled", "too-late", "now")


def test_a_forced_cancel_lets_no_step_of_finally_begin():
    play = Play(with_finally())
    play.happens(Cancel())
    play.happens(Cancel(force=True))

    play.ends_with("a", "cancelled")

    assert play.run.status == "cancelled"
    assert statuses(play.run) == dict.fromkeys(["a", "b", "notify", "tidy"], "cancelled")


def test_what_has_succeeded_by_the_time_of_a_cancel_is_a_success():
    play = Play(with_finally()).ends_with("a")
    play.happens(Cancel())

    assert play.ends_with("b").ends_with("notify").ends_with("tidy").run.status == "succeeded"


# timeout


@pytest.mark.parametrize(("seconds", "is_late"), [(3599, False), (3600, True)])
def test_a_run_times_out_when_its_time_is_over_and_not_before(seconds, is_late):
    play = Play(with_finally(timeout="1h"))
    assert runs.deadline(play.workflow, play.run) == NOW.replace(hour=1)

    assert play.later(seconds).happens(TimeOut()) == is_late
    assert runs.is_stopped(play.run, "a") == is_late


def test_a_run_that_timed_out_has_failed_with_that_after_its_finally():
    play = Play(with_finally(timeout="1h")).ends_with("a").later(3600)
    play.happens(TimeOut())
    play.ends_with("b", "cancelled")

    assert (play.run.ending.status, play.run.ending.error.kind, play.run.ending.error.step) == ("failed", "timed_out", None)
    play.later(7200).ends_with("notify")
    assert not play.happens(TimeOut()), "finally has time of its own"
    assert (play.ends_with("tidy").run.status, play.run.error.kind) == ("failed", "timed_out")
    assert play.run.error.message == "the run was not over in time: `timeout` is 1h, and it ran out while b was at work"


def test_finally_has_time_of_its_own():
    play = Play(with_finally(timeout="1h")).ends_with("a", "failed").later(7200)

    assert not play.happens(TimeOut())
    assert play.run.steps["notify"].status == "started"


def test_a_run_without_a_timeout_or_not_begun_never_times_out():
    without, queued = Play(with_finally()), Play(with_finally(timeout="1h"), group="g")

    assert runs.deadline(without.workflow, without.run) is runs.deadline(queued.workflow, queued.run) is None
    assert not without.later(10**6).happens(TimeOut())
    assert not queued.later(10**6).happens(TimeOut())


# resume


def test_a_resume_runs_finally_again_and_the_time_of_the_run_begins_anew():
    play = Play(with_finally(timeout="1h")).ends_with("a").ends_with("b", "failed").ends_with("notify").ends_with("tidy").later(4000)

    resumed(play)

    assert {name: step.generation for name, step in play.run.steps.items()} == {"a": 0, "b": 1, "notify": 1, "tidy": 1}
    assert (play.run.begun_at, play.run.ending, play.run.error) == (play.now, None, None)
    assert statuses(play.run) == {"a": "succeeded", "b": "started", "notify": "pending", "tidy": "pending"}


def test_a_run_of_which_only_finally_failed_is_resumed_with_that():
    play = Play(with_finally()).ends_with("a").ends_with("b").ends_with("notify", "failed")

    resumed(play)

    assert statuses(play.run) == {"a": "succeeded", "b": "succeeded", "notify": "started", "tidy": "pending"}


def test_a_failure_that_was_handled_is_not_resumed_unless_it_is_behind_one_that_was_not():
    steps = {"x": a_step(), "first": a_step(on_error="continue"), "behind": a_step("x", on_error="continue"), "y": a_step("x")}
    play = Play(a_workflow(steps))
    play.ends_with("x").ends_with("first", "failed").ends_with("behind", "failed").ends_with("y", "failed")

    assert runs.resumable(play.workflow, play.run, "") == {"y"}
    assert runs.resumable(play.workflow, play.run, "x") == {"x", "behind", "y"}


def test_a_step_that_catches_runs_again_when_what_it_catches_does():
    play = Play(caught()).ends_with("a", "too-late").ends_with("mend", "failed")

    assert runs.resumable(play.workflow, play.run, "") == {"mend", "after"}
    assert runs.resumable(play.workflow, play.run, "a") == {"a", "mend", "b", "after"}
    assert statuses(resumed(play).run) == {"a": "failed", "mend": "started", "b": "skipped", "after": "pending"}


def test_a_run_that_is_being_deleted_is_not_resumed():
    play = Play(with_finally()).ends_with("a", "failed").ends_with("notify").ends_with("tidy")
    for event in (Announced(0), Closed(), Purge()):
        play.happens(event)

    assert not play.happens(Resume())


# concurrency groups


def queued() -> Play:
    return Play(with_finally(), group="g")


def test_a_run_with_a_group_waits_and_begins_when_it_is_admitted():
    play = queued()
    assert (play.run.status, play.run.begun_at, set(statuses(play.run).values())) == ("queued", None, {"pending"})

    assert play.later(30).happens(Admit())

    assert (play.run.status, play.run.begun_at, play.run.steps["a"].status) == ("running", play.now, "started")
    assert not play.happens(Admit())
    assert not play.happens(Skip("r"))


def test_a_queued_run_that_is_cancelled_is_over_at_once_without_its_finally():
    play = queued()

    assert play.happens(Cancel(reason="no"))

    assert (play.run.status, play.run.ended_at, play.run.cancel.reason) == ("cancelled", play.now, "no")
    assert set(statuses(play.run).values()) == {"cancelled"}
    assert not play.happens(Admit())


def test_a_skipped_run_is_over_and_can_be_announced_closed_and_resumed():
    play = queued()
    assert play.happens(Skip("another run has the group"))
    assert (play.run.status, play.run.is_over, play.run.error.message) == ("skipped", True, "another run has the group")
    assert play.happens(Announced(0))
    assert play.happens(Closed())

    assert play.happens(Resume())

    assert (play.run.status, set(statuses(play.run).values())) == ("queued", {"pending"})


def test_a_run_with_a_group_that_is_resumed_stands_in_line_again():
    play = queued()
    play.happens(Admit())
    play.ends_with("a").ends_with("b", "failed").ends_with("notify").ends_with("tidy")

    assert resumed(play).run.status == "queued"

    play.happens(Admit())
    assert statuses(play.run) == {"a": "succeeded", "b": "started", "notify": "pending", "tidy": "pending"}


@pytest.mark.parametrize("event", [Announced(0), Closed(), Purge(), Resume()])
def test_what_comes_after_the_end_changes_no_run_that_is_queued_running_or_at_its_finally(event):
    for play in (queued(), Play(with_finally()), Play(with_finally()).ends_with("a", "failed")):
        assert not play.happens(event)


def test_a_run_that_was_stored_before_there_was_finally_ends_as_it_did():
    old = Run(id="0" * 20, workflow="w", definition="d", created_at=NOW, variables=Value(), steps={"a": StepState(status="started")})
    play = Play(a_workflow({"a": a_step()}))
    play.run = old

    assert play.ends_with("a").run.status == "succeeded"
    assert play.run.ending is None
