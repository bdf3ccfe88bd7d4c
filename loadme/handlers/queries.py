"""What the API shows of runs, items, logs and workflows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loadme import claims, store
from loadme.core import contract, ids, loglines
from loadme.core.ids import AttemptId
from loadme.core.state import Error, Item, Run, StepState
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
    """The run. Raises Rejected(404)."""
    try:
        return store.read_run(services.tables, run if ids.is_run_id(run) else "no-such-run").run
    except Absent:
        raise Rejected(404, "Unknown run", f"there is no run {run[:40]!r}: GET /api/runs lists them") from None


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
        "variables": claims.read(services.blobs, run.variables),
        "steps": steps,
        "outputs": {name: value for given in outputs.values() for name, value in given.items()},
        "error": next((step["error"] for step in steps if step["name"] == failed), None),
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
    if wanted.item not in ("", "0") or wanted.attempt not in ("", "1"):
        raise Rejected(404, "No log", f"the step {step!r} has one item, 0, and one attempt, 1")
    found = store.read_item(services.tables, run.id, step, 0)
    if found is None or not found.item.attempt.group:
        raise Rejected(
            404, "No log", f"the step {step!r} is {run.steps[step].status}: no container was launched for it, so there is no log"
        )
    return _tail(_log_of(services, found.item), lines)


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
        "workflows": {"ok": sorted(services.catalogue.workflows), "broken": wrong},
    }


def _log_of(services: Services, item: Item) -> str:
    name = item.attempt.group
    live = _live_log(services, name) if item.outcome is None else None
    text = live if live is not None else archive.read(services, name)
    if text is None and item.outcome is not None:
        # It has its outcome, but cleanup has not been there yet.
        text = _live_log(services, name)
    if text is None:
        state = (
            "the container has not written anything yet" if item.outcome is None else "it was launched, but Azure had no log of it to save"
        )
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
    attempt = item.attempt if item else None
    return {
        "name": name,
        "status": _status(step, item),
        "needs": list(workflow.steps[name].needs),
        "started_at": _time(step.started_at),
        "ended_at": _time(step.ended_at),
        "attempts": attempt.number if attempt and attempt.group else 0,
        "outputs": outputs,
        "error": _error(_whole_error(step, item, name)),
        "waiting": attempt.waiting or None if attempt and step.status == "started" else None,
        "progress": msgspec.to_builtins(attempt.progress) if attempt and attempt.progress else None,
        "logs": f"/api/runs/{run.id}/steps/{name}/logs",
    }


def _whole_error(step: StepState, item: Item | None, name: str) -> Error | None:
    """The error with all its details, which are with the item: the run has it in short."""
    whole = item.outcome.error if item and item.outcome else None
    return replace(whole, step=name) if step.error and whole else step.error


def _status(step: StepState, item: Item | None) -> str:
    if step.status != "started":
        return step.status
    return "running" if item and item.attempt.group else "pending"


def _item(item: Item) -> dict[str, Any]:
    attempt = item.attempt
    shown = {
        "attempt": attempt.number,
        "id": str(AttemptId(item.run, item.step, item.item, attempt.number)),
        "status": attempt.status,
        "launched_at": _time(attempt.launched_at) if attempt.group else None,
        "started_at": _time(attempt.started_at),
        "ended_at": _time(attempt.ended_at),
        "cleanup": attempt.cleanup,
        "error": _error(item.outcome.error if item.outcome else None),
    }
    return {"item": item.item, "status": attempt.status, "attempts": [shown] if attempt.group else []}


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
