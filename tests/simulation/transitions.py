"""Which changes of a stored run, item or lane are legal. Each function gives what is wrong with a change, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from loadme.core.retries import PLATFORM
from loadme.core.state import OPEN_RUN, OPEN_STEP, Expansion, Item, Lane, Run, StepState
from loadme.definitions.definition import Workflow
from tests.simulation.oracle import may_begin

LEAK = timedelta(minutes=10)
NEXT = {
    "pending": {"started", "skipped", "cancelled"},
    "started": {"succeeded", "failed", "skipped", "cancelled"},
}
RUN = {"queued": {"running", "skipped", "succeeded", "cancelled", "failed"}, "running": {"succeeded", "failed", "cancelled"}}
ATTEMPT = {"launching": {"running"}}
CLEANUP = {"none": {"wanted"}, "wanted": {"done"}}
OPEN_ATTEMPT = ("launching", "running")
FIXED = ("workflow", "definition", "created_at", "scheduled_at", "group", "parent", "ancestors", "key")
COUNTS = ("succeeded", "failed", "skipped", "cancelled")


def of_run(workflow: Workflow, before: Run | None, after: Run) -> Iterator[str]:
    """What is wrong with the run's change; `before` is None when it is new."""
    yield from _at_any_time(workflow, before, after)
    if before is None:
        return
    if any(getattr(before, name) != getattr(after, name) for name in FIXED):
        yield "what it is changed"
    if after.generation == before.generation:
        yield from _same_generation(before, after)
    elif after.generation != before.generation + 1 or before.status in OPEN_RUN:
        yield f"it went from generation {before.generation} ({before.status}) to {after.generation}"
    yield from _steps(before, after)


def _at_any_time(workflow: Workflow, before: Run | None, after: Run) -> Iterator[str]:
    for name, step in after.steps.items():
        is_new = before is None or before.steps[name].status != "started" or before.steps[name].generation != step.generation
        if step.status == "started" and is_new and not may_begin(workflow, after, name):
            yield f"the step {name} is started before what it needs"
    if after.status not in OPEN_RUN and any(step.status in OPEN_STEP for step in after.steps.values()):
        yield f"it is {after.status} with steps that are open"
    if after.status == "queued" and any(step.status == "started" for step in after.steps.values()):
        yield "it waits for its group with steps that are started"
    if before is None and after.group and after.status != "queued":
        yield "it did not stand in line for its group"
    if workflow.max_parallel is not None and (used := _slots(workflow, after)) > workflow.max_parallel:
        yield f"{used} things of it are at work, and {workflow.max_parallel} may be"


def _slots(workflow: Workflow, run: Run) -> int:
    used = 0
    for name, step in run.steps.items():
        definition = workflow.every_step[name]
        if step.status == "started" and definition.wait is None and definition.sleep is None:
            lanes = step.map.opened - step.map.closed if step.map else 0
            used += 1 if definition.for_each is None else lanes
    return used


def _same_generation(before: Run, after: Run) -> Iterator[str]:
    if before.status != after.status and after.status not in RUN.get(before.status, ()):
        yield f"it went from {before.status} to {after.status}"
    if before.status not in OPEN_RUN and (after.status, after.ended_at, after.error) != (before.status, before.ended_at, before.error):
        yield f"its end changed from {before.status} to {after.status}"
    if before.cancel is not None and after.cancel != before.cancel and (before.cancel.force or not (after.cancel and after.cancel.force)):
        yield "its cancellation changed"
    if before.ending is not None and after.ending != before.ending:
        yield "how its steps ended changed"
    if before.begun_at is not None and after.begun_at != before.begun_at:
        yield "when it began changed"
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
            yield from _same_step(name, old, step)
        elif step.status not in NEXT.get(old.status, ()):
            yield f"the step {name} went from {old.status} to {step.status}"


def _same_step(name: str, old: StepState, step: StepState) -> Iterator[str]:
    if replace(step, map=None) != replace(old, map=None) or (step.map != old.map and step.status != "started"):
        yield f"the step {name} changed although it is {step.status} as before"
    if old.map is not None and step.map != old.map:
        yield from (f"the step {name}: {wrong}" for wrong in _maps(old.map, step.map))


