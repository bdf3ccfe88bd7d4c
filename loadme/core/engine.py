"""The engine: what an event makes of the state, and what the state asks to be done. Pure: no clock, no network, no randomness.

`decide(state, event, now)` gives the new state; `due(state, now)` gives the actions that the stored state still asks for. A handler, a
redelivered message and the patrol all store what `decide` gives and then perform what `due` says of it. Every action is idempotent by its
name, so doing one twice is harmless, and none exists only in a transition: nothing is lost with a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from loadme.core.events import (
    Action,
    Advance,
    Apply,
    Check,
    Checked,
    Cleaned,
    CleanUp,
    CleanupTried,
    CloseRun,
    Decline,
    Event,
    Launch,
    Progressed,
    Release,
    Report,
    RequestStep,
)
from loadme.core.ids import AttemptId
from loadme.core.policies import OVERDUE, Policy
from loadme.core.state import OPEN_STEP, Attempt, Item, Outcome, OutcomeStatus, Run, StepState
from loadme.definitions.definition import Workflow

ItemKey = tuple[str, int]
SHORT = 500
"""Characters of a message where there are many of them."""


@dataclass(frozen=True, kw_only=True)
class State:
    """The run and those of its items that are at hand. `asked` names the steps whose missing item means that they were not launched yet."""

    workflow: Workflow
    run: Run
    items: Mapping[ItemKey, Item] = field(default_factory=dict)
    asked: tuple[str, ...] = ()


def begin(workflow: Workflow, run: Run) -> Run:
    """The run as it is stored at its start: steps without needs are started."""
    return _progress(workflow, replace(run, steps={name: StepState() for name in workflow.steps}), run.created_at)


def decide(state: State, event: Event, now: datetime, policy: Policy) -> State:
    """The state after the event; the same state if the event does not apply (late, repeated, of another attempt)."""
    if isinstance(event, Launch):
        return _launch(state, event, now, policy)
    if isinstance(event, Decline):
        return _decline(state, event, now)
    if isinstance(event, Apply):
        return _apply(state, event, now)
    item = state.items.get((event.attempt.step, event.attempt.item))
    if item is None or item.attempt_id != event.attempt:
        return state
    if isinstance(event, Report):
        return _with_item(state, _reported(item, event.outcome))
    if isinstance(event, Cleaned):
        return _with_item(state, replace(item, attempt=replace(item.attempt, cleanup="done")))
    if isinstance(event, Release):
        return _with_item(state, _released(item, event, now))
    if isinstance(event, CleanupTried):
        return _with_item(state, _tried(item, event, now))
    return _with_item(state, _observed(item, event, now))


def due(state: State, now: datetime, policy: Policy) -> tuple[Action, ...]:
    """All that the stored state still asks for, of what is at hand."""
    actions = tuple(action for item in state.items.values() for action in _item_due(item, now, policy))
    if state.run.status != "running":
        return (*actions, CloseRun())
    missing = (name for name in state.asked if state.run.steps[name].status == "started" and (name, 0) not in state.items)
    return (*actions, *(RequestStep(name, 0) for name in missing))


def dependants(workflow: Workflow, step: str) -> tuple[str, ...]:
    """The steps that need this one directly."""
    return tuple(name for name, other in workflow.steps.items() if step in other.needs)


def check_delay(item: Item, number: int, timeout: float, now: datetime, policy: Policy) -> float:
    """Seconds until check `number`: by the policy, but not past the moment at which the attempt times out."""
    delay = policy.check_delay(number)
    if item.attempt.started_at is None:
        return delay
    left = (item.attempt.started_at - now).total_seconds() + timeout
    return min(delay, left + 1.0) if left > 0 else delay


def _launch(state: State, event: Launch, now: datetime, policy: Policy) -> State:
    item = state.items.get((event.step, event.item))
    if item is None:
        if not _is_wanted(state, event.step):
            return state
        attempt_id = AttemptId(state.run.id, event.step, event.item, 1)
        expires = policy.token_expiry(now, event.timeout)
        attempt = Attempt(group=str(attempt_id), launched_at=now, claim=event.claim, claimed_at=now, expires_at=expires)
        return _with_item(state, Item(run=state.run.id, step=event.step, item=event.item, variables=event.variables, attempt=attempt))
    attempt = item.attempt
    is_over = item.outcome is not None or attempt.is_deployed or attempt.status != "launching"
    if is_over or policy.is_claimed(attempt.claimed_at, now) or (attempt.due_at is not None and now < attempt.due_at):
        return state
    # Nothing was deployed so far, so the attempt's clocks start anew.
    expires = policy.token_expiry(now, event.timeout)
    claimed = replace(attempt, launched_at=now, claim=event.claim, claimed_at=now, due_at=None, expires_at=expires)
    return _with_item(state, replace(item, attempt=claimed))


def _decline(state: State, event: Decline, now: datetime) -> State:
    if (event.step, event.item) in state.items or not _is_wanted(state, event.step):
        return state
    attempt = Attempt(launched_at=now, expires_at=now, ended_at=now, status=event.outcome.status)
    item = Item(run=state.run.id, step=event.step, item=event.item, variables=event.variables, attempt=attempt, outcome=event.outcome)
    return _with_item(state, item)


def _is_wanted(state: State, step: str) -> bool:
    return state.run.status == "running" and state.run.steps[step].status == "started"


def _reported(item: Item, outcome: Outcome) -> Item:
    if item.outcome is not None:
        return item
    status: OutcomeStatus = outcome.status
    return replace(item, outcome=outcome, attempt=replace(item.attempt, status=status, ended_at=outcome.at, cleanup="wanted"))


def _released(item: Item, event: Release, now: datetime) -> Item:
    due = now + timedelta(seconds=event.after)
    attempt = replace(item.attempt, claim="", claimed_at=None, waiting=event.why, due_at=due, tries=item.attempt.tries + 1)
    return replace(item, attempt=attempt)


def _tried(item: Item, event: CleanupTried, now: datetime) -> Item:
    if event.number <= item.attempt.cleanups:
        return item
    due = now + timedelta(seconds=event.delay)
    return replace(item, attempt=replace(item.attempt, cleanups=event.number, cleanup_at=due))


def _observed(item: Item, event: Checked | Progressed, now: datetime) -> Item:
    if item.outcome is not None:
        return item
    if isinstance(event, Progressed):
        return replace(item, attempt=replace(item.attempt, progress=event.progress))
    if event.number <= item.attempt.checks:
        return item
    started = item.attempt.started_at or event.started_at
    status = "running" if started else item.attempt.status
    deployed = item.attempt.is_deployed or event.is_deployed
    seen = replace(item.attempt, checks=event.number, checked_at=now, started_at=started, status=status, is_deployed=deployed)
    return replace(item, attempt=replace(seen, waiting="") if deployed else seen)


def _apply(state: State, event: Apply, now: datetime) -> State:
    item = state.items.get((event.step, event.item))
    if item is None or item.outcome is None or item.applied:
        return state
    ended = _step_after(state.run.steps[event.step], item.outcome, event.step)
    run = replace(state.run, steps={**state.run.steps, event.step: ended})
    return _with_item(
        State(workflow=state.workflow, run=_progress(state.workflow, run, now), items=state.items), replace(item, applied=True)
    )


def _step_after(step: StepState, outcome: Outcome, name: str) -> StepState:
    if step.status not in OPEN_STEP:
        return step
    # The run's row has a limit, and may have 500 steps that failed: the whole error is with the item.
    error = outcome.error and replace(outcome.error, step=name, message=outcome.error.message[:SHORT], details=(), log=())
    status = "failed" if outcome.status == "timed_out" else outcome.status
    return replace(step, status=status, ended_at=outcome.at, outputs=outcome.outputs, error=error)


def _progress(workflow: Workflow, run: Run, now: datetime) -> Run:
    """Starts every step whose needs are met, skips every step whose needs cannot be met any more, and ends the run when no step is open."""
    steps = dict(run.steps)
    changed = run.status == "running"
    while changed:
        changed = False
        for name, step in workflow.steps.items():
            after = _next_status(steps, name, step.needs)
            if after != steps[name].status:
                steps[name] = _moved(steps[name], after, now)
                changed = True
    return _ended(replace(run, steps=steps), now)


def _next_status(steps: Mapping[str, StepState], name: str, needs: tuple[str, ...]) -> str:
    if steps[name].status != "pending":
        return steps[name].status
    found = [steps[need].status for need in needs]
    if all(status == "succeeded" for status in found):
        return "started"
    # Skipped as soon as one need can no longer succeed: nothing is gained by waiting for the others.
    return "skipped" if any(status not in (*OPEN_STEP, "succeeded") for status in found) else "pending"


def _moved(step: StepState, status: str, now: datetime) -> StepState:
    if status == "started":
        return replace(step, status="started", started_at=now)
    return replace(step, status="skipped", ended_at=now)


def _ended(run: Run, now: datetime) -> Run:
    if run.status != "running" or any(step.status in OPEN_STEP for step in run.steps.values()):
        return run
    failed = next((step for step in run.steps.values() if step.status in ("failed", "cancelled")), None)
    if failed is None:
        return replace(run, status="succeeded", ended_at=now)
    return replace(run, status="failed", ended_at=now, error=failed.error)


def _item_due(item: Item, now: datetime, policy: Policy) -> tuple[Action, ...]:
    attempt = item.attempt
    if item.outcome is not None:
        advance = () if item.applied else (Advance(item.attempt_id, item.outcome.outputs),)
        # Cleanup comes after the outcome was applied, but does not depend on it: a run that cannot go on must not leak.
        is_next = item.applied or now > item.outcome.at + OVERDUE
        return (*advance, *(_cleanup_due(item, now, policy) if attempt.cleanup == "wanted" and is_next else ()))
    if attempt.checks == 0:
        return (Check(item.attempt_id, 1, policy.check_delay(1)),)
    expected = (attempt.checked_at or attempt.launched_at) + timedelta(seconds=policy.check_delay(attempt.checks + 1))
    check = (Check(item.attempt_id, attempt.checks + 1, 0.0),) if now > expected + OVERDUE else ()
    is_late = attempt.due_at is not None and now > attempt.due_at + OVERDUE
    return (*check, *((RequestStep(item.step, item.item),) if is_late else ()))


def _cleanup_due(item: Item, now: datetime, policy: Policy) -> tuple[Action, ...]:
    number = item.attempt.cleanups + 1
    if item.attempt.cleanup_at is None:
        # A container that has just reported ends a moment later: looked at too soon, it would only be looked at again.
        return (CleanUp(item.attempt_id, number, policy.cleanup_delay(number)),)
    return (CleanUp(item.attempt_id, number, 0.0),) if now > item.attempt.cleanup_at + OVERDUE else ()


def _with_item(state: State, item: Item) -> State:
    items = {**state.items, (item.step, item.item): item}
    return State(workflow=state.workflow, run=state.run, items=items, asked=state.asked)
