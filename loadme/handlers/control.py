"""cancel and resume (HTTP): what a person or another system does to a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from loadme import claims, log, store, transaction
from loadme.core import context, retries, runs
from loadme.core.engine import State
from loadme.core.events import Cancel, Resume, RunEvent
from loadme.core.outcome import Value
from loadme.core.state import Item, Run
from loadme.definitions import variables
from loadme.definitions.definition import Workflow
from loadme.definitions.problems import nearest
from loadme.errors import LoadmeError, Rejected
from loadme.handlers import groups
from loadme.handlers.queries import find_run
from loadme.handlers.start import open_row
from loadme.services import Services

REASON_LIMIT = 500
CANCEL_KEYS, RESUME_KEYS = ("reason", "force"), ("from", "variables")


def cancel(services: Services, run_id: str, given: Mapping[str, Any]) -> Run:
    """The run, in which nothing more is launched but its steps of `finally`; what was launched is deleted. Cancelled again it is as it was.

    With `force` the steps of `finally` stop as well.
    Raises Rejected: 404, 400 for a body that is not `{"reason": "...", "force": true}`, 409 if there is nothing left to cancel.
    """
    event = _cancel(given)
    run = find_run(services, run_id)
    if run.is_over:
        raise _too_late(f"has ended as {run.status}: there is nothing to cancel", run)
    after = transaction.change_run(services, run.id, event)
    if after.run.cancel is None:
        only = 'has only its steps of `finally` left, which run all the same: {"force": true} stops them'
        raise _too_late(f"has {after.run.status} just now: there is nothing to cancel" if after.run.is_over else only, run)
    log.info("cancel", run=run.id, force=event.force)
    return set_going(services, after)


def _cancel(given: Mapping[str, Any]) -> Cancel:
    _only(given, CANCEL_KEYS)
    reason, force = given.get("reason", ""), given.get("force", False)
    if not isinstance(reason, str) or len(reason) > REASON_LIMIT:
        raise _wrong("reason", f"must be a text of at most {REASON_LIMIT} characters")
    if not isinstance(force, bool):
        raise _wrong("force", "must be true or false")
    return Cancel(reason=reason, force=force)


def _too_late(why: str, run: Run) -> Rejected:
    return Rejected(409, "The run is over", f"the run {run.id} {why}")


def resume(services: Services, run_id: str, given: Mapping[str, Any]) -> Run:
    """The run, which goes on from what failed, and from the step `from` with all that comes after it; other steps keep their outputs.

    Raises Rejected: 404, 409 if the run is not over or nothing of it failed, 400 naming each thing in the body that is wrong.
    """
    _only(given, RESUME_KEYS)
    run = find_run(services, run_id)
    workflow = services.definitions.get(run.definition)
    start = _start(run, given.get("from"))
    if not run.is_over:
        raise Rejected(409, "The run is not over", f"the run {run.id} is {run.status}: cancel it first, or wait until it is over")
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
    return set_going(services, after)


def _check_numbers(services: Services, run: Run) -> None:
    """An attempt id has three digits for the number."""
    worn = [item for item in _items(services, run) if item.attempt.number > retries.MOST_ATTEMPTS]
    if worn:
        detail = f"the step {worn[0].step} has had {worn[0].attempt.number} attempts, and a run can have no more: start a new run"
        raise Rejected(409, "Too many attempts", detail)


def _items(services: Services, run: Run) -> Iterator[Item]:
    maps = [name for name, step in run.steps.items() if step.map is not None]
    yield from (one.item for one in store.read_single_items(services.tables, run, maps))
    yield from (one.item for name in maps for one in store.all_items_of(services.tables, run.id, name))


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


def set_going(services: Services, state: State) -> Run:
    """What is due of the run is done; the run as it is then."""
    try:
        services.tables.write([store.listing_row(state.run)])
        if state.run.status == "queued":
            return groups.join(services, state.run)
        if state.run.cancel is None:
            since = dict.fromkeys(state.run.steps, 0)
            transaction.perform_due(services, dataclasses.replace(state, asked=tuple(state.run.steps), since=since))
        else:
            transaction.perform_due(services, transaction.whole(services, state.run.id))
    except LoadmeError as trouble:
        # What was asked for is stored, so the caller is told so; the patrol does what could not be done.
        log.error("control-not-sent", run=state.run.id, why=str(trouble))
    return state.run


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
    seen = context.run_context(run.id, run.workflow, run.created_at, run.scheduled_at)
    accepted = variables.accept(workflow, {**before, **given}, {}, seen)
    return claims.keep(services.blobs, f"runs/{run.id}/variables", accepted, claims.IN_MESSAGE)


def _only(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            raise _wrong(key[:60], "is not known here", nearest(key, known) or f"known are {', '.join(known)}")


def _wrong(field: str, message: str, hint: str = "") -> Rejected:
    error = {"field": field, "message": message} | ({"hint": hint} if hint else {})
    return Rejected(400, "Bad request", f"`{field}` {message}" if field else message, [error])
