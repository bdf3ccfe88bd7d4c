"""Concurrency groups: of the runs with the same group one runs at a time, the others wait in a line, oldest first.

Nobody hands a group over: whoever finds its holder over gives it to the first run in line. So it does not matter who dies when. The row
`holder` names the run and its generation, for a run that is resumed stands in line again; it is changed by compare-and-set only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from loadme import log, store, transaction
from loadme.azure.storage.tables import ANY, NEW, Row
from loadme.core import engine
from loadme.core.events import Admit, Cancel, RunEvent, Skip
from loadme.core.state import Run
from loadme.definitions import expressions
from loadme.definitions.definition import Workflow
from loadme.errors import Conflict, ExpressionFailed, LoadmeError, Rejected, Retryable, RunAbsent
from loadme.services import Services

LONGEST = 500
"""Characters of a group's name."""

LINE = 1000
"""Runs of a line that are looked at: those behind them have their turn later."""

TRIES = 50
HOLDER = "holder"
WAITERS = ("w~", "w~~")


class Holder(Struct, frozen=True, kw_only=True):
    """Which run has the group: it does so as long as it is not over and was not resumed since."""

    run: str
    generation: int = 0


def group_of(workflow: Workflow, given: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """The name of the run's group; empty if its workflow has none. `run` is what expressions see as `run`. Raises Rejected(400)."""
    if workflow.concurrency is None:
        return ""
    try:
        name = expressions.render_text(workflow.concurrency.group, {"variables": dict(given), "steps": {}, "run": dict(run)})
    except ExpressionFailed as failed:
        raise _wrong(workflow, str(failed)) from None
    if not name.strip() or len(name) > LONGEST:
        raise _wrong(workflow, f"it is a text of {len(name)} characters: it must have 1 to {LONGEST}, and not only blanks")
    return name


def _wrong(workflow: Workflow, why: str) -> Rejected:
    detail = f"the concurrency group of the workflow {workflow.name} cannot be worked out: {why}"
    return Rejected(400, "Bad concurrency group", detail, [{"field": "concurrency.group", "message": why}])


def partition(group: str) -> str:
    """Where the group's rows are. Workflows that name the same group share it."""
    return f"group~{hashlib.sha256(group.encode()).hexdigest()}"


def join(services: Services, run: Run) -> Run:
    """The queued run after it stood in line: admitted if it is its turn, skipped if it is not to wait. Doing it again is harmless."""
    _stand_in_line(services, run)
    holder = _holder(services, run.group)
    if holder is not None and holder.run in run.ancestors:
        # It would wait for a run that waits for it.
        with suppress(Conflict):
            _admit(services, run, holder)
    else:
        _make_way(services, run)
        admit_next(services, run.group)
    after = store.read_run(services.tables, run.id).run
    return _skipped(services, after) if after.status == "queued" and _policy(services, run) == "skip" else after


def leave(services: Services, run_id: str) -> None:
    """The run is over and not in line any more; the next one begins. One that was resumed meanwhile stays. Raises RunAbsent."""
    run = store.read_run(services.tables, run_id).run
    row = services.tables.read(partition(run.group), _waiter(run_id))
    if row is not None and store.read_run(services.tables, run_id).run.is_over:
        with suppress(Conflict):
            services.tables.delete(row.partition, row.row, row.etag)
    admit_next(services, run.group)


def admit_next(services: Services, group: str) -> None:
    """Gives the group to the first run in line, if nobody has it. Raises Retryable if others are always faster."""
    for _ in range(TRIES):
        try:
            if _is_settled(services, group):
                return
        except Conflict:
            continue
    raise Retryable(f"the concurrency group {group!r} was changed by others {TRIES} times in a row", after=2.0)


def standing(services: Services, run: Run) -> dict[str, Any] | None:
    """The run's group and, while it is queued, the run that has it and how many are in line before (at most 1000); None without one."""
    if run.status != "queued":
        return {"group": run.group, "holder": None, "ahead": None} if run.group else None
    holder = _holder(services, run.group)
    before = services.tables.list(partition(run.group), first=WAITERS[0], before=_waiter(run.id), limit=LINE)
    return {"group": run.group, "holder": holder.run if holder else None, "ahead": len(before)}


def _is_settled(services: Services, group: str) -> bool:
    """One step towards a group that has a holder or an empty line; whether there is nothing more to do. Raises Conflict."""
    row = services.tables.read(partition(group), HOLDER)
    holder = _decoded(row) if row else None
    run = _held_by(services, holder)
    if holder is not None and run is not None:
        return _admit(services, run, holder) if run.status == "queued" else _is_begun(services, run)
    first = _first_in_line(services, group)
    if first is None:
        if row is not None:
            services.tables.delete(row.partition, HOLDER, row.etag)
        return True
    mine = Holder(run=first.id, generation=first.generation)
    body = msgspec.json.encode(mine)
    services.tables.write([Row(partition=partition(group), row=HOLDER, body=body, etag=row.etag if row else NEW)])
    return _admit(services, first, mine)


def _held_by(services: Services, holder: Holder | None) -> Run | None:
    """The run that has the group, if it still has it."""
    run = _find(services, holder.run) if holder else None
    return run if run and holder and run.generation == holder.generation and not run.is_over else None


def _first_in_line(services: Services, group: str) -> Run | None:
    """The oldest run that still waits; the rows of those that do not are dropped."""
    while rows := services.tables.list(partition(group), first=WAITERS[0], before=WAITERS[1], limit=10):
        for row in rows:
            run = _find(services, row.row.removeprefix(WAITERS[0]))
            if run is not None and run.status == "queued":
                return run
            services.tables.delete(row.partition, row.row, row.etag)
    return None


def _admit(services: Services, run: Run, holder: Holder) -> bool:
    """The run begins, unless it is not the one that waits any more, or the holder is not the one it was. Whether it has begun.

    The holder is read between reading and writing the run: another one can have the group only after this run was over, and so changed.
    Raises Conflict.
    """
    loaded = transaction.load(services, run.id)
    if loaded.state.run.generation != run.generation or _holder(services, run.group) != holder:
        raise Conflict(f"the concurrency group {run.group!r} has gone on")
    after = engine.decide(loaded.state, Admit(), services.now(), services.settings.policy)
    if after == loaded.state:
        return loaded.state.run.status == "running"
    transaction.save(services, loaded, after)
    log.info("admitted", run=run.id, group=run.group)
    return _begin(services, after)


def _is_begun(services: Services, run: Run) -> bool:
    """Always, after this: whoever admitted it may have died before he had set it going, and then it is still in line."""
    is_cut = services.tables.read(partition(run.group), _waiter(run.id)) is not None
    return _begin(services, transaction.load(services, run.id).state) if is_cut else True


def _begin(services: Services, state: engine.State) -> bool:
    _perform(services, state)
    services.tables.delete(partition(state.run.group), _waiter(state.run.id))
    return True


def _make_way(services: Services, run: Run) -> None:
    """Cancels whoever has the group and whoever waits for it longer, if the run's workflow says so."""
    if _policy(services, run) != "cancel_running":
        return
    rows = services.tables.list(partition(run.group), first=WAITERS[0], before=_waiter(run.id), limit=LINE)
    holder = _holder(services, run.group)
    others = [*((holder.run,) if holder else ()), *(row.row.removeprefix(WAITERS[0]) for row in rows)]
    reason = f"the run {run.id} of the concurrency group {run.group!r} takes its place"
    for other in others:
        if other not in (run.id, *run.ancestors):
            with suppress(RunAbsent):
                _change(services, other, Cancel(reason=reason))


def _skipped(services: Services, run: Run) -> Run:
    holder = _holder(services, run.group)
    who = f"the run {holder.run} has" if holder else "another run has"
    return _change(services, run.id, Skip(reason=f"{who} the concurrency group {run.group!r}"))


def _change(services: Services, run: str, event: RunEvent) -> Run:
    after = transaction.change_run(services, run, event)
    _perform(services, after)
    return after.run


def _perform(services: Services, state: engine.State) -> None:
    try:
        services.tables.write([store.listing_row(state.run)])
        # All that is at work of it: a run that is cancelled has items, and one that is resumed lanes.
        transaction.perform_due(services, transaction.whole(services, state.run.id))
    except LoadmeError as trouble:
        # What was decided is stored; the patrol does what could not be done.
        log.error("group-not-sent", run=state.run.id, why=str(trouble))


def _policy(services: Services, run: Run) -> str:
    concurrency = services.definitions.get(run.definition).concurrency
    return concurrency.on_conflict if concurrency else "queue"


def _stand_in_line(services: Services, run: Run) -> None:
    services.tables.write([Row(partition=partition(run.group), row=_waiter(run.id), etag=ANY)])


def _waiter(run: str) -> str:
    return f"{WAITERS[0]}{run}"


def _find(services: Services, run: str) -> Run | None:
    try:
        return store.read_run(services.tables, run).run
    except RunAbsent:
        return None


def _holder(services: Services, group: str) -> Holder | None:
    row = services.tables.read(partition(group), HOLDER)
    return _decoded(row) if row else None


def _decoded(row: Row) -> Holder:
    return msgspec.json.decode(row.body, type=Holder)
