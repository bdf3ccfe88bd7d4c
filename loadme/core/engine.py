"""The engine: what an event makes of the state, and what the state asks to be done. Pure: no clock, no network, no randomness.

`decide(state, event, now)` gives the new state; `due(state, now)` gives the actions that the stored state still asks for. A handler, a
redelivered message and the patrol all store what `decide` gives and then perform what `due` says of it. Every action is idempotent by its
name, so doing one twice is harmless, and none exists only in a transition: nothing is lost with a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as with_changes
from datetime import datetime, timedelta

from msgspec.structs import replace

from loadme.core import attempts, runs
from loadme.core.events import (
    Action,
    Advance,
    Announce,
    Apply,
    Check,
    Cleaned,
    CleanUp,
    CleanupTried,
    CloseRun,
    Decline,
    Deployed,
    Event,
    ItemEvent,
    Launch,
    Release,
    Report,
    RequestStep,
)
from loadme.core.policies import Policy
from loadme.core.state import Attempt, Item, Run
from loadme.definitions.definition import Workflow

ItemKey = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class State:
    """The run and those of its items that are at hand. `asked` names the steps whose missing item means that they were not launched yet."""

    workflow: Workflow
    run: Run
    items: Mapping[ItemKey, Item] = field(default_factory=dict)
    asked: tuple[str, ...] = ()


def decide(state: State, event: Event, now: datetime, policy: Policy) -> State:
    """The state after the event; the same state if the event does not apply (late, repeated, of another attempt)."""
    if isinstance(event, Apply):
        return _apply(state, event, now)
    if not isinstance(event, ItemEvent):
        return with_changes(state, run=runs.changed(state.workflow, state.run, event, now))
    item = _item_after(state, event, now, policy)
    return state if item is None else with_changes(state, items={**state.items, (item.step, item.item): item})


def due(state: State, now: datetime, policy: Policy) -> tuple[Action, ...]:
    """All that the stored state still asks for, of what is at hand."""
    actions = tuple(action for item in state.items.values() for action in _item_due(state, item, now, policy))
    if state.run.status != "running":
        return (*actions, *(() if state.run.announced else (Announce(),)), CloseRun())
    return (*actions, *(RequestStep(name, 0) for name in state.asked if _is_missing(state, name, now, policy)))


def dependants(workflow: Workflow, step: str) -> tuple[str, ...]:
    """The steps that need this one directly."""
    return tuple(name for name, other in workflow.steps.items() if step in other.needs)


def current(state: State, step: str, item: int) -> Item | None:
    """The item, unless it is of a generation before the run was resumed."""
    found = state.items.get((step, item))
    return found if found is not None and found.generation == state.run.steps[step].generation else None


def check_delay(item: Item, number: int, timeout: float, silence: float | None, now: datetime, policy: Policy) -> float:
    """Seconds until check `number`: by the policy, but not past the moment at which the attempt times out or has been silent too long."""
    delay = policy.check_delay(number)
    started = item.attempt.started_at
    if started is None:
        return delay
    heard = max(started, item.attempt.progress.at) if item.attempt.progress else started
    ends = [started + timedelta(seconds=timeout), *([heard + timedelta(seconds=silence)] if silence else [])]
    left = min((end - now).total_seconds() for end in ends)
    return min(delay, left + 1.0) if left > 0 else delay


def _item_after(state: State, event: ItemEvent, now: datetime, policy: Policy) -> Item | None:
    """The item after the event; None if the event does not apply."""
    if isinstance(event, Launch | Decline):
        return _item_of_step(state, event, now, policy)
    item = state.items.get((event.attempt.step, event.attempt.item))
    if item is None:
        return None
    if isinstance(event, Cleaned | CleanupTried):
        return attempts.cleaned(item, event, now)
    if item.attempt_id != event.attempt:
        return None
    if isinstance(event, Deployed):
        return attempts.deployed(item, now)
    if isinstance(event, Report):
        return attempts.reported(state.workflow, item, event, now, _is_stopped(state, item))
    return attempts.released(item, event, now) if isinstance(event, Release) else attempts.observed(item, event, now)


def _item_of_step(state: State, event: Launch | Decline, now: datetime, policy: Policy) -> Item | None:
    item = state.items.get((event.step, event.item))
    is_current = current(state, event.step, event.item) is not None
    if state.run.status != "running" or state.run.steps[event.step].status != "started":
        return None
    if isinstance(event, Decline):
        return None if is_current or (item is not None and not item.is_over) else attempts.declined(state.run, item, event, now)
    return None if runs.is_stopped(state.run) else attempts.launched(state.run, item, event, now, policy)


def _apply(state: State, event: Apply, now: datetime) -> State:
    item = state.items.get((event.step, event.item))
    if item is None or item.outcome is None or not item.is_over or item.applied:
        return state
    # The outcome of a generation before the run was resumed changes nothing in it.
    is_current = current(state, event.step, event.item) is not None
    run = runs.applied(state.workflow, state.run, event.step, item.outcome, now) if is_current else state.run
    return with_changes(state, run=run, items={**state.items, (event.step, event.item): replace(item, applied=True)})


def _is_missing(state: State, step: str, now: datetime, policy: Policy) -> bool:
    """Whether a request for the step has to be sent. One that waits for an older attempt's container group to go comes again by itself."""
    old = state.items.get((step, 0))
    if state.run.steps[step].status != "started" or current(state, step, 0) is not None:
        return False
    return old is None or (old.outcome is not None and policy.is_free(old, now))


