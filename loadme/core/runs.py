"""What happens to a run as a whole: it begins, goes on from step to step, ends, is cancelled, times out, is resumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from loadme.core import endings, expansions, slots
from loadme.core.events import Admit, Announced, Cancel, Closed, Collected, Expand, Fail, LanesSeen, Purge, Resume, RunEvent, Skip, TimeOut
from loadme.core.outcome import Error, Outcome
from loadme.core.state import OPEN_STEP, Cancellation, Run, RunEnd, StepState
from loadme.definitions import durations, graph
from loadme.definitions.definition import Workflow


def begin(workflow: Workflow, run: Run) -> Run:
    """The run as it is stored at its start: steps without needs are started; or it is queued, if it has a concurrency group."""
    return _opened(workflow, replace(run, steps={name: StepState() for name in workflow.every_step}), run.created_at)


def changed(workflow: Workflow, run: Run, event: RunEvent, now: datetime) -> Run:
    """The run after the event; the same run if the event does not apply."""
    if isinstance(event, Expand | LanesSeen | Collected):
        return _map_changed(workflow, run, event, now)
    if isinstance(event, Cancel | TimeOut):
        return _stopped(workflow, run, event, now)
    if isinstance(event, Resume):
        return _resumed(workflow, run, event, now)
    if isinstance(event, Admit | Skip):
        return _admitted(workflow, run, event, now)
    if isinstance(event, Fail):
        return run if run.is_over else replace(_cut(run, now), status="failed", error=event.error)
    return _after_its_end(run, event, now) if run.is_over else run


def is_stopped(run: Run, step: str) -> bool:
    """Whether nothing more of the step is to be launched."""
    if run.status != "running" or is_forced(run):
        return True
    # Only steps of `finally` are open once the others are over, and a cancel leaves them alone.
    return run.cancel is not None if run.ending is None else run.steps[step].status not in OPEN_STEP


def is_forced(run: Run) -> bool:
    """Whether the steps of `finally` are to stop, too."""
    return run.cancel is not None and run.cancel.force


def deadline(workflow: Workflow, run: Run) -> datetime | None:
    """When the run's time is over, if that will stop it: the steps of `finally` have time of their own."""
    is_bound = run.status == "running" and run.ending is None and run.cancel is None
    if workflow.timeout is None or run.begun_at is None or not is_bound:
        return None
    return run.begun_at + timedelta(seconds=durations.seconds(workflow.timeout))


def applied(workflow: Workflow, run: Run, step: str, outcome: Outcome, now: datetime) -> Run:
    """The run with a step's outcome in it, and with what follows from that."""
    return _with_step(workflow, run, step, endings.ended(workflow.every_step[step], run.steps[step], outcome, step), now)


def resumable(workflow: Workflow, run: Run, start: str) -> frozenset[str]:
    """The steps that a resume runs again: what failed and what therefore never ran; `start`, if one is named, with all after it; and all
    steps of `finally`, if there is anything else or one of them failed."""
    again: set[str] = set()
    for name in graph.order(workflow):
        is_first = name == start or endings.is_trouble(run.steps[name], run.steps)
        if is_first or not again.isdisjoint(graph.needs(workflow, name)):
            again.add(name)
    return frozenset(again | set(workflow.last)) if again else frozenset()


def progressed(workflow: Workflow, run: Run, now: datetime) -> Run:
    """The run with all begun that can begin, all skipped that cannot any more, and ended when no step is open.

    When all `steps` are over those of `finally` begin, however the others ended.
    """
    if run.status != "running":
        return run
    moved = _moved(workflow, run, now)
    if _is_open(moved, workflow.steps):
        return moved
    if moved.ending is None:
        moved = _moved(workflow, replace(moved, ending=_ending(workflow, moved, now)), now)
    return moved if _is_open(moved, workflow.last) else _over(workflow, moved, now)


def _opened(workflow: Workflow, run: Run, now: datetime) -> Run:
    """The run from its first step on; queued, if it has to have its concurrency group first."""
    return replace(run, status="queued", begun_at=None) if run.group else _begun(workflow, run, now)


def _begun(workflow: Workflow, run: Run, now: datetime) -> Run:
    return progressed(workflow, replace(run, status="running", begun_at=now), now)


def _with_step(workflow: Workflow, run: Run, name: str, step: StepState, now: datetime) -> Run:
    if step == run.steps[name]:
        return run
    fitted = endings.fitted(step, len(workflow.every_step))
    return progressed(workflow, replace(run, steps={**run.steps, name: fitted}), now)


def _map_changed(workflow: Workflow, run: Run, event: Expand | LanesSeen | Collected, now: datetime) -> Run:
    step, state, is_stop = workflow.every_step[event.step], run.steps[event.step], is_stopped(run, event.step)
    if isinstance(event, Expand):
        after = expansions.expanded(step, state, event, now)
    elif isinstance(event, LanesSeen):
        after = expansions.seen(state, event, is_stopped=is_stop, is_limited=workflow.max_parallel is not None)
    else:
        after = expansions.collected(step, state, event, now, is_stopped=is_stop)
    return _with_step(workflow, run, event.step, after, now)


