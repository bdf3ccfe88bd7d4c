"""cancel and resume (HTTP): what a person or another system does to a run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from loadme import claims, log, store, transaction
from loadme.core import contract, retries, runs
from loadme.core.engine import State
from loadme.core.events import Cancel, Resume, RunEvent
from loadme.core.state import Run, Value
from loadme.definitions import variables
from loadme.definitions.definition import Workflow
from loadme.definitions.problems import nearest
from loadme.errors import LoadmeError, Rejected
from loadme.handlers.queries import find_run
from loadme.handlers.start import open_row
from loadme.services import Services

REASON_LIMIT = 500
CANCEL_KEYS, RESUME_KEYS = ("reason",), ("from", "variables")


def cancel(services: Services, run_id: str, given: Mapping[str, Any]) -> Run:
    """The run, in which nothing more is launched; what was launched is deleted. Cancelled again it is as it was.

    Raises Rejected: 404, 400 for a body that is not `{"reason": "..."}`, 409 if the run is over.
    """
    _only(given, CANCEL_KEYS)
    reason = given.get("reason", "")
    if not isinstance(reason, str) or len(reason) > REASON_LIMIT:
        raise _wrong("reason", f"must be a text of at most {REASON_LIMIT} characters")
    run = find_run(services, run_id)
    if run.status != "running":
        raise Rejected(409, "The run is over", f"the run {run.id} is {run.status} already: there is nothing to cancel")
    after = transaction.change_run(services, run.id, Cancel(reason=reason))
    if after.run.cancel is None:
        raise Rejected(409, "The run is over", f"the run {run.id} has {after.run.status} just now: there is nothing to cancel")
    log.info("cancel", run=run.id)
    _set_going(services, after)
    return after.run


def resume(services: Services, run_id: str, given: Mapping[str, Any]) -> Run:
    """The run, which goes on from what failed, and from the step `from` with all that comes after it; other steps keep their outputs.

    Raises Rejected: 404, 409 if the run is not over or nothing of it failed, 400 naming each thing in the body that is wrong.
    """
    _only(given, RESUME_KEYS)
    run = find_run(services, run_id)
    workflow = services.definitions.get(run.definition)
    start = _start(run, given.get("from"))
    if run.status == "running":
        raise Rejected(409, "The run is not over", f"the run {run.id} is running: cancel it first, or wait until it is over")
    if not run.announced:
        detail = f"the end of the run {run.id} is being told just now: try again in a few seconds"
        raise Rejected(503, "In a moment", detail, headers={"Retry-After": "2"})
    if not runs.resumable(workflow, run, start):
        raise Rejected(409, "Nothing to resume", f"no step of the run {run.id} failed: name the step to begin with in `from`")
    _check_numbers(services, run)
    event = Resume(start=start, variables=_variables(services, workflow, run, given.get("variables")))
    after = _resumed(services, run, event)
    _check_resumed(services, run, event, after.run)
    log.info("resume", run=run.id, start=start, generation=after.run.generation)
    _set_going(services, after)
    return after.run


def _check_numbers(services: Services, run: Run) -> None:
    """An attempt id has three digits for the number."""
    worn = [one.item for one in store.read_items(services.tables, run.id) if one.item.attempt.number > retries.MOST_ATTEMPTS]
    if worn:
        detail = f"the step {worn[0].step} has had {worn[0].attempt.number} attempts, and a run can have no more: start a new run"
        raise Rejected(409, "Too many attempts", detail)


def _check_resumed(services: Services, before: Run, event: Resume, after: Run) -> None:
    """Raises Rejected if somebody else was faster, with something else."""
    find_run(services, before.id)
    is_ours = after.generation == before.generation + 1 and event.variables in (None, after.variables)
    if not is_ours or after.cancel is not None:
        raise Rejected(409, "The run was resumed", f"somebody else resumed the run {before.id} at the same moment: look at it again")


def _resumed(services: Services, run: Run, event: RunEvent) -> State:
    # The patrol's row is written after the run was read and before it is changed: whoever lets go of the run read the row before he
    # changed the run, so either our write meets his, or the row that he deletes is not the one that is there.
    due = timedelta(seconds=services.settings.policy.first_look)
    return transaction.change_run(services, run.id, event, lambda: services.tables.write([open_row(run.id, services.now() + due)]))


def _set_going(services: Services, state: State) -> None:
    try:
        services.tables.write([store.listing_row(state.run)])
        transaction.perform_due(services, state, *state.run.steps)
    except LoadmeError as trouble:
        # What was asked for is stored, so the caller is told so; the patrol does what could not be done.
        log.error("control-not-sent", run=state.run.id, why=str(trouble))


def _start(run: Run, given: object) -> str:
    if given is None:
        return ""
    if not isinstance(given, str) or given not in run.steps:
        hint = nearest(str(given), run.steps) or f"the run has {', '.join(run.steps)}"
        raise _wrong("from", f"names no step of the run: {str(given)[:60]!r}", hint)
    return given


def _variables(services: Services, workflow: Workflow, run: Run, given: object) -> Value | None:
    """The run's variables with these in their places, checked as at the start; None to keep them all."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise _wrong("variables", "must be an object of variables")
    before = claims.read(services.blobs, run.variables)
    seen = contract.run_context(run.id, run.workflow, run.created_at, run.scheduled_at)
    accepted = variables.accept(workflow, {**before, **given}, {}, seen)
    return claims.keep(services.blobs, f"runs/{run.id}/variables", accepted, claims.IN_MESSAGE)


def _only(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            raise _wrong(key[:60], "is not known here", nearest(key, known) or f"known are {', '.join(known)}")


def _wrong(field: str, message: str, hint: str = "") -> Rejected:
    error = {"field": field, "message": message} | ({"hint": hint} if hint else {})
    return Rejected(400, "Bad request", f"`{field}` {message}" if field else message, [error])
