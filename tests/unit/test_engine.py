"""The pure engine: the same end whatever the order, one outcome, and no dead state."""

from __future__ import annotations

from dataclasses import replace as with_
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from loadme.core import engine, events, runs
from loadme.core.engine import State
from loadme.core.events import (
    Advance,
    Announce,
    Announced,
    Apply,
    Check,
    Checked,
    Cleaned,
    CleanUp,
    CleanupTried,
    CloseRun,
    Launch,
    Release,
    Report,
    RequestStep,
)
from loadme.core.ids import AttemptId
from loadme.core.outcome import Error, Outcome, Value
from loadme.core.policies import Policy
from loadme.core.state import Run
from loadme.definitions.definition import Step, Workflow

NOW = datetime(2030, 1, 1, tzinfo=UTC)
POLICY = Policy()
NONE = Value(inline={})
ID = "0" * 20


def workflow(**needs: tuple[str, ...]) -> Workflow:
    return Workflow(name="w", steps={name: Step(image="img", needs=needed) for name, needed in needs.items()})


def begun(definition: Workflow) -> State:
    run = Run(id=ID, workflow="w", definition="d", created_at=NOW, variables=NONE, steps={})
    return State(workflow=definition, run=runs.begin(definition, run), asked=tuple(definition.steps))


def launch(step: str, claim: str = "me") -> Launch:
    return Launch(step=step, item=0, variables=NONE, timeout=60.0, claim=claim)


def outcome(status: str = "succeeded", at: datetime = NOW) -> Outcome:
    return Outcome(status=status, at=at, error=None if status == "succeeded" else Error(kind="failed", message="m"))


def report(step: str, status: str = "succeeded", attempt: int = 1) -> Report:
    return Report(attempt=AttemptId(ID, step, 0, attempt), outcome=outcome(status))


def decide(state: State, *events: events.Event, now: datetime = NOW) -> State:
    for event in events:
        state = with_(engine.decide(state, event, now, POLICY), asked=state.asked)
    return state


def due(state: State, now: datetime = NOW) -> tuple[events.Action, ...]:
    return engine.due(state, now, POLICY)


@st.composite
def graphs(draw) -> Workflow:
    names = [f"s{number}" for number in range(draw(st.integers(1, 8)))]
    needs = {name: tuple(draw(st.sets(st.sampled_from(names[:index])))) if index else () for index, name in enumerate(names)}
    return workflow(**dict(draw(st.permutations(list(needs.items())))))


@given(graphs(), st.data())
@settings(deadline=None)
def test_whatever_ends_first_a_run_ends_the_same_and_only_after_what_it_needs(definition, data):
    ends = {name: data.draw(st.sampled_from(["succeeded", "failed", "skipped", "timed_out"])) for name in definition.steps}
    results = set()
    for _ in range(2):
        state = begun(definition)
        while ready := [action.step for action in due(state) if isinstance(action, RequestStep)]:
            step = data.draw(st.sampled_from(sorted(ready)))
            assert all(state.run.steps[need].status == "succeeded" for need in definition.steps[step].needs)
            state = decide(state, launch(step), report(step, ends[step]), Apply(step=step, item=0))
        results.add((state.run.status, tuple(sorted((name, step.status) for name, step in state.run.steps.items()))))
        assert state.run.status != "running"
    assert len(results) == 1
    status, steps = results.pop()
    assert (status == "failed") == any(one == "failed" for _, one in steps)


@given(graphs())
@settings(deadline=None)
def test_an_event_that_comes_again_changes_nothing(definition):
    state = begun(definition)
    while ready := [action.step for action in due(state) if isinstance(action, RequestStep)]:
        for event in (launch(ready[0]), report(ready[0]), Apply(step=ready[0], item=0)):
            state = decide(state, event)
            assert decide(state, event) == state
    assert state.run.status == "succeeded"


@pytest.mark.parametrize("order", list(permutations(["succeeded", "failed", "timed_out", "cancelled"])))
def test_the_first_outcome_is_the_only_one(order):
    state = decide(begun(workflow(a=())), launch("a"), *[report("a", status) for status in order])
    assert state.items["a", 0].outcome.status == order[0]
    assert state.items["a", 0].attempt.cleanup == "wanted"


