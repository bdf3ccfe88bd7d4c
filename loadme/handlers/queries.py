"""What the API shows of runs, items, logs and workflows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loadme import claims, store
from loadme.core import context, ids, retries
from loadme.core.outcome import Error
from loadme.core.state import Attempt, AttemptStatus, Item, Run, RunStatus, StepState
from loadme.definitions import graph, variables
from loadme.definitions.definition import Workflow
from loadme.definitions.problems import nearest
from loadme.errors import Absent, Rejected
from loadme.handlers import files, groups, idle_shown, logs, paging, run_outputs, schedules, secrets, shown
from loadme.services import Services


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
    """A run as the API shows it: status, variables, steps in topological order, outputs, error, how many files."""
    run = find_run(services, run_id)
    steps = services.definitions.get(run.definition).every_step
    singles = store.read_single_items(services.tables, run, [name for name, step in steps.items() if step.for_each is not None])
    return show_run(services, run, {one.item.step: one.item for one in singles}) | {"files": files.counted(services, run.id)}


def show_run(services: Services, run: Run, items: Mapping[str, Item]) -> dict[str, Any]:
    """The run with these items of its steps."""
    workflow = services.definitions.get(run.definition)
    outputs = {name: _outputs(services, run, name) for name in graph.order(workflow)}
    steps = [_step(services, run, workflow, name, outputs[name], items.get(name)) for name in outputs]
    singles = (given or {} for name, given in outputs.items() if workflow.every_step[name].for_each is None)
    failed = run.error.step if run.error else None
    return {
        **_summary(run),
        "scheduled_at": shown.time(run.scheduled_at),
        "cancel": {"at": shown.time(run.cancel.at), "reason": run.cancel.reason, "kind": run.cancel.kind} if run.cancel else None,
        "ending": {"status": run.ending.status, "at": shown.time(run.ending.at)} if run.ending else None,
        "resumes": run.generation,
        "definition": run.definition,
        "concurrency": groups.standing(services, run),
        "parent": idle_shown.parent(run.parent),
        "variables": claims.read(services.blobs, run.variables),
        "steps": steps,
        **run_outputs.shown(services, run, {name: value for given in singles for name, value in given.items()}),
        "error": next((step["error"] for step in steps if step["name"] == failed), None) if failed else shown.error(run.error),
        "links": {"self": f"/api/runs/{run.id}", "workflow": f"/api/workflows/{run.workflow}", "files": f"/api/runs/{run.id}/files"},
    }


def _outputs(services: Services, run: Run, name: str) -> dict[str, Any] | None:
    """The step's outputs: of a `for_each` step lists in the items' order, or None if they are too large to be shown with the run."""
    kept = run.steps[name].outputs
    if not context.is_gathered(run, name):
        return claims.read(services.blobs, kept)
    if kept is None:
        return {}
    return None if kept.inline is None else kept.inline.get("outputs", {})


def list_runs(services: Services, query: Query) -> dict[str, Any]:
    """Newest first, a page at a time; one may have fewer runs than asked for, and others follow while there is a `continuation`.

    Raises Rejected(400) for a query that cannot be understood.
    """
    limit = paging.limit(query.limit)
    where = paging.status(query.status, get_args(RunStatus)) | ({"workflow": query.workflow} if query.workflow else {})
    first = query.continuation if ids.is_run_id(query.continuation) else ""
    if query.continuation and not first:
        raise Rejected(400, "Bad continuation", "`continuation` must be what the last page gave")
    before = _before(query.since)
    rows, following = store.list_runs(services.tables, first, before, where, limit)
    listed = [msgspec.json.decode(row.body) for row in rows]
    runs = [{**one, "parent": idle_shown.parent(one.get("parent", ""))} for one in listed]
    return {"runs": runs, "continuation": following or None}


class ItemQuery(Struct, frozen=True, kw_only=True):
    """Which items of a step are asked for: those with a `status`, `limit` of them, from where the last page ended."""

    status: str = ""
    limit: str = ""
    continuation: str = ""


def list_items(services: Services, run_id: str, step: str, wanted: ItemQuery = ItemQuery()) -> dict[str, Any]:  # noqa: B008 (frozen)
    """A page of the items of a step that have begun, and their attempts. Raises Rejected: 404; 400 for a query that makes no sense."""
    run = find_run(services, run_id)
    _known_step(run, step)
    limit, continuation = paging.limit(wanted.limit), wanted.continuation
    first = paging.number(continuation, "continuation") if continuation else 0
    where = paging.status(wanted.status, (*get_args(AttemptStatus), store.WAITING))
    found = [one.item for one in store.read_items_of(services.tables, run.id, step, first, limit + 1, where)]
    items = [shown.item(item, claims.read(services.blobs, item.outcome.outputs if item.outcome else None)) for item in found[:limit]]
    return {"items": items, "continuation": str(found[limit].item) if len(found) > limit else None}


class LogQuery(Struct, frozen=True, kw_only=True):
    """Which log, and how much of it: without `item` the first one's, without `attempt` the latest one's, without `tail` the whole."""

    item: str = ""
    attempt: str = ""
    tail: str = ""
    container: str = ""


def read_log(services: Services, run_id: str, step: str, wanted: LogQuery = LogQuery()) -> str:  # noqa: B008 (frozen)
    """The log of an attempt: from ACI while there is a container, from the archive afterwards."""
    run = find_run(services, run_id)
    _known_step(run, step)
    lines = paging.number(wanted.tail, "tail") if wanted.tail else None
    index = paging.number(wanted.item, "item", 0) if wanted.item else 0
    found = store.read_item(services.tables, run.id, step, index)
    if found is None:
        status, of = run.steps[step].status, f"its item {index}" if index else "it"
        if index >= (count := expansion.count if (expansion := run.steps[step].map) else 1):
            raise Rejected(404, "No log", f"the step {step!r} has no item {index}: it has {count}, counted from 0")
        raise Rejected(404, "No log", f"the step {step!r} is {status}: no container was launched for {of}, so there is no log")
    number = paging.number(wanted.attempt, "attempt") if wanted.attempt else _latest(found.item)
    known = found.item.numbered(number)
    if known is None or not known[0].group:
        launched = ", ".join(str(one.number) for one in found.item.attempts if one.group) or "none"
        raise Rejected(404, "No log", f"the step {step!r} has no container of attempt {number}; attempts with one: {launched}")
    text = logs.read(services, *known, _container(services, run, step, wanted.container))
    hide = secrets.masker(services, services.definitions.get(run.definition), run, found.item, number)
    return logs.tail(hide(text), lines)


def _container(services: Services, run: Run, step: str, name: str) -> str:
    """The name, if the step's group has such a container besides its own."""
    known = services.definitions.get(run.definition).every_step[step]
    others = (*known.init, *known.sidecars)
    if name and name not in others:
        has = f"besides its own it has {', '.join(others)}" if others else "it has none besides its own"
        raise Rejected(404, "No log", f"the step {step!r} has no container {name[:63]!r}: {has}")
    return name


