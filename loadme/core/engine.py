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

from loadme.core import attempts, lanes, runs
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
    Collect,
    Decline,
    Deployed,
    Event,
    ExpandStep,
    ItemEvent,
    Keep,
    Launch,
    LeaveGroup,
    LookAtLanes,
    Release,
    Report,
    RequestStep,
    TellParent,
)
from loadme.core.lanes import LaneKey
from loadme.core.policies import Policy
from loadme.core.state import Attempt, Item, Lane, Run
from loadme.definitions.definition import Workflow

ItemKey = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class State:
    """The run and those of its items and lanes that are at hand.

    `asked` names the steps whose missing item means that they were not launched yet; `since` says of a `for_each` step from which lane on
    a missing lane means that it was not begun yet.
    """

    workflow: Workflow
    run: Run
    items: Mapping[ItemKey, Item] = field(default_factory=dict)
    lanes: Mapping[LaneKey, Lane] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    since: Mapping[str, int] = field(default_factory=dict)


def decide(state: State, event: Event, now: datetime, policy: Policy) -> State:
    """The state after the event; the same state if the event does not apply (late, repeated, of another attempt)."""
    if isinstance(event, Apply):
        return _apply(state, event, now)
    if isinstance(event, Keep):
        return _keep(state, event)
    if not isinstance(event, ItemEvent):
        return with_changes(state, run=runs.changed(state.workflow, state.run, event, now))
    item = _item_after(state, event, now, policy)
    return state if item is None else with_changes(state, items={**state.items, (item.step, item.item): item})


def due(state: State, now: datetime, policy: Policy) -> tuple[Action, ...]:
    """All that the stored state still asks for, of what is at hand."""
    actions = tuple(action for item in state.items.values() for action in _item_due(state, item, now, policy))
    if state.run.status == "queued":
        return actions
    if state.run.status != "running":
        return (*actions, *(() if state.run.announced else (*_told(state.run), Announce())), CloseRun())
    moving = tuple(action for lane in state.lanes.values() for action in _lane_due(state, lane, now, policy))
    waiting = tuple(action for name in state.asked for action in _step_due(state, name, now, policy))
    return (*actions, *dict.fromkeys(moving), *waiting)


def news(before: Run, after: Run) -> tuple[tuple[str, ...], Mapping[str, int]]:
    """The steps of which the change asks for something, and from which lane on: what `State` calls `asked` and `since`."""
    asked, since = [], {}
    for name, step in after.steps.items():
        old = before.steps.get(name)
        if step.status == "started" and step != old:
            asked.append(name)
            is_same = old is not None and old.status == "started" and old.generation == step.generation
            since[name] = old.map.opened if is_same and old is not None and old.map is not None else 0
    return tuple(asked), since


def _told(run: Run) -> tuple[Action, ...]:
    """To whom a run's end matters."""
    return (*((TellParent(),) if run.parent else ()), *((LeaveGroup(),) if run.group else ()))


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
        return attempts.reported(state.workflow, item, event, now, _is_last(state, item))
    return attempts.released(item, event, now) if isinstance(event, Release) else attempts.observed(item, event, now)


def _item_of_step(state: State, event: Launch | Decline, now: datetime, policy: Policy) -> Item | None:
    item = state.items.get((event.step, event.item))
    is_current = current(state, event.step, event.item) is not None
    if state.run.status != "running" or state.run.steps[event.step].status != "started":
        return None
    if isinstance(event, Decline):
        return None if is_current or (item is not None and not item.is_over) else attempts.declined(state.run, item, event, now)
    return None if lanes.is_closing(state.run, event.step) else attempts.launched(state.run, item, event, now, policy)


def _apply(state: State, event: Apply, now: datetime) -> State:
    item = state.items.get((event.step, event.item))
    if item is None or item.outcome is None or not item.is_over or item.applied:
        return state
    after = with_changes(state, items={**state.items, (event.step, event.item): replace(item, applied=True)})
    if current(state, event.step, event.item) is None:
        # The outcome of a generation before the run was resumed changes nothing in it.
        return after
    number = lanes.of_item(state.run, event.step, event.item)
    if number is None:
        return with_changes(after, run=runs.applied(state.workflow, state.run, event.step, item.outcome, now))
    return _with_lane(after, item, number)


def _with_lane(state: State, item: Item, number: int) -> State:
    lane = lanes.passed(state.run, lanes.current(state.run, state.lanes, item.step, number), item)
    return with_changes(state, lanes={**state.lanes, (item.step, number): lane})


