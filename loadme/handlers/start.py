"""start: a POST, or a timer, makes a run of a workflow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loadme import claims, log, store, transaction
from loadme.azure.storage.tables import Row
from loadme.core import context, ids, runs
from loadme.core.engine import State
from loadme.core.state import Run
from loadme.definitions import variables
from loadme.definitions.definition import Workflow
from loadme.definitions.problems import nearest, printable
from loadme.errors import Conflict, LoadmeError, Rejected
from loadme.handlers import groups
from loadme.services import Services

KEY_LENGTH = 200


class Start(Struct, frozen=True, kw_only=True):
    """What somebody asks for: `given` are the body's variables, `query` the address's, parsed as they are declared."""

    workflow: str
    given: Mapping[str, Any] = {}
    query: Mapping[str, str] = {}
    key: str = ""
    scheduled_at: datetime | None = None


def start(services: Services, wanted: Start) -> Run:
    """The run, durable: whatever dies from here on, it comes to an end. The same key with the same variables gives the same run.

    Raises Rejected: 404 for an unknown workflow, 400 naming every variable that is wrong, 409 for a key that was used with other variables.
    """
    workflow = find(services, wanted.workflow)
    reserved = _reserved(services, wanted)
    if reserved and services.tables.read(reserved, "run") is not None:
        return _again(services, store.read_run(services.tables, reserved).run)
    now = services.now()
    run = reserved or ids.new_run_id(now, services.random_bytes)
    seen = context.run_context(run, workflow.name, now, wanted.scheduled_at)
    accepted = variables.accept(workflow, wanted.given, wanted.query, seen)
    group = groups.group_of(workflow, accepted, seen)
    if wanted.key and not reserved:
        try:
            services.tables.write([_reservation(wanted, run)])
        except Conflict:
            # Somebody took the key at the same moment; or it was this very write, whose answer was lost.
            return start(services, wanted)
    made = Run(
        id=run,
        workflow=workflow.name,
        definition="",
        created_at=now,
        scheduled_at=wanted.scheduled_at,
        group=group,
        key=_reservation(wanted, "").partition if wanted.key else "",
        variables=claims.keep(services.blobs, f"runs/{run}/variables", accepted, claims.IN_MESSAGE),
        steps={},
    )
    return begin(services, workflow, made)


def begin(services: Services, workflow: Workflow, run: Run) -> Run:
    """The run, stored and set going; one that is stored already is as it is. `run` says what is known of it before it begins: its id,
    variables, times, what it belongs to; its definition and steps follow from the workflow.

    Raises Rejected if its concurrency group cannot be worked out.
    """
    group = run.group or _group_of(services, workflow, run)
    made = runs.begin(workflow, replace(run, definition=services.definitions.pin(workflow), group=group))
    # The patrol's row comes first: a run that exists is never unknown to it. A row without a run is nothing, and the patrol drops it.
    services.tables.write([open_row(run.id, services.now() + timedelta(seconds=services.settings.policy.first_look))])
    try:
        store.write(services.tables, store.StoredRun(run=made))
    except Conflict:
        # Somebody with the same key, or this very write, whose answer was lost: what is stored counts, its defaults and its time.
        return _again(services, store.read_run(services.tables, run.id).run)
    log.info("start", run=run.id, workflow=workflow.name)
    return _set_going(services, State(workflow=workflow, run=made))


def _group_of(services: Services, workflow: Workflow, run: Run) -> str:
    if workflow.concurrency is None:
        return ""
    seen = context.run_context(run.id, run.workflow, run.created_at, run.scheduled_at)
    return groups.group_of(workflow, claims.read(services.blobs, run.variables), seen)


def _again(services: Services, run: Run) -> Run:
    """The run that was started already; set going once more if nothing of it was ever launched."""
    if run.status == "queued" or (run.status == "running" and not store.has_items(services.tables, run.id)):
        return _set_going(services, State(workflow=services.definitions.get(run.definition), run=run))
    return run


def find(services: Services, name: str) -> Workflow:
    """The workflow of that name. Raises Rejected(404), naming the files that are broken: it may be in one of them."""
    workflow = services.catalogue.workflows.get(name)
    if workflow is not None:
        return workflow
    known = sorted(services.catalogue.workflows)
    broken = sorted(one.file for one in services.catalogue.broken)
    hint = nearest(name, known) or "GET /api/workflows lists those that there are"
    also = f" These files are broken, GET /api/health says why: {', '.join(broken)}." if broken else ""
    raise Rejected(404, "Unknown workflow", f"there is no workflow {printable(name[:100])!r}: {hint}{also}")


def open_row(run: str, due: datetime, *, is_seen: bool = False) -> Row:
    """The run's row among those that the patrol looks after; `due` is when it looks next, `is_seen` whether it has looked before."""
    return Row(partition=store.OPEN, row=run, body=msgspec.json.encode({"due": due, "seen": is_seen}), etag="*")


def _set_going(services: Services, state: State) -> Run:
    """What is due of the run is done; the run as it is then."""
    try:
        services.tables.write([store.listing_row(state.run)])
        if state.run.status == "queued":
            return groups.join(services, state.run)
        transaction.perform_due(services, state, *state.run.steps)
    except LoadmeError as trouble:
        # The run is durable, so the caller is told so; the patrol does what could not be done.
        log.error("start-not-sent", run=state.run.id, why=str(trouble))
    return state.run


def _reserved(services: Services, wanted: Start) -> str:
    """The run that the key stands for already, or nothing. Raises Rejected if it was taken with other variables."""
    if not wanted.key:
        return ""
    if len(wanted.key) > KEY_LENGTH:
        detail = f"the Idempotency-Key header may have {KEY_LENGTH} characters; this one has {len(wanted.key)}"
        raise Rejected(400, "Bad idempotency key", detail)
    ours = _reservation(wanted, "")
    row = services.tables.read(ours.partition, ours.row)
    if row is None:
        return ""
    taken = msgspec.json.decode(row.body)
    if taken["digest"] != msgspec.json.decode(ours.body)["digest"]:
        detail = f"this Idempotency-Key started the run {taken['run']} with other variables: use a new key for another run"
        raise Rejected(409, "Idempotency key reused", detail)
    return str(taken["run"])


def _reservation(wanted: Start, run: str) -> Row:
    """The row that ties a key to its run. What a schedule starts has keys of its own, which no caller can take."""
    query = {name: text for name, text in wanted.query.items() if name not in variables.HOST_PARAMETERS}
    digest = hashlib.sha256(msgspec.json.encode([dict(wanted.given), query], order="sorted")).hexdigest()
    name = f"{'schedule' if wanted.scheduled_at else 'user'} {wanted.workflow} {wanted.key}"
    return Row(
        partition=f"key~{hashlib.sha256(name.encode()).hexdigest()}",
        row="run",
        body=msgspec.json.encode({"run": run, "digest": digest}),
    )