def test_an_outcome_of_another_attempt_changes_nothing():
    state = decide(begun(workflow(a=())), launch("a"))
    assert decide(state, report("a", attempt=2)) == state


def test_a_step_that_was_not_started_cannot_be_launched():
    state = begun(workflow(a=(), b=("a",)))
    assert decide(state, launch("b")) == state


def test_a_launch_is_claimed_by_one_until_its_function_must_be_dead():
    state = decide(begun(workflow(a=())), launch("a"))
    timeout = timedelta(seconds=POLICY.function_timeout)
    assert decide(state, launch("a"), now=NOW + timeout - timedelta(seconds=1)) == state
    assert decide(state, launch("a"), now=NOW + timeout) != state
    released = decide(state, Release(attempt=AttemptId(ID, "a", 0, 1), why="busy", after=5.0))
    assert decide(released, launch("a"), now=NOW + timedelta(seconds=4)) == released
    assert decide(released, launch("a"), now=NOW + timedelta(seconds=5)) != released


def test_what_is_due_follows_from_what_is_stored():
    attempt = AttemptId(ID, "a", 0, 1)
    state = begun(workflow(a=()))
    assert due(state) == (RequestStep("a", 0),)
    state = decide(state, launch("a"))
    assert due(state) == (Check(attempt, 1, 15.0),)
    state = decide(state, Checked(attempt=attempt, number=1))
    assert due(state) == ()
    assert due(state, NOW + timedelta(minutes=10)) == (Check(attempt, 2, 0.0),)
    state = decide(state, report("a"))
    assert due(state) == (Advance(attempt, None),)
    assert due(state, NOW + timedelta(minutes=3)) == (Advance(attempt, None), CleanUp(attempt, 1, 2.0))
    state = decide(state, Apply(step="a", item=0))
    assert due(state) == (CleanUp(attempt, 1, 2.0), Announce(), CloseRun())
    state = decide(state, Announced(0))
    assert due(state) == (CleanUp(attempt, 1, 2.0), CloseRun())
    tried = decide(state, CleanupTried(attempt=attempt, number=1, delay=60.0))
    assert due(tried) == (CloseRun(),)
    assert due(tried, NOW + timedelta(minutes=4)) == (CleanUp(attempt, 2, 0.0), CloseRun())
    state = decide(state, Cleaned(attempt=attempt))
    assert due(state) == (CloseRun(),)


def test_a_check_that_comes_late_or_again_is_behind_the_count():
    attempt = AttemptId(ID, "a", 0, 1)
    state = decide(begun(workflow(a=())), launch("a"), Checked(attempt=attempt, number=2, started_at=NOW))
    assert decide(state, Checked(attempt=attempt, number=2), Checked(attempt=attempt, number=1)) == state
    assert (state.items["a", 0].attempt.status, state.items["a", 0].attempt.checks) == ("running", 2)


def test_the_next_check_comes_no_later_than_the_timeout():
    attempt = AttemptId(ID, "a", 0, 1)
    state = decide(begun(workflow(a=())), launch("a"), Checked(attempt=attempt, number=4, started_at=NOW))
    item = state.items["a", 0]
    assert engine.check_delay(item, 5, 300.0, None, NOW, POLICY) == 120.0
    assert engine.check_delay(item, 5, 60.0, None, NOW + timedelta(seconds=20), POLICY) == 41.0
    assert engine.check_delay(item, 5, 60.0, None, NOW + timedelta(seconds=200), POLICY) == 120.0
    not_started = replace(item, attempt=replace(item.attempt, started_at=None))
    assert engine.check_delay(not_started, 5, 1.0, None, NOW, POLICY) == 120.0


def test_the_error_of_a_run_is_that_of_its_failed_step():
    state = decide(begun(workflow(a=(), b=("a",))), launch("a"), report("a", "failed"), Apply(step="a", item=0))
    assert (state.run.status, state.run.error.step, state.run.steps["b"].status) == ("failed", "a", "skipped")