def _keep(state: State, event: Keep) -> State:
    number = lanes.of_item(state.run, event.step, event.item)
    if number is None or not is_kept(state, (event.step, event.item)) or lanes.current(state.run, state.lanes, event.step, number).is_over:
        return state
    kept = replace(state.items[event.step, event.item], generation=state.run.steps[event.step].generation, applied=True)
    return _with_lane(with_changes(state, items={**state.items, (event.step, event.item): kept}), kept, number)


def is_kept(state: State, key: ItemKey) -> bool:
    """Whether the item succeeded before the run was resumed, and its outcome still counts."""
    item, step = state.items.get(key), state.run.steps[key[0]]
    if item is None or item.outcome is None or step.map is None or not step.map.keeps or step.status != "started":
        return False
    return item.is_over and item.outcome.status == "succeeded" and step.map.since <= item.generation < step.generation


def must_end(state: State, key: ItemKey, now: datetime, policy: Policy) -> bool:
    """Whether the item is not to begin; or, if it has begun, not to go on. When a step fails, what is deployed goes on to its end."""
    item = state.items.get(key)
    if item is None or (item.is_over and item.generation != state.run.steps[item.step].generation):
        return lanes.is_closing(state.run, key[0])
    is_there = item.attempt.is_deployed or policy.is_claimed(item.attempt.claimed_at, now)
    is_idle = item.retry is not None or (item.outcome is None and not is_there)
    return _is_stopped(state, item) or (is_idle and _is_last(state, item))


def _is_missing(state: State, key: ItemKey, now: datetime, policy: Policy) -> bool:
    """Whether a request for the item has to be sent. One that waits for an older attempt's container group to go comes again by itself."""
    old = state.items.get(key)
    if state.run.steps[key[0]].status != "started" or current(state, *key) is not None:
        return False
    return old is None or (old.outcome is not None and policy.is_free(old, now))


def _is_stopped(state: State, item: Item) -> bool:
    """Whether the item is to end: its step stops, or was resumed without it."""
    return runs.is_stopped(state.run, item.step) or item.generation != state.run.steps[item.step].generation


def _is_last(state: State, item: Item) -> bool:
    """Whether no attempt follows this one, however it ends."""
    return lanes.is_closing(state.run, item.step) or _is_stopped(state, item)


def _step_due(state: State, name: str, now: datetime, policy: Policy) -> tuple[Action, ...]:
    """What is asked for of a step of which it is known that nothing else is at hand."""
    step, known = state.workflow.every_step[name], state.run.steps[name]
    if known.status != "started":
        return ()
    if step.for_each is None:
        return (RequestStep(name, 0),) if _is_missing(state, (name, 0), now, policy) else ()
    if known.map is None:
        return () if current(state, name, 0) is not None else (ExpandStep(name),)
    if lanes.are_over(state.run, name):
        return (Collect(name),)
    numbers = (number for number in range(state.since.get(name, known.map.opened), known.map.opened) if (name, number) not in state.lanes)
    return tuple(RequestStep(name, number) for number in numbers if _is_missing(state, (name, number), now, policy))


def _lane_due(state: State, known: Lane, now: datetime, policy: Policy) -> tuple[Action, ...]:
    """The request for the lane's next item, or a look at all lanes."""
    if not lanes.is_at_work(state.run, known):
        return ()
    lane = lanes.current(state.run, state.lanes, known.step, known.lane)
    looks = (LookAtLanes(lane.step),) if lanes.is_news(state.run, lane) else ()
    is_next = not lane.is_over and _is_missing(state, (lane.step, lane.item), now, policy)
    return (*looks, *((RequestStep(lane.step, lane.item),) if is_next else ()))


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
    if _is_last(state, item):
        return (RequestStep(item.step, item.item),)
    is_first = item.attempt.cleanup_at is None and item.attempt.cleanup == "wanted"
    is_lost = policy.is_free(item, now) and policy.is_lost(at, now)
    return (RequestStep(item.step, item.item, max(0.0, (at - now).total_seconds())),) if is_first or is_lost else ()


def _unfinished_due(state: State, item: Item, now: datetime, policy: Policy) -> tuple[Action, ...]:
    if must_end(state, (item.step, item.item), now, policy):
        return (RequestStep(item.step, item.item),)
    attempt = item.attempt
    if attempt.checks == 0:
        return (Check(item.attempt_id, 1, attempts.first_check(attempt, now, policy)),)
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
