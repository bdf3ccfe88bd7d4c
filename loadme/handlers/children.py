"""Runs as steps of other runs: how they begin, what becomes of their parent's attempt, and how they end with it.

The child's id is stored with the attempt before the child exists, so that whoever begins it again begins the same run. Both ends know the
other: the child has the attempt as its `parent`, and tells it of its end; the parent's own checks find out if that was lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from loadme import claims, log, requests, store, transaction
from loadme.core import context
from loadme.core.context import Context
from loadme.core.engine import State
from loadme.core.events import Cancel
from loadme.core.outcome import SHORT, Error, Outcome
from loadme.core.state import Attempt, Item, Run
from loadme.definitions import expressions, variables
from loadme.definitions.catalogue_rules import DEEPEST
from loadme.errors import ExpressionFailed, Rejected, Retryable, RunAbsent, Terminal
from loadme.handlers import close, control, outcomes, run_outputs, start
from loadme.handlers.pending import Pending
from loadme.handlers.secrets import SecretRefused
from loadme.services import Services

BACKSTOP = 900.0
"""Seconds between two looks at a child at the most: it tells of its end by itself."""


def begin(services: Services, state: State, item: Item, seen: Context) -> None:
    """Begins the child; what keeps it from beginning is the attempt's failure. Raises Retryable."""
    try:
        child = _begun(services, state, item, seen)
        log.info("start-child", run=item.run, attempt=str(item.attempt_id), child=child.id)
    except (Rejected, Terminal) as refused:
        outcomes.accept(services, item, _failed(services, Error(kind="refused", message=_in_words(refused), hint=_HINT)))


_HINT = "make the step's `workflow` and `variables` agree with the workflow that they name"


def judge(services: Services, state: State, item: Item) -> Outcome | Pending:
    """What the child's state makes of the parent's attempt."""
    try:
        child = store.read_run(services.tables, item.attempt.child).run
    except RunAbsent:
        return _without_child(services, state, item)
    if child.is_over:
        return _outcome(services, state, item, child)
    now, ends_at = services.now(), item.attempt.ends_at
    if ends_at is not None and now >= ends_at:
        message = f"the run {child.id} of the workflow {child.workflow} took longer than the step's timeout"
        error = Error(kind="timed_out", message=message, hint=f"GET /api/runs/{child.id} shows how far it came")
        return Outcome(status="timed_out", at=now, source="timer", error=error)
    delay = min(services.settings.policy.check_first * 2.0 ** min(item.attempt.checks, 16), BACKSTOP)
    left = (ends_at - now).total_seconds() if ends_at else delay
    return Pending(delay=min(delay, left), is_deployed=True, started_at=child.begun_at)


def clean_up(services: Services, parent: Run, attempt: Attempt, outcome: Outcome | None) -> bool:
    """Ends the child with its parent's attempt: it is cancelled unless it is over. Whether nothing of it is left to be done.

    Raises Retryable while one that is not there may still begin.
    """
    try:
        child = store.read_run(services.tables, attempt.child).run
    except RunAbsent:
        # Whoever launches may be past the last look at the attempt; of one that has answered, or was refused, no child comes any more.
        is_refused = outcome is not None and outcome.source == "run" and outcome.error is not None and outcome.error.kind == "refused"
        left = services.settings.policy.child_fence_left(attempt, services.now(), is_answered=is_refused)
        if left > 0:
            raise Retryable(f"the run {attempt.child} may still begin", after=left) from None
        return True
    force = parent.cancel is not None and parent.cancel.force
    if not child.is_over and (child.cancel is None or (force and not child.cancel.force)):
        _cancel(services, parent, child, force)
        return False
    # Of a child without containers nobody else finds that nothing is left, but the patrol, minutes later.
    is_closed = bool(child.closed) or close.close_if_over(services, child)
    return is_closed or child.purged_at is not None or _is_left_to_itself(services, child)


def _begun(services: Services, state: State, item: Item, seen: Context) -> Run:
    workflow = start.find(services, state.workflow.every_step[item.step].workflow or "")
    parent = state.run
    _check_ancestors(services, parent, workflow.name)
    given = expressions.render_all(state.workflow.every_step[item.step].variables, seen)
    child, now = item.attempt.child, item.attempt.launched_at
    accepted = variables.accept(workflow, given, {}, context.run_context(child, workflow.name, now, parent.scheduled_at))
    made = Run(
        id=child,
        workflow=workflow.name,
        definition="",
        created_at=now,
        scheduled_at=parent.scheduled_at,
        parent=str(item.attempt_id),
        ancestors=(*parent.ancestors, parent.id),
        variables=claims.keep(services.blobs, f"runs/{child}/variables", accepted, claims.IN_MESSAGE),
        steps={},
    )
    return start.begin(services, workflow, made)


