"""The lanes of a `for_each` step in the pure engine: whatever ends first, each item has its turn once, and the step's end is the same."""

from __future__ import annotations

from dataclasses import replace as with_
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from loadme.core import engine, events, lanes, runs
from loadme.core.engine import State
from loadme.core.events import (
    Apply,
    Cancel,
    Collect,
    Collected,
    Decline,
    Expand,
    ExpandStep,
    Keep,
    LanesSeen,
    Launch,
    LookAtLanes,
    Report,
    RequestStep,
    Resume,
)
from loadme.core.ids import AttemptId
from loadme.core.outcome import Error, Outcome, Value
from loadme.core.policies import Policy
from loadme.core.state import Expansion, Run
from loadme.definitions.definition import Step, Workflow

NOW = datetime(2030, 1, 1, tzinfo=UTC)
POLICY = Policy()
NONE = Value(inline={})
ID = "0" * 20
MAP = Workflow(name="w", steps={"each": Step(image="img", for_each="${{ variables.x }}"), "behind": Step(image="img", needs=("each",))})


def begun(definition: Workflow = MAP) -> State:
    run = Run(id=ID, workflow="w", definition="d", created_at=NOW, variables=NONE, steps={})
    return asking(State(workflow=definition, run=runs.begin(definition, run)))


def asking(state: State) -> State:
    """All that is there is at hand, as when the patrol looks."""
    return with_(state, asked=tuple(state.run.steps), since=dict.fromkeys(state.run.steps, 0))


def decide(state: State, *given: events.Event) -> State:
    for event in given:
        state = asking(engine.decide(state, event, NOW, POLICY))
    return state


def due(state: State) -> tuple[events.Action, ...]:
    return engine.due(state, NOW, POLICY)


def expanded(count: int, width: int, tolerated: int = 0, definition: Workflow = MAP) -> State:
    found = Expansion(count=count, lanes=min(count, width), tolerated=tolerated, values="v", variables=NONE)
    return decide(begun(definition), Expand(step="each", generation=0, expansion=found))


def an_outcome(ending: str) -> Outcome:
    return Outcome(status=ending, at=NOW, error=None if ending == "succeeded" else Error(kind=ending, message="m"))


def item_ends(state: State, index: int, ending: str) -> State:
    """A request for the item is handled, its work ends, and that is brought into its lane."""
    if engine.must_end(state, ("each", index), NOW, POLICY):
        first: events.Event = Decline(step="each", item=index, variables=NONE, outcome=an_outcome("cancelled"))
        return decide(state, first, Apply(step="each", item=index))
    launched = decide(state, Launch(step="each", item=index, variables=NONE, timeout=60.0, claim="c"))
    number = launched.items["each", index].attempt.number
    report = Report(attempt=AttemptId(ID, "each", index, number), outcome=an_outcome(ending))
    return decide(launched, report, Apply(step="each", item=index))


def look(state: State) -> LanesSeen:
    return LanesSeen(step="each", generation=state.run.steps["each"].generation, lanes=tuple(state.lanes.values()))


def collected(state: State) -> Collected:
    return Collected(step="each", generation=state.run.steps["each"].generation, outputs=NONE)


def requested(state: State) -> list[int]:
    return [action.item for action in due(state) if isinstance(action, RequestStep) and action.step == "each"]


def played(state: State, endings: dict[int, str], pick, cancel_at: int | None = None) -> State:
    """The step as it is when nothing is due of it any more; `pick` says which of the things that are due is done next."""
    for turn in range(500):
        if turn == cancel_at:
            state = decide(state, Cancel())
        ready = [one for one in due(state) if isinstance(one, RequestStep | LookAtLanes | Collect) and one.step == "each"]
        if state.run.steps["each"].status != "started" or not ready:
            return state
        action = pick(ready)
        if isinstance(action, LookAtLanes):
            state = decide(state, look(state))
            others = [one for one in ready if not isinstance(one, LookAtLanes)]
            if not others:
                continue
            action = pick(others)
        if isinstance(action, Collect):
            state = decide(state, collected(state))
        elif isinstance(action, RequestStep):
            state = item_ends(state, action.item, endings.get(action.item, "succeeded"))
    raise AssertionError("it goes round for ever")


@given(st.integers(0, 25), st.integers(1, 6), st.integers(0, 4), st.data())
@settings(deadline=None)
def test_whatever_ends_first_the_step_fails_exactly_if_more_items_fail_than_it_tolerates(count, width, tolerated, data):
    failing = {index: "failed" for index in range(count) if data.draw(st.integers(0, 5)) == 0}
    state = played(expanded(count, width, tolerated), failing, lambda ready: data.draw(st.sampled_from(ready)))
    step = state.run.steps["each"]
    assert step.status == ("failed" if len(failing) > tolerated else "succeeded")
    assert step.map is not None
    if step.status == "succeeded":
        assert sorted(index for _, index in state.items) == list(range(count))
        assert (step.map.succeeded, step.map.failed) == (count - len(failing), len(failing))
    else:
        assert tolerated < step.map.failed <= len(failing)
        assert step.error is not None
        assert step.error.item in failing


