"""What happens to one item and its attempts: launched, checked, reported, cleaned up, tried again."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from loadme.core import retries
from loadme.core.events import Checked, Cleaned, CleanupTried, Decline, Launch, Progressed, Release, Report
from loadme.core.ids import AttemptId, child_run
from loadme.core.outcome import SHORT, Outcome
from loadme.core.policies import Policy
from loadme.core.state import MOST_PAST, Attempt, Item, Past, Run
from loadme.definitions.definition import Step, Workflow

MOST_DETAILS = 3
"""Lines of Azure's words that are remembered of a past attempt."""


def launched(run: Run, item: Item | None, event: Launch, now: datetime, policy: Policy) -> Item | None:
    """The item with the launch claimed; as it was, if it is not time for that or somebody else is about it."""
    generation = run.steps[event.step].generation
    if item is None:
        attempt = _begun(AttemptId(run.id, event.step, event.item, 1), event, now, policy)
        return Item(run=run.id, step=event.step, item=event.item, generation=generation, variables=event.variables, attempt=attempt)
    if item.generation != generation:
        return _next(item, event, now, policy, generation) if policy.is_free(item, now) else item
    if item.retry is not None:
        is_time = now >= item.retry.at and policy.is_free(item, now)
        return _next(item, event, now, policy, generation) if is_time else item
    return _claimed(item, event, now, policy)


def _claimed(item: Item, event: Launch, now: datetime, policy: Policy) -> Item:
    attempt = item.attempt
    is_past = item.outcome is not None or attempt.is_deployed or attempt.status != "launching"
    if is_past or policy.is_claimed(attempt.claimed_at, now) or (attempt.due_at is not None and now < attempt.due_at):
        return item
    # Nothing was deployed so far, so the attempt's clocks start anew.
    expires = policy.token_expiry(now, event.timeout)
    claimed = replace(attempt, launched_at=now, claim=event.claim, claimed_at=now, claims=attempt.claims + 1, expires_at=expires)
    return replace(item, attempt=replace(claimed, ends_at=event.ends_at, waiting="", due_at=None, estimate=None))


def _next(item: Item, event: Launch, now: datetime, policy: Policy, generation: int) -> Item:
    """The item with its next attempt: of the same generation with the same variables, of a new one with all budgets full again."""
    attempt_id = item.attempt_id._replace(attempt=item.attempt.number + 1)
    before = _left_behind(item)
    attempt = _begun(attempt_id, event, now, policy)
    if generation == item.generation:
        return replace(before, attempt=attempt, outcome=None, retry=None)
    again = replace(before, generation=generation, variables=event.variables, spent={}, applied=False)
    return replace(again, attempt=attempt, outcome=None, retry=None)


def _begun(attempt_id: AttemptId, event: Launch, now: datetime, policy: Policy) -> Attempt:
    attempt = Attempt(
        number=attempt_id.attempt,
        launched_at=now,
        ends_at=event.ends_at,
        claim=event.claim,
        claimed_at=now,
        claims=1,
        expires_at=policy.token_expiry(now, event.timeout),
    )
    if event.kind == "container":
        return replace(attempt, group=str(attempt_id), location=event.location, priority=event.priority)
    if event.kind == "workflow":
        return replace(attempt, child=child_run(now, attempt_id))
    # To have it stored is all that there is to a wait or a sleep.
    return replace(attempt, status="running", started_at=now, is_deployed=True, put_at=now)


def _left_behind(item: Item) -> Item:
    """The item with its current attempt among the past ones. Those that are not cleaned up are never forgotten."""
    if item.outcome is None or not item.attempt.is_launched:
        return item
    gone = replace(item.attempt, is_leaked=item.attempt.cleanup == "wanted")
    past = (*item.past, Past(attempt=gone, outcome=_shortened(item.outcome)))
    surplus = len(past) - MOST_PAST
    kept = tuple(one for index, one in enumerate(past) if index >= surplus or one.attempt.cleanup == "wanted")
    return replace(item, past=kept)


def _shortened(outcome: Outcome) -> Outcome:
    """What is remembered of how a past attempt ended: the row of an item has a limit, and the log is in the archive."""
    error = outcome.error
    if error is None:
        return outcome
    details = tuple(line[:SHORT] for line in error.details[:MOST_DETAILS])
    return replace(outcome, outputs=None, error=replace(error, message=error.message[:SHORT], details=details, log=()))