def _check_ancestors(services: Services, parent: Run, workflow: str) -> None:
    """Raises Terminal for a run that would be its own ancestor, or lie too deep. The files are checked for that too, but each run has
    the definition that it started with."""
    line = [*_names_above(services, parent), parent.workflow]
    if len(parent.ancestors) + 1 > DEEPEST:
        raise Terminal(f"{DEEPEST} runs may be above a run, and the run {parent.id} has that many above it: it can have none below")
    if workflow in line:
        raise Terminal(f"the workflow {workflow} would be a step of itself: {' → '.join([*line, workflow])}")


def _names_above(services: Services, run: Run) -> Iterator[str]:
    for ancestor in run.ancestors:
        with suppress(RunAbsent):
            yield store.read_run(services.tables, ancestor).run.workflow


def _without_child(services: Services, state: State, item: Item) -> Outcome | Pending:
    attempt, policy = item.attempt, services.settings.policy
    if attempt.is_deployed:
        message = f"the run {attempt.child} was deleted before its parent had seen its end"
        return _failed(services, Error(kind="failed", message=message))
    if not policy.is_launching(attempt, services.now()):
        transaction.send(services, requests.request(services, state, item.step, item.item))
    return Pending(delay=policy.check_delay(attempt.checks + 1))


def _outcome(services: Services, state: State, item: Item, child: Run) -> Outcome:
    if child.status == "succeeded":
        return _succeeded(services, state, item, child)
    if child.status == "skipped":
        return Outcome(status="skipped", at=services.now(), source="run")
    hint = f"GET /api/runs/{child.id} shows it, `loadme show {child.id}` too"
    if child.status == "cancelled":
        why = f": {child.cancel.reason}" if child.cancel and child.cancel.reason else ""
        said = f"the run {child.id} of the workflow {child.workflow} was cancelled{why}"
        return _failed(services, Error(kind="cancelled", message=said, hint=hint))
    found = child.error or Error(kind="failed", message="it failed and does not say why")
    # The cause comes first: of runs in runs in runs, what is cut off is where it was, and the links say that too.
    where = f"step {found.step} of {child.workflow}" if found.step else child.workflow
    message = f"{found.message} ({where}, run {child.id})"[: 4 * SHORT]
    return _failed(services, Error(kind=found.kind, message=message, exit_code=found.exit_code, hint=hint))


def _succeeded(services: Services, state: State, item: Item, child: Run) -> Outcome:
    try:
        return outcomes.succeeded(services, state, item.attempt_id, run_outputs.declared(services, child), "run")
    except ExpressionFailed as failed:
        hint = f"correct the `outputs` of the workflow {child.workflow}"
        return _failed(services, Error(kind="expression", message=f"the outputs of the run {child.id}: {failed}", hint=hint))
    except SecretRefused as refused:
        return _failed(services, refused.error)
    except Rejected as wrong:
        return outcomes.bad_outputs(services, wrong, "run")


def _cancel(services: Services, parent: Run, child: Run, force: bool) -> None:
    why = f": {parent.cancel.reason}" if parent.cancel and parent.cancel.reason else ""
    reason = f"its parent, the step of the run {parent.id}, is over{why}"[:SHORT]
    after = transaction.change_run(services, child.id, Cancel(reason=reason, force=force))
    log.info("cancel-child", run=parent.id, child=child.id)
    control.set_going(services, after)


def _is_left_to_itself(services: Services, child: Run) -> bool:
    """A child whose containers cannot be deleted keeps its parent no longer: it is looked after by itself."""
    patience = timedelta(seconds=services.settings.policy.leak)
    return child.is_over and child.ended_at is not None and services.now() > child.ended_at + patience


def _failed(services: Services, error: Error) -> Outcome:
    at: datetime = services.now()
    return Outcome(status="failed", at=at, source="run", error=error)


def _in_words(refused: Rejected | Terminal) -> str:
    return f"{refused.title}: {refused.detail}" if isinstance(refused, Rejected) else str(refused)