@given(st.integers(1, 25), st.integers(1, 6), st.integers(0, 20), st.data())
@settings(deadline=None)
def test_a_cancelled_step_ends_after_what_was_at_work_and_begins_no_other_item(count, width, moment, data):
    state = expanded(count, width)
    before = played(state, {}, lambda ready: data.draw(st.sampled_from(ready)), cancel_at=moment)
    assert before.run.steps["each"].status in ("cancelled", "succeeded")
    over = [item.outcome.status for item in before.items.values() if item.outcome]
    assert len(over) == len(before.items), "nothing is left at work"
    assert over.count("cancelled") <= width


def test_a_lane_goes_from_item_to_item_and_is_over_behind_the_last_one():
    state = expanded(5, 2)
    assert requested(state) == [0, 1]
    state = item_ends(state, 0, "succeeded")
    assert requested(state) == [2, 1] or requested(state) == [1, 2]
    state = item_ends(item_ends(state, 2, "succeeded"), 4, "succeeded")
    assert state.lanes["each", 0].is_over
    assert requested(state) == [1]
    assert LookAtLanes("each") in due(state)


def test_the_run_is_not_changed_by_an_item_that_ends():
    state = expanded(5, 2)
    assert item_ends(state, 0, "succeeded").run == state.run
    assert item_ends(state, 0, "failed").run == state.run


@pytest.mark.parametrize(("tolerated", "failures", "is_news"), [(0, 1, True), (6, 2, False), (6, 3, True)])
def test_a_lane_is_looked_at_before_its_end_once_it_has_more_failures_than_its_part_of_those_tolerated(tolerated, failures, is_news):
    state = expanded(30, 3, tolerated)
    for index in range(failures):
        state = item_ends(state, 3 * index, "failed")
    assert (LookAtLanes("each") in due(state)) == is_news


def test_only_lanes_that_were_opened_are_asked_for():
    state = expanded(6, 3, definition=replace(MAP, max_parallel=2))
    assert requested(state) == [0, 1]


def test_what_a_change_has_begun_is_asked_for_and_nothing_else():
    definition = replace(MAP, max_parallel=2)
    before = expanded(6, 3, definition=definition)
    seen = before
    for index in (0, 3):
        seen = item_ends(seen, index, "succeeded")
    after = decide(seen, look(seen))
    asked, since = engine.news(seen.run, after.run)
    assert (asked, since["each"]) == (("each",), 2)
    narrow = State(workflow=definition, run=after.run, asked=asked, since=since)
    assert engine.due(narrow, NOW, POLICY) == (RequestStep("each", 2),)


def test_a_step_whose_values_are_not_known_asks_for_them_and_one_with_none_is_gathered():
    assert due(begun()) == (ExpandStep("each"),)
    assert due(expanded(0, 3)) == (Collect("each"),)


def resumed_after(failures: set[int], count: int = 6, width: int = 2, **resume: str) -> State:
    state = played(expanded(count, width), dict.fromkeys(failures, "failed"), lambda ready: ready[0])
    assert state.run.status == "failed"
    cleaned = {key: replace(item, attempt=replace(item.attempt, cleanup="done")) for key, item in state.items.items()}
    return decide(with_(state, items=cleaned), Resume(**resume))


def test_an_item_that_succeeded_before_a_resume_is_kept_and_its_lane_goes_on():
    state = resumed_after({2})
    assert requested(state) == [0, 1]
    assert engine.is_kept(state, ("each", 0))
    after = decide(state, Keep(step="each", item=0))
    assert after.items["each", 0].outcome == state.items["each", 0].outcome
    assert after.lanes["each", 0].item == 2
    assert not engine.is_kept(after, ("each", 2))
    assert decide(after, Keep(step="each", item=2)) == after
    assert decide(after, Keep(step="each", item=0)) == after


def test_nothing_is_kept_of_a_step_that_is_resumed_by_its_name():
    state = resumed_after({2}, start="each")
    assert due(state)[-1] == ExpandStep("each")
    assert not engine.is_kept(state, ("each", 0))


def test_nothing_is_kept_from_before_the_values_were_worked_out_again():
    state = resumed_after({2})
    step = state.run.steps["each"]
    assert step.map is not None
    anew = {**state.run.steps, "each": replace(step, map=replace(step.map, since=step.generation))}
    assert not engine.is_kept(with_(state, run=replace(state.run, steps=anew)), ("each", 0))


def test_the_first_error_of_a_lane_says_which_item_it_was():
    state = item_ends(item_ends(expanded(9, 3, tolerated=9), 1, "succeeded"), 4, "failed")
    error = item_ends(state, 7, "failed").lanes["each", 1].error
    assert error is not None
    assert (error.step, error.item) == ("each", 4)


def test_a_lane_of_an_older_generation_counts_for_nothing():
    state = resumed_after({2})
    assert state.lanes["each", 0].failed == 1
    assert lanes.current(state.run, state.lanes, "each", 0).item == 0
    assert LookAtLanes("each") not in due(state)