def _stopped(workflow: Workflow, run: Run, event: Cancel | TimeOut, now: datetime) -> Run:
    """Nothing more is launched; a step that was started is over when its attempt is."""
    if isinstance(event, TimeOut):
        until = deadline(workflow, run)
        cancel = Cancellation(at=now, reason=f"its time, {workflow.timeout}, is over", kind="timed_out")
        return run if until is None or now < until else progressed(workflow, replace(run, cancel=cancel), now)
    if run.status == "queued":
        return replace(_cut(run, now), status="cancelled", cancel=Cancellation(at=now, reason=event.reason, force=event.force))
    is_late = run.cancel is not None or run.ending is not None
    if run.status != "running" or (is_late and (not event.force or is_forced(run))):
        return run
    return progressed(workflow, replace(run, cancel=Cancellation(at=now, reason=event.reason, force=event.force)), now)


def _admitted(workflow: Workflow, run: Run, event: Admit | Skip, now: datetime) -> Run:
    if run.status != "queued":
        return run
    if isinstance(event, Admit):
        return _begun(workflow, run, now)
    # Its steps are not skipped but cancelled: it can be resumed, and stands in line again.
    return replace(_cut(run, now), status="skipped", error=Error(kind="skipped", message=event.reason))


def _resumed(workflow: Workflow, run: Run, event: Resume, now: datetime) -> Run:
    again = resumable(workflow, run, event.start)
    if not run.is_over or run.purged_at is not None or not again:
        return run
    generation, has_other_variables = run.generation + 1, event.variables not in (None, run.variables)
    steps = dict(run.steps)
    for name in again:
        before = {*graph.needs(workflow, name), *(workflow.steps if name in workflow.last else ())}
        is_first = endings.is_trouble(run.steps[name], run.steps) and name != event.start
        is_kept = is_first and again.isdisjoint(before) and not has_other_variables
        steps[name] = expansions.kept(run.steps[name], generation) if is_kept else StepState(generation=generation)
    opened = replace(run, generation=generation, steps=steps, ended_at=None, error=None, cancel=None, ending=None)
    return _opened(workflow, replace(opened, announced=False, closed=0, variables=event.variables or run.variables), now)


def _after_its_end(run: Run, event: RunEvent, now: datetime) -> Run:
    if isinstance(event, Announced):
        return replace(run, announced=True) if event.generation == run.generation else run
    if isinstance(event, Closed):
        # Counted, so that it is a change each time: somebody who resumes the run just now must meet it.
        return replace(run, closed=run.closed + 1)
    is_late = run.purged_at is not None or not run.closed
    return replace(run, purged_at=now) if isinstance(event, Purge) and not is_late else run


def _cut(run: Run, now: datetime) -> Run:
    """The run, over at once."""
    steps = {
        name: replace(step, status="cancelled", ended_at=now) if step.status in OPEN_STEP else step for name, step in run.steps.items()
    }
    return replace(run, steps=steps, ended_at=now)


def _moved(workflow: Workflow, run: Run, now: datetime) -> Run:
    """One pass over the steps in topological order: none that comes later changes what may become of one before it."""
    steps, room = dict(run.steps), slots.room(workflow, run.steps)
    for name in graph.order(workflow):
        if run.ending is None and name in workflow.last:
            break
        step, is_stop = workflow.every_step[name], is_stopped(run, name)
        if steps[name].status == "pending":
            found = "cancelled" if is_stop else endings.next_status(workflow, steps, name)
            if found in ("cancelled", "skipped"):
                steps[name] = replace(steps[name], status=found, ended_at=now)
            elif found == "started" and slots.may_start(step, room):
                steps[name] = replace(steps[name], status="started", started_at=now)
        if steps[name].status == "started" and not is_stop:
            steps[name] = slots.opened(step, steps[name], room)
    return replace(run, steps=steps)


def _is_open(run: Run, names: Iterable[str]) -> bool:
    return any(run.steps[name].status in OPEN_STEP for name in names)


def _ending(workflow: Workflow, run: Run, now: datetime) -> RunEnd:
    steps = {name: run.steps[name] for name in workflow.steps}
    if not any(endings.is_trouble(step, steps) for step in steps.values()):
        return RunEnd(status="succeeded", at=now)
    if run.cancel is None:
        return RunEnd(status="failed", at=now, error=endings.error_of(steps))
    if run.cancel.kind == "timed_out":
        return RunEnd(status="failed", at=now, error=_timed_out(workflow, steps))
    return RunEnd(status="cancelled", at=now, error=endings.error_of(steps))


def _timed_out(workflow: Workflow, steps: Mapping[str, StepState]) -> Error:
    """It is the run's own error, and of none of its steps."""
    at_work = [name for name, step in steps.items() if step.status == "cancelled" and step.started_at is not None]
    where = f" while {', '.join(at_work[:3])} {'was' if len(at_work) == 1 else 'were'} at work" if at_work else ""
    return Error(kind="timed_out", message=f"the run was not over in time: `timeout` is {workflow.timeout}, and it ran out{where}")


def _over(workflow: Workflow, run: Run, now: datetime) -> Run:
    """The run with the end that `ending` says, unless its steps of `finally` failed or were stopped."""
    ending, steps = run.ending or _ending(workflow, run, now), {name: run.steps[name] for name in workflow.last}
    status, error = ending.status, ending.error
    if any(endings.is_trouble(step, steps) for step in steps.values()) and (is_forced(run) or status == "succeeded"):
        status, error = "cancelled" if is_forced(run) else "failed", error or endings.error_of(steps)
    return replace(run, status=status, ended_at=now, error=error, ending=ending if workflow.last else None)