def _latest(item: Item) -> int:
    return max((one.number for one in item.attempts if one.is_launched), default=item.attempt.number)


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
    """`degraded` while a workflow file is broken, or one gives back secrets that the app cannot keep: the others work."""
    wrong, unkept = broken(services), secrets.unkept(services)
    return {
        "status": "degraded" if wrong or unkept else "ok",
        "version": version,
        "patrol": _last_patrol(services),
        "schedules": schedules.health(services),
        "secrets": unkept,
        "workflows": {"ok": sorted(services.catalogue.workflows), "broken": wrong},
    }


def _last_patrol(services: Services) -> Any:
    """When the patrol was last there and what it found, counted; None if it never was."""
    row = services.tables.read(store.PATROL, store.LAST)
    return msgspec.json.decode(row.body) if row else None


def _known_step(run: Run, step: str) -> None:
    if step not in run.steps:
        raise Rejected(404, "Unknown step", f"the run {run.id} has no step {step[:40]!r}: {nearest(step[:40], run.steps)}")


def _summary(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "workflow": run.workflow,
        "status": run.status,
        "created_at": shown.time(run.created_at),
        "ended_at": shown.time(run.ended_at),
    }


def _step(services: Services, run: Run, workflow: Workflow, name: str, outputs: dict[str, Any] | None, item: Item | None) -> dict[str, Any]:
    step: StepState = run.steps[name]
    current = item if item and item.generation == step.generation else None
    is_open = current is not None and step.status == "started"
    attempt = current.attempt if current else None
    lanes = [one.lane for one in store.read_lanes(services.tables, run.id, name)] if step.map and step.status == "started" else []
    return {
        "name": name,
        "status": _status(step, current),
        "finally": name in workflow.last,
        "needs": list(workflow.every_step[name].needs),
        "started_at": shown.time(step.started_at),
        "ended_at": shown.time(step.ended_at),
        "max_attempts": workflow.retry(workflow.every_step[name]).attempts,
        "attempts": _latest(item) if item and any(one.is_launched for one in item.attempts) else 0,
        "outputs": outputs,
        "items": shown.counts(step, lanes),
        "error": shown.error(_whole_error(step, current, name)),
        "handled": step.handled or None,
        "waiting": _waiting(attempt) if attempt and is_open else _resuming(step, item),
        "retry": _retry(current, workflow, name) if current and is_open else None,
        "progress": msgspec.to_builtins(attempt.progress) if attempt and attempt.progress else None,
        **idle_shown.idle(run, name, workflow.every_step[name], current),
        "logs": f"/api/runs/{run.id}/steps/{name}/logs",
    }


