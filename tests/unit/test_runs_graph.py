"""What begins when in a run, by properties: random graphs with named outcomes, catches, maps, slots and `finally`, stopped and resumed."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from loadme.core import runs
from loadme.core.events import Announced, Cancel, Closed, Resume, TimeOut
from loadme.core.state import OPEN_STEP, Run
from loadme.definitions.definition import Workflow
from tests.unit.run_plays import Play, a_step, a_workflow, expected, is_open, plays, slots_used, started, unhandled

MOST = 200


def to_the_end(play: Play, data: st.DataObject) -> list[Run]:
    """Every state on the way, in an order of chance."""
    seen = [play.run]
    while not play.run.is_over:
        assert len(seen) < MOST, f"stuck: {play.run}"
        ready = play.ready()
        assert ready, f"dead: {play.run}"
        play.goes_on(data.draw(st.sampled_from(ready)))
        seen.append(play.run)
    return seen


@given(plays(), st.data())
@settings(deadline=None)
def test_every_step_ends_as_its_needs_and_its_catch_say_whatever_ends_first_and_however_few_slots_there_are(play, data):
    wanted = expected(play)

    to_the_end(play, data)

    assert {name: (step.status, step.handled) for name, step in play.run.steps.items()} == {
        name: (one.status, one.handled) for name, one in wanted.items()
    }
    is_failed = bool(unhandled(wanted))
    assert play.run.status == ("failed" if is_failed else "succeeded")
    assert (play.run.error is not None) == is_failed


@given(plays(), st.data())
@settings(deadline=None)
def test_no_more_is_at_work_than_there_are_slots_and_none_stays_free_that_something_waits_for(play, data):
    most = play.workflow.max_parallel
    for run in to_the_end(play, data):
        assert most is None or slots_used(play.workflow, run) <= most
        if most is None or slots_used(play.workflow, run) < most:
            assert runs.progressed(play.workflow, run, play.now) == run
            assert not [name for name in run.steps if _could_begin(play.workflow, run, name)]


def _could_begin(workflow: Workflow, run: Run, name: str) -> bool:
    """Whether the step waits for nothing but a slot: only for steps without a catch on them, whose needs all succeeded."""
    step, state = workflow.every_step[name], run.steps[name]
    if run.is_over or (name in workflow.last) != (run.ending is not None):
        return False
    if state.status == "started":
        return state.map is not None and not state.map.is_failing and state.map.opened < state.map.lanes
    is_caught = any(entry.step == name for other in workflow.every_step.values() for entry in other.catch)
    needs = {(run.steps[need].status, accepted) for need, accepted in step.accepted.items()}
    return (
        state.status == "pending" and not is_caught and all(status == "succeeded" and "succeeded" in accepted for status, accepted in needs)
    )


@given(plays(), st.data())
@settings(deadline=None)
def test_steps_of_finally_begin_when_all_others_are_over_and_a_step_that_is_over_stays_as_it_is(play, data):
    seen = to_the_end(play, data)

    for before, after in pairwise(seen):
        for name, step in before.steps.items():
            assert step.status in OPEN_STEP or after.steps[name] == step
            assert name not in play.workflow.last or step.status == "pending" or not is_open(before, play.workflow.steps)
        assert before.ending in (None, after.ending)
    assert (play.run.ending is not None) == bool(play.workflow.last)


@given(plays(), st.data(), st.booleans(), st.booleans(), st.integers(0, 12))
@settings(deadline=None)
def test_a_run_that_is_stopped_begins_nothing_more_but_finally_and_comes_to_its_end(play, data, is_late, force, moment):
    for _ in range(moment):
        if ready := play.ready():
            play.goes_on(data.draw(st.sampled_from(ready)))
    stopped = play.run
    is_stopped = play.later(3601).happens(TimeOut() if is_late else Cancel(reason="enough", force=force))

    seen = to_the_end(play, data)

    begun = {name for run in seen for name in started(run) if stopped.steps[name].status == "pending"}
    if is_stopped:
        is_forced = force and not is_late
        assert not begun & set(play.workflow.every_step if is_forced else play.workflow.steps)
        assert is_forced or all(play.run.steps[name].status != "cancelled" for name in play.workflow.last)
    assert not is_open(play.run, play.workflow.every_step)
    assert is_stopped or play.run.cancel is None


@given(plays(), st.data())
@settings(deadline=None)
def test_a_resume_runs_again_what_failed_all_behind_it_and_finally_and_nothing_else(play, data):
    to_the_end(play, data)
    before = play.run
    start = data.draw(st.sampled_from(["", *play.workflow.every_step]))
    first = unhandled(before.steps) | ({start} if start else set())
    again = _closure(play.workflow, first)
    play.run = runs.changed(play.workflow, runs.changed(play.workflow, before, Announced(0), play.now), Closed(), play.now)

    assert play.happens(Resume(start=start)) == bool(again) == bool(runs.resumable(play.workflow, before, start))

    for name, step in before.steps.items():
        assert (play.run.steps[name].generation == 1) == (name in again)
        assert name in again or play.run.steps[name] == step
    play.ends = {name: kind if name not in first else "succeeded" for name, kind in play.ends.items()}
    if again:
        to_the_end(play, data)
        assert {name: (step.status, step.handled) for name, step in play.run.steps.items()} == {
            name: (one.status, one.handled) for name, one in expected(play).items()
        }


def _closure(workflow: Workflow, first: set[str]) -> set[str]:
    found = set(first)
    for _ in workflow.every_step:
        for name, step in workflow.every_step.items():
            catchers = {other for other, one in workflow.every_step.items() if any(entry.step == name for entry in one.catch)}
            if found & (set(step.accepted) | catchers) or (name in workflow.last and found):
                found.add(name)
    return found


def test_a_definition_of_500_steps_is_gone_through_once_for_an_event(monkeypatch):
    asked = []
    real = runs.endings.next_status
    monkeypatch.setattr(runs.endings, "next_status", lambda workflow, steps, name: asked.append(name) or real(workflow, steps, name))
    # In the reverse of the order in which they can run, so that several passes would be needed to skip them all.
    names = [f"s{number}" for number in range(500)]
    steps = {name: a_step(*names[:number][-1:]) for number, name in enumerate(names)}
    play = Play(a_workflow(dict(reversed(steps.items()))))
    asked.clear()

    play.later(60).ends_with("s0", "failed")

    assert (len(asked), play.run.status) == (499, "failed")
