"""What must have become of each step of a run, worked out of what its items came to: simple, slow, and by none of the engine's code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from loadme import claims
from loadme.core.state import Item, Run, StepState
from loadme.definitions import durations
from loadme.definitions.definition import Step, Workflow
from loadme.definitions.kinds import FOUND, NOT_SAID

if TYPE_CHECKING:
    from tests.simulation.world import World

OPEN = ("pending", "started")
GOOD = "${{ run.status == 'succeeded' }}"
LOW = "${{ variables.level < 1 }}"
"""The conditions that steps have: what they come to is known here without any expression language."""


class End(NamedTuple):
    """How a step ended: its status, what became of its failure, and the kind of error."""

    status: str
    handled: str = ""
    kind: str = ""


def may_begin(workflow: Workflow, run: Run, name: str) -> bool:
    """Whether the step's needs have ended as they must, its catcher has caught with it, and it is its turn."""
    steps, step = run.steps, workflow.every_step[name]
    others = workflow.last if name in workflow.last else workflow.steps
    if name in workflow.last and (run.ending is None or any(steps[other].status in OPEN for other in workflow.steps)):
        return False
    catchers = [other for other in others if any(one.step == name for one in others[other].catch)]
    if any(steps[other].handled != f"step:{name}" for other in catchers):
        return False
    return all(set(counts_as(steps[need])) & set(accepted) for need, accepted in step.accepted.items())


def counts_as(step: StepState) -> tuple[str, ...]:
    """The endings that the step stands for."""
    if step.status == "failed" and step.handled in ("continue", "outputs"):
        return ("succeeded", "failed")
    return () if step.status in (*OPEN, "cancelled") else (step.status,)


def wrong(world: World, run: Run) -> Iterator[str]:
    """What is wrong with how the steps and the run ended."""
    if is_cut(run):
        return
    workflow = world.workflow_of(run)
    for name, state in run.steps.items():
        expected = _Step(world, workflow, run, name).ends()
        if not any((end.status, end.handled) == (state.status, state.handled) for end in expected):
            yield f"{name} of {run.id} is {state.status} {state.handled}, not {expected}"
    yield from _run(workflow, run)
    yield from _time(world, workflow, run)


def is_cut(run: Run) -> bool:
    """Whether the run ended before its steps did: it never began, or could not go on."""
    return run.begun_at is None or (run.error is not None and run.error.kind == "poison")


def _run(workflow: Workflow, run: Run) -> Iterator[str]:
    main, last = ({name: run.steps[name] for name in names} for names in (workflow.steps, workflow.last))
    status = "succeeded"
    if _troubles(main):
        status = "cancelled" if run.cancel is not None and run.cancel.kind == "cancelled" else "failed"
    if workflow.last and (run.ending is None or run.ending.status != status):
        yield f"the steps of {run.id} should have ended {status}, not {run.ending}"
    if _troubles(last):
        is_forced = run.cancel is not None and run.cancel.force
        status = "cancelled" if is_forced else "failed" if status == "succeeded" else status
    if run.status != status:
        yield f"{run.id} should be {status}, and is {run.status}"
    if run.status == "failed" and (run.error is None or not run.error.message):
        yield f"{run.id} failed without an explanation"
    if run.ending is not None and any(step.generation != run.generation for step in last.values()):
        yield f"a step of finally of {run.id} did not run again"


def _time(world: World, workflow: Workflow, run: Run) -> Iterator[str]:
    ended = run.ending.at if run.ending is not None else run.ended_at
    if workflow.timeout is None or run.begun_at is None or ended is None or run.cancel is not None:
        return
    # The patrol looks at a run every five minutes, and sooner where its time will be over before.
    until = run.begun_at + timedelta(seconds=durations.seconds(workflow.timeout))
    if ended > world.patience(until):
        yield f"{run.id} was to end until {until}, and ended at {ended}"