def _resuming(step: StepState, item: Item | None) -> dict[str, Any] | None:
    """That a step which a resume runs again waits for what is left of its last attempt."""
    is_left = item is not None and step.status == "started" and item.generation != step.generation and item.attempt.cleanup == "wanted"
    if item is None or not is_left:
        return None
    what = f"the last attempt's run {item.attempt.child} to be closed" if item.attempt.child else "the last attempt's container group to go"
    return {"why": what, "until": None, "estimate": None}


def _waiting(attempt: Attempt) -> dict[str, Any] | None:
    if not attempt.waiting:
        return None
    return {"why": attempt.waiting, "until": shown.time(attempt.due_at), "estimate": shown.time(attempt.estimate)}


def _retry(item: Item, workflow: Workflow, name: str) -> dict[str, Any] | None:
    if item.retry is None:
        return None
    step = workflow.every_step[name]
    locations, priority = workflow.locations(step), workflow.priority(step)
    place = retries.place(item.spent, locations, priority) or None
    return {"at": shown.time(item.retry.at), "attempt": item.attempt.number + 1, "why": item.retry.why, "location": place}


def _whole_error(step: StepState, item: Item | None, name: str) -> Error | None:
    """The error with all its details, which are with the item: the run has it in short."""
    whole = item.outcome.error if item and item.outcome else None
    return replace(whole, step=name) if step.error and whole else step.error


def _status(step: StepState, item: Item | None) -> str:
    if step.status != "started":
        return step.status
    if step.map is not None:
        return "running" if step.map.opened else "pending"
    return "running" if item and item.attempt.is_launched else "pending"


def _before(since: str) -> str:
    if not since:
        return ""
    try:
        moment = msgspec.convert(since.replace(" ", "+"), datetime)
        return ids.newest_first(ids.base32(int(moment.timestamp() * 1000), 10)) + "~"
    except (msgspec.ValidationError, ValueError):
        raise Rejected(400, "Bad since", f"`since` must be a time like 2026-01-31T00:00:00Z, not {since[:40]!r}") from None
