"""The lanes of a `for_each` step: each works through its items one after the other, so that no two outcomes meet in one row.

Lane L of n goes from item L to item L + n, and so on. It is over when no item is left, or when none may begin any more.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from loadme.core import expansions, runs
from loadme.core.outcome import SHORT
from loadme.core.state import Expansion, Item, Lane, Run

LaneKey = tuple[str, int]

MOST_LANES = 100
"""A query for all lanes of a step has this many rows, and one event opens at most as many."""

COUNTED = {"succeeded": "succeeded", "failed": "failed", "timed_out": "failed", "skipped": "skipped", "cancelled": "cancelled"}


def of_item(run: Run, step: str, item: int) -> int | None:
    """The number of the lane that the item is in; None for a step without lanes."""
    expansion = run.steps[step].map if step in run.steps else None
    return item % expansion.lanes if expansion is not None and expansion.lanes else None


def current(run: Run, known: Mapping[LaneKey, Lane], step: str, number: int) -> Lane:
    """The lane as it stands: at its first item, if nothing is known of it in this generation of the step."""
    lane, generation = known.get((step, number)), run.steps[step].generation
    if lane is not None and lane.generation == generation:
        return lane
    return Lane(run=run.id, step=step, lane=number, generation=generation, item=number)


def passed(run: Run, lane: Lane, item: Item) -> Lane:
    """The lane after the outcome of its item: at the next one, or over."""
    assert item.outcome is not None  # noqa: S101 (an item is applied only with its outcome)
    expansion = _expansion(run, lane.step)
    counted, following = COUNTED[item.outcome.status], item.item + expansion.lanes
    is_over = following >= expansion.count or is_closing(run, lane.step)
    error = item.outcome.error if counted == "failed" else None
    first = lane.error or (error and replace(error, step=lane.step, item=item.item, message=error.message[:SHORT], details=(), log=()))
    after = replace(lane, item=following, is_over=is_over, error=first)
    return replace(after, **{counted: getattr(lane, counted) + 1})


def is_closing(run: Run, step: str) -> bool:
    """Whether no item of the step begins any more."""
    expansion = run.steps[step].map
    return runs.is_stopped(run, step) or (expansion is not None and expansion.is_failing)


def is_at_work(run: Run, lane: Lane) -> bool:
    """Whether the lane was opened, in a step that is not ready to be gathered."""
    state = run.steps[lane.step]
    if state.status != "started" or state.map is None or lane.lane >= state.map.opened:
        return False
    return not are_over(run, lane.step)


def are_over(run: Run, step: str) -> bool:
    """Whether all lanes that were opened are over, and no other one will be: the step's outputs can be gathered."""
    return expansions.are_over(_expansion(run, step), runs.is_stopped(run, step))


def is_news(run: Run, lane: Lane) -> bool:
    """Whether the run may have to know how the lane stands: it is over, or has more failures than its part of those tolerated."""
    expansion = _expansion(run, lane.step)
    has_too_many = not expansion.is_failing and lane.failed > expansion.tolerated // max(1, expansion.lanes)
    return lane.is_over or has_too_many


def _expansion(run: Run, step: str) -> Expansion:
    found = run.steps[step].map
    assert found is not None  # noqa: S101 (asked only of a step whose values are known)
    return found
