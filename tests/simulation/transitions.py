"""Which changes of a stored run or item are legal. Each function gives what is wrong with a change, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from loadme.core.retries import PLATFORM
from loadme.core.state import OPEN_STEP, Item, Run
from loadme.definitions.definition import Workflow

LEAK = timedelta(minutes=10)
NEXT = {
    "pending": {"started", "skipped", "cancelled"},
    "started": {"succeeded", "failed", "skipped", "cancelled"},
}
ATTEMPT = {"launching": {"running"}}
CLEANUP = {"none": {"wanted"}, "wanted": {"done"}}
OPEN_ATTEMPT = ("launching", "running")


def of_run(workflow: Workflow, before: Run | None, after: Run) -> Iterator[str]:
    """What is wrong with the run's change; `before` is None when it is new."""
    for name, step in after.steps.items():
        needs = [after.steps[need].status for need in workflow.steps[name].needs]
        if step.status == "started" and any(need != "succeeded" for need in needs) and after.cancel is None:
            yield f"the step {name} is started before what it needs"
    if after.status != "running" and any(step.status in OPEN_STEP for step in after.steps.values()):
        yield f"it is {after.status} with steps that are open"
    if before is None:
        return
    if after.generation == before.generation:
        yield from _same_generation(before, after)
    elif after.generation != before.generation + 1 or before.status == "running":
        yield f"it went from generation {before.generation} ({before.status}) to {after.generation}"
    yield from _steps(before, after)


def _same_generation(before: Run, after: Run) -> Iterator[str]:
    if before.status != "running" and (after.status, after.ended_at, after.error) != (before.status, before.ended_at, before.error):
        yield f"its end changed from {before.status} to {after.status}"
    if before.cancel is not None and after.cancel != before.cancel:
        yield "its cancellation changed"
    if after.variables != before.variables:
        yield "its variables changed"
    if (before.announced and not after.announced) or (before.closed and not after.closed):
        yield "it is no longer announced or closed"


def _steps(before: Run, after: Run) -> Iterator[str]:
    for name, step in after.steps.items():
        old = before.steps[name]
        if step.generation != old.generation:
            if after.generation == before.generation or step.generation != after.generation:
                yield f"the step {name} is of generation {step.generation}"
        elif step.status == old.status:
            if step != old:
                yield f"the step {name} changed although it is {step.status} as before"
        elif step.status not in NEXT.get(old.status, ()) and not (old.status == "pending" and step.status in ("started", "skipped")):
            yield f"the step {name} went from {old.status} to {step.status}"


def of_item(workflow: Workflow, run: Run, before: Item | None, after: Item, now: datetime) -> Iterator[str]:
    """What is wrong with the item's change; `run` is the run as it is stored."""
    yield from _shape(workflow, after)
    is_new = before is None or before.attempt.number != after.attempt.number
    if is_new and run.steps[after.step].status == "pending":
        yield "it was launched before what its step needs"
    if before is None:
        if after.attempt.number != 1:
            yield f"its first attempt has the number {after.attempt.number}"
    elif not is_new:
        yield from _same_attempt(before, after)
    else:
        yield from _next_attempt(before, after, now)
    if before is not None:
        yield from _past(before, after)


def _shape(workflow: Workflow, item: Item) -> Iterator[str]:
    rule = workflow.retry(workflow.steps[item.step])
    if item.applied and not item.is_over:
        yield "it is applied without a final outcome"
    if item.retry is not None and item.outcome is None:
        yield "another try follows an attempt that is not over"
    if item.spent.get("work", 0) > rule.attempts:
        yield f"it was tried {item.spent['work']} times, and {rule.attempts} are allowed"
    if item.spent.get("infrastructure", 0) > rule.infrastructure + 1:
        yield f"Azure had {item.spent['infrastructure']} chances"
    if set(item.spent) - {"work", *PLATFORM}:
        yield f"it has unknown budgets: {item.spent}"


def _same_attempt(before: Item, after: Item) -> Iterator[str]:
    old, new = before.attempt, after.attempt
    if before.outcome is not None and after.outcome != before.outcome:
        yield "its outcome changed"
    if before.outcome is not None and after.retry not in (None, before.retry):
        yield "another try was decided on after its outcome"
    if after.generation != before.generation:
        yield "its generation changed without another attempt"
    if before.applied and not after.applied:
        yield "it is no longer applied"
    if new.status != old.status and old.status not in OPEN_ATTEMPT:
        yield f"it went from {old.status} to {new.status}"
    if (old.status, new.status) == ("running", "launching"):
        yield "it runs no longer"
    if new.cleanup not in (old.cleanup, *CLEANUP.get(old.cleanup, ())):
        yield f"its cleanup went from {old.cleanup} to {new.cleanup}"
    if new.checks < old.checks or new.cleanups < old.cleanups or new.group != old.group:
        yield "its counts went back"


def _next_attempt(before: Item, after: Item, now: datetime) -> Iterator[str]:
    old = before.attempt
    if after.attempt.number != old.number + 1:
        yield f"attempt {after.attempt.number} came after {old.number}"
    if before.outcome is None:
        yield f"another attempt began before attempt {old.number} was over"
        return
    if after.generation == before.generation and before.retry is None:
        yield "another attempt began that nobody had decided on"
    if before.retry is not None and after.generation == before.generation and now < before.retry.at:
        yield "another attempt began too early"
    if old.group and after.attempt.group and old.cleanup != "done" and now <= before.outcome.at + LEAK:
        yield "another attempt began before the last one's container group was gone"


def _past(before: Item, after: Item) -> Iterator[str]:
    known = {one.attempt.number: one for one in after.past}
    if before.attempt.number != after.attempt.number and before.attempt.group and before.attempt.number not in known:
        yield f"attempt {before.attempt.number} was forgotten"
    for one in before.past:
        now = known.get(one.attempt.number)
        if now is None and one.attempt.cleanup == "wanted":
            yield f"attempt {one.attempt.number} was forgotten before it was cleaned up"
        if now is not None and now.outcome != one.outcome:
            yield f"the outcome of attempt {one.attempt.number} changed"