def _is_stopped(state: State, item: Item) -> bool:
    """Whether the item is to end: its run stops, or was resumed without it."""
    return runs.is_stopped(state.run) or item.generation != state.run.steps[item.step].generation


def _item_due(state: State, item: Item, now: datetime, policy: Policy) -> tuple[Action, ...]:
    before = tuple(action for one in item.past for action in _lost_cleanup(item, one.attempt, now, policy))
    if item.outcome is None:
        return (*before, *_unfinished_due(state, item, now, policy))
    # Cleanup comes after the outcome was applied, but does not depend on it: a run that cannot go on must not leak.
    is_next = item.retry is not None or item.applied or policy.is_lost(item.outcome.at, now)
    cleanup = _cleanup_due(item, now, policy) if is_next else ()
    if item.retry is not None:
        return (*before, *_retry_due(state, item, item.retry.at, now, policy), *cleanup)
    advance = () if item.applied else (Advance(item.attempt_id, item.outcome.outputs),)
    return (*before, *advance, *cleanup)


def _retry_due(state: State, item: Item, at: datetime, now: datetime, policy: Policy) -> tuple[Action, ...]:
    """The request for the next attempt. It comes again by itself until the last one's group is gone, so one is enough."""
    if _is_stopped(state, item):
        return (RequestStep(item.step, item.item),)
    is_first = item.attempt.cleanup_at is None and item.attempt.cleanup == "wanted"
    is_lost = policy.is_free(item, now) and policy.is_lost(at, now)
    return (RequestStep(item.step, item.item, max(0.0, (at - now).total_seconds())),) if is_first or is_lost else ()


def _unfinished_due(state: State, item: Item, now: datetime, policy: Policy) -> tuple[Action, ...]:
    if _is_stopped(state, item):
        return (RequestStep(item.step, item.item),)
    attempt = item.attempt
    if attempt.checks == 0:
        return (Check(item.attempt_id, 1, policy.check_delay(1)),)
    expected = attempt.check_at or (attempt.checked_at or attempt.launched_at) + timedelta(seconds=policy.check_delay(attempt.checks + 1))
    check = (Check(item.attempt_id, attempt.checks + 1, 0.0),) if policy.is_lost(expected, now) else ()
    is_late = attempt.due_at is not None and policy.is_lost(attempt.due_at, now)
    return (*check, *((RequestStep(item.step, item.item),) if is_late else ()))


def _cleanup_due(item: Item, now: datetime, policy: Policy) -> tuple[Action, ...]:
    if item.attempt.cleanup == "wanted" and item.attempt.cleanup_at is None:
        # A container that has just reported ends a moment later: looked at too soon, it would only be looked at again.
        number = item.attempt.cleanups + 1
        return (CleanUp(item.attempt_id, number, policy.cleanup_delay(number)),)
    return _lost_cleanup(item, item.attempt, now, policy)


def _lost_cleanup(item: Item, attempt: Attempt, now: datetime, policy: Policy) -> tuple[Action, ...]:
    last = attempt.cleanup_at or attempt.ended_at or attempt.launched_at
    is_lost = attempt.cleanup == "wanted" and policy.is_lost(last, now)
    return (CleanUp(item.attempt_id._replace(attempt=attempt.number), attempt.cleanups + 1, 0.0),) if is_lost else ()
