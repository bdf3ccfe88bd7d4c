"""What becomes of a `for_each` step as a whole: its values become known, its lanes end, its outputs are gathered."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from loadme.core import endings
from loadme.core.events import Collected, Expand, LanesSeen
from loadme.core.outcome import SHORT, Error, Outcome, OutcomeStatus
from loadme.core.state import Expansion, Lane, StepState
from loadme.definitions.definition import Step

_ROOM = 120
"""Characters of an error's message that say how many items failed."""


def are_over(found: Expansion, is_stopped: bool) -> bool:
    """Whether no lane is at work, and none will be."""
    return found.active <= 0 and (found.opened >= found.lanes or found.is_failing or is_stopped)


def expanded(step: Step, state: StepState, event: Expand, now: datetime) -> StepState:
    """The step with the values of its `for_each` known; over, if there are none to be had."""
    if not _is_about(state, event) or state.map is not None:
        return state
    if event.error is not None:
        status: OutcomeStatus = "cancelled" if event.error.kind == "cancelled" else "failed"
        return endings.ended(step, state, Outcome(status=status, at=now, error=event.error), event.step)
    if event.expansion is None:
        return endings.ended(step, state, Outcome(status="skipped", at=now), event.step)
    return replace(state, map=event.expansion)


def seen(state: StepState, event: LanesSeen, *, is_stopped: bool, is_limited: bool) -> StepState:
    """The step with its lanes as they stand. As it was if nothing follows from them: a run's row is not written for each lane.

    `is_limited` if something may wait for a slot that a lane no longer takes.
    """
    found = state.map
    if found is None or not _is_about(state, event):
        return state
    after = _counted(found, [lane for lane in event.lanes if lane.generation == event.generation])
    if after.closed < found.closed:
        return state  # somebody has seen more since
    is_news = after.is_failing != found.is_failing or are_over(after, is_stopped) or (is_limited and after.closed > found.closed)
    return replace(state, map=after) if is_news else state


def collected(step: Step, state: StepState, event: Collected, now: datetime, *, is_stopped: bool) -> StepState:
    """The step with its end, if all its lanes are over."""
    found = state.map
    if found is None or not _is_about(state, event) or not are_over(found, is_stopped):
        return state
    return endings.ended(step, state, _outcome(found, event, now), event.step)


def kept(state: StepState, generation: int) -> StepState:
    """The step as it begins once more, with the values that it had: the items that succeeded are not worked again."""
    found = state.map
    if found is None:
        return StepState(generation=generation)
    cleared = replace(found, opened=0, closed=0, succeeded=0, failed=0, skipped=0)
    again = replace(cleared, error=None, is_failing=False, keeps=True)
    return StepState(generation=generation, map=again)


def _is_about(state: StepState, event: Expand | LanesSeen | Collected) -> bool:
    return state.status == "started" and state.generation == event.generation


def _counted(found: Expansion, lanes: list[Lane]) -> Expansion:
    failed = sum(lane.failed for lane in lanes)
    errors = sorted((lane.error for lane in lanes if lane.error), key=lambda error: error.item or 0)
    return replace(
        found,
        closed=sum(lane.is_over for lane in lanes),
        succeeded=sum(lane.succeeded for lane in lanes),
        failed=failed,
        skipped=sum(lane.skipped for lane in lanes),
        error=_short(errors[0]) if errors else found.error,
        is_failing=found.is_failing or failed > found.tolerated,
    )


def _short(error: Error) -> Error:
    return replace(error, message=error.message[: SHORT - _ROOM], details=(), log=())


def _outcome(found: Expansion, event: Collected, now: datetime) -> Outcome:
    if found.failed > found.tolerated:
        return Outcome(status="failed", at=now, outputs=event.outputs, error=_failure(found))
    over = found.succeeded + found.failed + found.skipped
    if over < found.count:
        error = Error(kind="cancelled", message=f"{over} of {found.count} items were over when it was stopped")
        return Outcome(status="cancelled", at=now, outputs=event.outputs, error=error)
    status: OutcomeStatus = "failed" if event.error else "succeeded"
    return Outcome(status=status, at=now, outputs=event.outputs, error=event.error)


def _failure(found: Expansion) -> Error:
    first = found.error or Error(kind="failed", message="")
    which = "an item" if first.item is None else f"item {first.item} (from 0)"
    said = f"{which} of {found.count} failed" + (f": {first.message}" if first.message else "")
    return replace(first, message=f"{said}; {found.failed} of {found.count} items failed, {found.tolerated} are tolerated")
