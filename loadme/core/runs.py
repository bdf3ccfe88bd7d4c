"""What happens to a run as a whole: it begins, goes on from step to step, ends, is cancelled, is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from loadme.core.events import Announced, Cancel, Closed, Fail, Purge, Resume, RunEvent
from loadme.core.state import OPEN_STEP, SHORT, Cancellation, Outcome, Run, RunStatus, StepState
from loadme.definitions import graph
from loadme.definitions.definition import Workflow


def begin(workflow: Workflow, run: Run) -> Run:
    """The run as it is stored at its start: steps without needs are started."""
    return progressed(workflow, replace(run, steps={name: StepState() for name in workflow.steps}), run.created_at)


def changed(workflow: Workflow, run: Run, event: RunEvent, now: datetime) -> Run:
    """The run after the event; the same run if the event does not apply."""
    if isinstance(event, Cancel):
        return _cancelled(workflow, run, event, now)
    if isinstance(event, Resume):
        return _resumed(workflow, run, event, now)
    if isinstance(event, Fail):
        return _failed(run, event, now)
    if run.status == "running":
        return run
    if isinstance(event, Announced):
        return replace(run, announced=True) if event.generation == run.generation else run
    if isinstance(event, Closed):
        # Counted, so that it is a change each time: somebody who resumes the run just now must meet it.
        return replace(run, closed=run.closed + 1)
    return _purged(run, event, now)


def is_stopped(run: Run) -> bool:
    """Whether nothing more of the run is to be launched."""
    return run.cancel is not None or run.status != "running"


def applied(workflow: Workflow, run: Run, step: str, outcome: Outcome, now: datetime) -> Run:
    """The run with a step's outcome in it, and with what follows from that."""
    return progressed(workflow, replace(run, steps={**run.steps, step: _step_after(run.steps[step], outcome, step)}), now)


def resumable(workflow: Workflow, run: Run, start: str) -> frozenset[str]:
    """The steps that a resume runs again: what failed and what therefore never ran; and `start`, if one is named, with all after it."""
    first = {name for name, step in run.steps.items() if step.status in ("failed", "cancelled") or name == start}
    behind = {name for name in workflow.steps if first & graph.before_it(workflow, name)}
    return frozenset(first | behind)


def progressed(workflow: Workflow, run: Run, now: datetime) -> Run:
    """Starts every step whose needs are met, skips every step whose needs cannot be met any more, and ends the run when no step is open."""
    steps = dict(run.steps)
    goes_on = run.status == "running"
    while goes_on:
        goes_on = False
        for name, step in workflow.steps.items():
            after = _next_status(steps, name, step.needs)
            if after != steps[name].status:
                steps[name] = _moved(steps[name], after, now)
                goes_on = True
    return _ended(replace(run, steps=steps), now)


def _cancelled(workflow: Workflow, run: Run, event: Cancel, now: datetime) -> Run:
    """Nothing more is launched; a step that was started is over when its attempt is."""
    if is_stopped(run):
        return run
    steps = {
        name: replace(step, status="cancelled", ended_at=now) if step.status == "pending" else step for name, step in run.steps.items()
    }
    return progressed(workflow, replace(run, steps=steps, cancel=Cancellation(at=now, reason=event.reason)), now)


def _resumed(workflow: Workflow, run: Run, event: Resume, now: datetime) -> Run:
    again = resumable(workflow, run, event.start)
    if run.status == "running" or run.purged_at is not None or not again:
        return run
    generation = run.generation + 1
    steps = {name: StepState(generation=generation) if name in again else step for name, step in run.steps.items()}
    opened = replace(run, status="running", generation=generation, steps=steps, ended_at=None, error=None, cancel=None)
    variables = event.variables or run.variables
    return progressed(workflow, replace(opened, announced=False, closed=0, variables=variables), now)


def _failed(run: Run, event: Fail, now: datetime) -> Run:
    if run.status != "running":
        return run
    steps = {
        name: replace(step, status="cancelled", ended_at=now) if step.status in OPEN_STEP else step for name, step in run.steps.items()
    }
    return replace(run, status="failed", ended_at=now, steps=steps, error=event.error)


def _purged(run: Run, _event: Purge, now: datetime) -> Run:
    return run if run.purged_at or not run.closed else replace(run, purged_at=now)


def _step_after(step: StepState, outcome: Outcome, name: str) -> StepState:
    if step.status not in OPEN_STEP:
        return step
    # The run's row has a limit, and may have 500 steps that failed: the whole error is with the item.
    error = outcome.error and replace(outcome.error, step=name, message=outcome.error.message[:SHORT], details=(), log=())
    status = "failed" if outcome.status == "timed_out" else outcome.status
    return replace(step, status=status, ended_at=outcome.at, outputs=outcome.outputs, error=error)


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
    status: RunStatus = "cancelled" if run.cancel is not None else "failed"
    return replace(run, status=status, ended_at=now, error=failed.error)
