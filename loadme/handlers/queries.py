"""What the API shows of runs, items, logs and workflows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loadme import claims, store
from loadme.core import contract, ids, loglines, retries
from loadme.core.ids import AttemptId
from loadme.core.state import Attempt, Error, Item, Outcome, Run, StepState
from loadme.definitions import graph, variables
from loadme.definitions.definition import Workflow
from loadme.errors import Absent, Rejected, Retryable
from loadme.handlers import archive
from loadme.services import Services

PAGE = 50
LARGEST_PAGE = 500
DIGITS = 9


class Query(Struct, frozen=True, kw_only=True):
    """What a listing of runs is asked for."""

    workflow: str = ""
    status: str = ""
    since: str = ""
    limit: str = ""
    continuation: str = ""


def find_run(services: Services, run: str) -> Run:
    """The run. Raises Rejected(404); one that is being deleted is not there any more."""
    with suppress(Absent):
        found = store.read_run(services.tables, run if ids.is_run_id(run) else "no-such-run").run
        if found.purged_at is None:
            return found
    raise Rejected(404, "Unknown run", f"there is no run {run[:40]!r}: GET /api/runs lists them")


def get_run(services: Services, run_id: str) -> dict[str, Any]:
    """A run as the API shows it: status, variables, steps in topological order, outputs, error."""
    run = find_run(services, run_id)
    return show_run(services, run, {one.item.step: one.item for one in store.read_items(services.tables, run.id)})


def show_run(services: Services, run: Run, items: Mapping[str, Item]) -> dict[str, Any]:
    """The run with these items of its steps."""
    workflow = services.definitions.get(run.definition)
    outputs = {name: claims.read(services.blobs, run.steps[name].outputs) for name in graph.order(workflow)}
    steps = [_step(run, workflow, name, outputs[name], items.get(name)) for name in outputs]
    failed = run.error.step if run.error else None
    return {
        **_summary(run),
        "scheduled_at": _time(run.scheduled_at),
        "cancel": {"at": _time(run.cancel.at), "reason": run.cancel.reason} if run.cancel else None,
        "resumes": run.generation,
        "variables": claims.read(services.blobs, run.variables),
        "steps": steps,
        "outputs": {name: value for given in outputs.values() for name, value in given.items()},
        "error": next((step["error"] for step in steps if step["name"] == failed), None) if failed else _error(run.error),
        "links": {"self": f"/api/runs/{run.id}", "workflow": f"/api/workflows/{run.workflow}"},
    }


def list_runs(services: Services, query: Query) -> dict[str, Any]:
    """Newest first, a page at a time. Raises Rejected(400) for a query that cannot be understood."""
    limit = _limit(query.limit)
    where = {name: value for name, value in (("workflow", query.workflow), ("status", query.status)) if value}
    first = query.continuation if ids.is_run_id(query.continuation) else ""
    if query.continuation and not first:
        raise Rejected(400, "Bad continuation", "`continuation` must be what the last page gave")
    before = _before(query.since)
    rows = services.tables.list(store.ALL, first=first, before=before, limit=limit + 1, where=where)
    found = [msgspec.json.decode(row.body) for row in rows]
    return {"runs": found[:limit], "continuation": rows[limit].row if len(rows) > limit else None}


def list_items(services: Services, run_id: str, step: str) -> dict[str, Any]:
    """The items of a step and their attempts."""
    run = find_run(services, run_id)
    _known_step(run, step)
    found = store.read_item(services.tables, run.id, step, 0)
    return {"items": [_item(found.item)] if found else [], "continuation": None}


class LogQuery(Struct, frozen=True, kw_only=True):
    """Which log, and how much of it: without `item` the first one's, without `attempt` the latest one's, without `tail` the whole."""

    item: str = ""
    attempt: str = ""
    tail: str = ""


def read_log(services: Services, run_id: str, step: str, wanted: LogQuery = LogQuery()) -> str:  # noqa: B008 (frozen)
    """The log of an attempt: from ACI while there is a container, from the archive afterwards."""
    run = find_run(services, run_id)
    _known_step(run, step)
    lines = _count(wanted.tail, "tail") if wanted.tail else None
    found = store.read_item(services.tables, run.id, step, 0) if wanted.item in ("", "0") else None
    if found is None:
        status = run.steps[step].status
        raise Rejected(404, "No log", f"the step {step!r} is {status}: no container was launched for it, so there is no log")
    number = _count(wanted.attempt, "attempt") if wanted.attempt else _latest(found.item)
    known = found.item.numbered(number)
    if known is None or not known[0].group:
        launched = ", ".join(str(one.number) for one in found.item.attempts if one.group) or "none"
        raise Rejected(404, "No log", f"the step {step!r} has no container of attempt {number}; attempts with one: {launched}")
    return _tail(_log_of(services, *known), lines)


def _latest(item: Item) -> int:
    return max((one.number for one in item.attempts if one.group), default=item.attempt.number)


def list_workflows(services: Services) -> dict[str, Any]:
    """All workflows, and the files that are broken."""
    known = services.catalogue.workflows
    return {"workflows": [show_workflow(known[name]) for name in sorted(known)], "broken": broken(services)}


def show_workflow(workflow: Workflow) -> dict[str, Any]:
    """A workflow with a JSON Schema of its variables."""
    return {
        "name": workflow.name,
        "description": workflow.description,
        "schedules": msgspec.to_builtins(workflow.schedules),
        "steps": list(graph.order(workflow)),
        "variables": variables.json_schema(workflow),
    }


def broken(services: Services) -> list[dict[str, Any]]:
    """The workflow files that cannot be used, and all that is wrong with each."""
    return [{"file": one.file, "errors": [problem.as_error() for problem in one.problems]} for one in services.catalogue.broken]


def health(services: Services, version: str) -> dict[str, Any]:
    """`degraded` while a workflow file is broken: the others work."""
    wrong = broken(services)
    return {
        "status": "degraded" if wrong else "ok",
        "version": version,
        "patrol": _last_patrol(services),
        "workflows": {"ok": sorted(services.catalogue.workflows), "broken": wrong},
    }


def _last_patrol(services: Services) -> Any:
    """When the patrol was last there and what it found, counted; None if it never was."""
    row = services.tables.read(store.PATROL, store.LAST)
    return msgspec.json.decode(row.body) if row else None


def _log_of(services: Services, attempt: Attempt, outcome: Outcome | None) -> str:
    name = attempt.group
    live = _live_log(services, name) if outcome is None else None
    text = live if live is not None else archive.read(services, name)
    if text is None and outcome is not None and attempt.cleanup == "wanted":
        # It has its outcome, but cleanup has not been there yet.
        text = _live_log(services, name)
    if text is None:
        state = "the container has not written anything yet" if outcome is None else "it was launched, but Azure had no log of it to save"
        raise Rejected(404, "No log", f"there is no log of {name}: {state}")
    return loglines.masked(text)


def _live_log(services: Services, name: str) -> str | None:
    try:
        return services.arm.logs(name, name)
    except Retryable as trouble:
        if trouble.code == "ContainerGroupTransitioning":  # it is being started: there is nothing to read yet
            return None
        raise


def _tail(text: str, lines: int | None) -> str:
    return text if lines is None else "".join(text.splitlines(keepends=True)[-lines:])


def _known_step(run: Run, step: str) -> None:
    if step not in run.steps:
        raise Rejected(404, "Unknown step", f"the run {run.id} has no step {step[:40]!r}; it has {', '.join(run.steps)}")


def _summary(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "workflow": run.workflow,
        "status": run.status,
        "created_at": _time(run.created_at),
        "ended_at": _time(run.ended_at),
    }


def _step(run: Run, workflow: Workflow, name: str, outputs: Mapping[str, Any], item: Item | None) -> dict[str, Any]:
    step: StepState = run.steps[name]
    current = item if item and item.generation == step.generation else None
    is_open = current is not None and step.status == "started"
    attempt = current.attempt if current else None
    return {
        "name": name,
        "status": _status(step, current),
        "needs": list(workflow.steps[name].needs),
        "started_at": _time(step.started_at),
        "ended_at": _time(step.ended_at),
        "max_attempts": workflow.retry(workflow.steps[name]).attempts,
        "attempts": _latest(item) if item and any(one.group for one in item.attempts) else 0,
        "outputs": outputs,
        "error": _error(_whole_error(step, current, name)),
        "waiting": _waiting(attempt) if attempt and is_open else _resuming(step, item),
        "retry": _retry(current, workflow.locations(workflow.steps[name])) if current and is_open else None,
        "progress": msgspec.to_builtins(attempt.progress) if attempt and attempt.progress else None,
        "logs": f"/api/runs/{run.id}/steps/{name}/logs",
    }


def _resuming(step: StepState, item: Item | None) -> dict[str, Any] | None:
    """That a step which a resume runs again waits for what is left of its last attempt."""
    is_left = item is not None and step.status == "started" and item.generation != step.generation and item.attempt.cleanup == "wanted"
    return {"why": "the last attempt's container group to go", "until": None, "estimate": None} if is_left else None


def _waiting(attempt: Attempt) -> dict[str, Any] | None:
    if not attempt.waiting:
        return None
    return {"why": attempt.waiting, "until": _time(attempt.due_at), "estimate": _time(attempt.estimate)}


def _retry(item: Item, locations: tuple[str, ...]) -> dict[str, Any] | None:
    if item.retry is None:
        return None
    place = retries.place(item.spent, locations) or None
    return {"at": _time(item.retry.at), "attempt": item.attempt.number + 1, "why": item.retry.why, "location": place}


def _whole_error(step: StepState, item: Item | None, name: str) -> Error | None:
    """The error with all its details, which are with the item: the run has it in short."""
    whole = item.outcome.error if item and item.outcome else None
    return replace(whole, step=name) if step.error and whole else step.error


def _status(step: StepState, item: Item | None) -> str:
    if step.status != "started":
        return step.status
    return "running" if item and item.attempt.group else "pending"


def _item(item: Item) -> dict[str, Any]:
    tried = [*((one.attempt, one.outcome) for one in item.past), (item.attempt, item.outcome)]
    status = "waiting" if item.retry else item.attempt.status
    return {"item": item.item, "status": status, "attempts": [_attempt(item, *one) for one in tried if one[0].group]}


def _attempt(item: Item, attempt: Attempt, outcome: Outcome | None) -> dict[str, Any]:
    return {
        "attempt": attempt.number,
        "id": str(AttemptId(item.run, item.step, item.item, attempt.number)),
        "status": attempt.status,
        "location": attempt.location,
        "launched_at": _time(attempt.launched_at),
        "started_at": _time(attempt.started_at),
        "ended_at": _time(attempt.ended_at),
        "cleanup": "leaked" if attempt.is_leaked and attempt.cleanup == "wanted" else attempt.cleanup,
        "error": _error(outcome.error if outcome else None),
    }


def _error(error: Error | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {name: getattr(error, name) for name in error.__struct_fields__}


def _time(moment: datetime | None) -> str | None:
    return contract.rfc3339(moment) if moment else None


def _limit(text: str) -> int:
    return min(_count(text, "limit"), LARGEST_PAGE) if text else PAGE


def _count(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > DIGITS or int(text) < 1:
        raise Rejected(400, f"Bad {name}", f"`{name}` must be a whole number from 1, not {text[:20]!r}")
    return int(text)


def _before(since: str) -> str:
    if not since:
        return ""
    try:
        moment = msgspec.convert(since.replace(" ", "+"), datetime)
        return ids.newest_first(ids.base32(int(moment.timestamp() * 1000), 10)) + "~"
    except (msgspec.ValidationError, ValueError):
        raise Rejected(400, "Bad since", f"`since` must be a time like 2026-01-31T00:00:00Z, not {since[:40]!r}") from None