def _troubles(steps: Mapping[str, StepState]) -> bool:
    """Whether any of them was cancelled, or failed and nothing took care of it: a step that was to catch it and was skipped did not."""
    skipped = {f"step:{name}" for name, step in steps.items() if step.status == "skipped"}
    return any(step.status == "cancelled" or (step.status == "failed" and step.handled in ("", *skipped)) for step in steps.values())


class _Step:
    """One step of a run that is over."""

    def __init__(self, world: World, workflow: Workflow, run: Run, name: str) -> None:
        self._world, self._workflow, self._run, self._name = world, workflow, run, name
        self._step, self._state = workflow.every_step[name], run.steps[name]
        cancel = run.cancel
        self._is_stopped = cancel is not None and (cancel.force or name in workflow.steps)

    def ends(self) -> list[End]:
        """How it may have ended."""
        stopped = [End("cancelled")] if self._is_stopped else []
        if not may_begin(self._workflow, self._run, self._name):
            return [End("skipped"), *stopped]
        if not self._is_wanted() and self._state.status == "skipped":
            return [End("skipped")]
        if not self._is_wanted():
            return stopped
        found = self._of_items() if self._step.for_each is not None else self._of_item(0)
        if found is None or (found.status == "cancelled" and not stopped):
            return stopped
        return [found._replace(handled=handled(self._step, found.kind)) if found.status == "failed" else found]

    def _is_wanted(self) -> bool:
        if self._step.condition == GOOD:
            return self._run.ending is not None and self._run.ending.status == "succeeded"
        return self._step.condition is None or self._world.level(self._run.id, self._state.generation) < 1

    def _of_item(self, number: int) -> End | None:
        item = item_of(self._world, self._run, self._name, number)
        if item is None or item.outcome is None or item.retry is not None:
            return None
        status = "failed" if item.outcome.status == "timed_out" else item.outcome.status
        is_child = self._step.workflow is not None
        if status == "skipped" and not is_child:
            return End("skipped, although it was wanted")
        return End(status, kind=item.outcome.error.kind if item.outcome.error else "")

    def _of_items(self) -> End | None:
        if self._state.error and self._state.error.kind == "poison" and self._world.poisoned:
            return End("failed", kind="poison")
        values = values_of(self._world, self._run, self._step)
        if values is None:
            return None if self._state.error and self._state.error.kind == "cancelled" else End("failed", kind="expression")
        if self._state.map is None:
            return None
        ends = [self._of_item(number) for number in range(len(values))]
        failed = [end for end in ends if end is not None and end.status == "failed"]
        if len(failed) > tolerated(self._step, len(values)):
            return End("failed", kind=failed[0].kind)
        if any(end is None or end.status == "cancelled" for end in ends):
            return None
        return End("succeeded")


def handled(step: Step, kind: str) -> str:
    """What becomes of the step's failure of this kind."""
    for one in step.catch:
        is_any = not one.on and kind != "cancelled"
        if is_any or kind in one.on or ("failed" in one.on and kind not in NOT_SAID and kind not in FOUND):
            return f"step:{one.step}" if one.step else "outputs"
    return "continue" if step.on_error == "continue" else ""


def tolerated(step: Step, count: int) -> int:
    """How many of so many items may fail."""
    if isinstance(step.tolerate, str):
        return count * int(step.tolerate[:-1]) // 100
    return step.tolerate or 0


def item_of(world: World, run: Run, step: str, number: int) -> Item | None:
    """The item, if it is of the step's generation."""
    item = world.tables.items.get((run.id, step, number))
    return item if item is not None and item.generation == run.steps[step].generation else None


def values_of(world: World, run: Run, step: Step) -> list[Any] | None:
    """The values of the step's `for_each`; None if there are none to be had."""
    if isinstance(step.for_each, dict):
        return [{"key": key, "value": value} for key, value in step.for_each.items()]
    if not isinstance(step.for_each, str):
        return list(step.for_each or ())
    producer = step.for_each.removeprefix("${{ steps.").partition(".")[0]
    outputs = claims.read(world.blobs, run.steps[producer].outputs)
    return outputs.get("files") if isinstance(outputs.get("files"), list) else None