def _maps(old: Expansion, new: Expansion | None) -> Iterator[str]:
    if new is None or any(getattr(new, name) != getattr(old, name) for name in ("count", "lanes", "values", "tolerated", "keeps", "since")):
        yield "its items changed"
        return
    if new.opened < old.opened or new.closed < old.closed or not new.closed <= new.opened <= new.lanes:
        yield f"its lanes went from {old.opened}/{old.closed} to {new.opened}/{new.closed} of {new.lanes}"
    if old.is_failing and (not new.is_failing or new.opened > old.opened):
        yield "it goes on although too many items failed"


def of_lane(run: Run, before: Lane | None, after: Lane) -> Iterator[str]:
    """What is wrong with the lane's change; `run` is the run as it is stored."""
    found = run.steps[after.step].map
    if found is None or after.generation != run.steps[after.step].generation:
        yield "it goes on in a step that does not"
        return
    is_first = before is None or before.generation != after.generation
    item = after.lane if before is None or is_first else before.item
    if after.item != item + found.lanes:
        yield f"it went from item {item} to {after.item}, of {found.lanes} lanes"
    counts = sum(getattr(after, name) for name in COUNTS)
    if counts != (after.item - after.lane) // found.lanes:
        yield f"it counts {counts} items before item {after.item}, of {found.lanes} lanes"
    if before is not None and not is_first:
        if before.is_over:
            yield "it was over"
        if any(getattr(after, name) < getattr(before, name) for name in COUNTS):
            yield "its counts went back"


def of_item(workflow: Workflow, run: Run, before: Item | None, after: Item, now: datetime, kept: Mapping[int, int]) -> Iterator[str]:
    """What is wrong with the item's change; `run` is the run as it is stored. `kept` are the step's items that a resume keeps, and the
    numbers of their attempts."""
    yield from _shape(workflow, after)
    is_new = before is None or before.attempt.number != after.attempt.number
    if is_new and run.steps[after.step].status == "pending":
        yield "it was launched before what its step needs"
    if is_new and after.item in kept and after.generation == run.steps[after.step].generation:
        yield "it was launched although it had succeeded before the run was resumed"
    if before is None:
        if after.attempt.number != 1:
            yield f"its first attempt has the number {after.attempt.number}"
    elif not is_new:
        yield from _same_attempt(before, after, kept)
    else:
        yield from _next_attempt(before, after, now)
    if before is not None:
        yield from _past(before, after)


def _shape(workflow: Workflow, item: Item) -> Iterator[str]:
    rule = workflow.retry(workflow.every_step[item.step])
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


def _same_attempt(before: Item, after: Item, kept: Mapping[int, int]) -> Iterator[str]:
    old, new = before.attempt, after.attempt
    if before.outcome is not None and after.outcome != before.outcome:
        yield "its outcome changed"
    if before.outcome is not None and after.retry not in (None, before.retry):
        yield "another try was decided on after its outcome"
    if after.generation != before.generation and kept.get(after.item) != new.number:
        yield "its generation changed without another attempt"
    if before.applied and not after.applied:
        yield "it is no longer applied"
    if new.status != old.status and old.status not in OPEN_ATTEMPT:
        yield f"it went from {old.status} to {new.status}"
    if (old.status, new.status) == ("running", "launching"):
        yield "it runs no longer"
    if new.cleanup not in (old.cleanup, *CLEANUP.get(old.cleanup, ())):
        yield f"its cleanup went from {old.cleanup} to {new.cleanup}"
    if new.checks < old.checks or new.cleanups < old.cleanups or (new.group, new.child) != (old.group, old.child):
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
    if old.child and after.attempt.child and old.cleanup != "done":
        yield "another attempt began before the last one's run was closed"
    if old.group and after.attempt.group and old.cleanup != "done" and now <= before.outcome.at + LEAK:
        yield "another attempt began before the last one's container group was gone"


def _past(before: Item, after: Item) -> Iterator[str]:
    known = {one.attempt.number: one for one in after.past}
    is_launched = before.attempt.group or before.attempt.child
    if before.attempt.number != after.attempt.number and is_launched and before.attempt.number not in known:
        yield f"attempt {before.attempt.number} was forgotten"
    for one in before.past:
        now = known.get(one.attempt.number)
        if now is None and one.attempt.cleanup == "wanted":
            yield f"attempt {one.attempt.number} was forgotten before it was cleaned up"
        if now is not None and now.outcome != one.outcome:
            yield f"the outcome of attempt {one.attempt.number} changed"