def declined(run: Run, item: Item | None, event: Decline, now: datetime) -> Item:
    """The item with an outcome for which nothing was launched."""
    number = item.attempt.number + 1 if item else 1
    attempt = Attempt(number=number, launched_at=now, expires_at=now, ended_at=now, status=event.outcome.status)
    generation = run.steps[event.step].generation
    past = _left_behind(item).past if item else ()
    return Item(
        run=run.id,
        step=event.step,
        item=event.item,
        generation=generation,
        variables=event.variables,
        attempt=attempt,
        outcome=event.outcome,
        past=past,
    )


def reported(workflow: Workflow, item: Item, event: Report, now: datetime, is_stopped: bool) -> Item:
    """The item with its attempt's outcome, and with the next try if one follows. The first outcome stands; a cancel ends the trying."""
    if item.outcome is not None:
        return replace(item, retry=None) if item.retry is not None and event.outcome.status == "cancelled" else item
    outcome = event.outcome
    leaves_something = bool(item.attempt.group or item.attempt.child)
    attempt = replace(item.attempt, status=outcome.status, ended_at=outcome.at, cleanup="wanted" if leaves_something else "none")
    ended = replace(item, outcome=outcome, attempt=attempt, spent=retries.spent(item, outcome) if outcome.error else item.spent)
    if is_stopped:
        return ended
    step: Step = workflow.every_step[item.step]
    rule, locations = workflow.retry(step), workflow.locations(step)
    return replace(ended, retry=retries.next_try(ended, outcome, rule, locations, now, event.chance, workflow.priority(step)))


def released(item: Item, event: Release, now: datetime) -> Item:
    """The item with its launch free again for anybody, from the time that the event says."""
    due = now + timedelta(seconds=event.after)
    attempt = replace(
        item.attempt, claim="", claimed_at=None, claims=0, waiting=event.why, due_at=due, slot=event.slot, estimate=event.estimate
    )
    return replace(item, attempt=replace(attempt, tries=item.attempt.tries + 1))


def deployed(item: Item, now: datetime) -> Item:
    """The item with its attempt's deployment known to ARM."""
    if item.outcome is not None or item.attempt.put_at is not None:
        return item
    known = replace(item.attempt, put_at=now, is_deployed=True, waiting="", due_at=None, estimate=None)
    return replace(item, attempt=known)


def first_check(attempt: Attempt, now: datetime, policy: Policy) -> float:
    """Seconds until check 1: a sleep may be over before the policy's first one."""
    delay = policy.check_delay(1)
    return delay if attempt.ends_at is None else max(0.0, min(delay, (attempt.ends_at - now).total_seconds()))


def cleaned(item: Item, event: Cleaned | CleanupTried, now: datetime) -> Item:
    """The item with what a pass of cleanup did to one of its attempts."""
    found = item.numbered(event.attempt.attempt)
    if found is None:
        return item
    attempt, _ = found
    if isinstance(event, Cleaned):
        return item.with_attempt(replace(attempt, cleanup="done"))
    if event.number <= attempt.cleanups:
        return item
    due = now + timedelta(seconds=event.delay)
    return item.with_attempt(replace(attempt, cleanups=event.number, cleanup_at=due, is_seen=attempt.is_seen or event.is_seen))


def observed(item: Item, event: Checked | Progressed, now: datetime) -> Item:
    """The item with what was seen of its current attempt."""
    if item.outcome is not None:
        return item
    if isinstance(event, Progressed):
        return replace(item, attempt=replace(item.attempt, progress=event.progress))
    if event.number <= item.attempt.checks:
        return item
    started = item.attempt.started_at or event.started_at
    status = "running" if started else item.attempt.status
    deployed = item.attempt.is_deployed or event.is_deployed
    check_at = None if event.delay is None else now + timedelta(seconds=event.delay)
    seen = replace(item.attempt, checks=event.number, checked_at=now, check_at=check_at, started_at=started, status=status)
    seen = replace(seen, is_deployed=deployed)
    return replace(item, attempt=replace(seen, waiting="", due_at=None, estimate=None) if deployed else seen)
