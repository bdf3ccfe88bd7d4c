"""patrol (timer): looks after the runs that are open, sends again what stands still, and now and then sweeps up what nobody remembers."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from loadme import log, store, transaction
from loadme.azure.storage.tables import ANY, Row
from loadme.core import runs
from loadme.core.events import TimeOut
from loadme.core.ids import newest_first
from loadme.core.state import Run
from loadme.errors import Conflict, LoadmeError, RunAbsent
from loadme.handlers import groups, poison, purge, schedules, sweep
from loadme.handlers.close import close_if_over
from loadme.handlers.start import open_row
from loadme.services import Services

BATCH = 200
"""Runs in one tick; the rest is due in the next one, a minute later."""

PAGES = 50
"""Pages of open runs that one tick reads at the most to find those that are due."""

MARK = "mark"
"""The row of the partition `patrol` that says where the next tick begins."""


def patrol(services: Services) -> Counter[str]:
    """What was found, counted. Safe to run twice at once: who moves a due time first does what is due then."""
    found = Counter[str]()
    _chore("schedules", found, lambda: found.update(scheduled=schedules.look_at_all(services, _end(services))))
    _chore("runs", found, lambda: _look_after_all(services, found, _end(services)))
    _chore("poison", found, lambda: found.update(poison=poison.drain(services)))
    _chore("sweep", found, lambda: found.update(sweep.sweep(services, _end(services))))
    log.info("patrol", **found)
    _chore("report", found, lambda: _remember(services, found))
    return found


def _end(services: Services) -> datetime:
    return services.now() + timedelta(seconds=services.settings.policy.tick)


def _chore(name: str, found: Counter[str], act: Callable[[], object]) -> None:
    """What goes wrong with one chore does not keep the others from being done."""
    try:
        act()
    except LoadmeError as trouble:
        found["trouble"] += 1
        log.warning("patrol-trouble", chore=name, why=str(trouble))
    except Exception:
        found["trouble"] += 1
        log.error("patrol-failed", chore=name)


def _remember(services: Services, found: Counter[str]) -> None:
    body = msgspec.json.encode({"at": services.now(), **{name: count for name, count in found.items() if count}})
    services.tables.write([Row(partition=store.PATROL, row=store.LAST, body=body, etag=ANY)])


def _look_after_all(services: Services, found: Counter[str], until: datetime) -> None:
    """Looks at the runs that are due, from where the last tick stopped: however many there are, each has its turn."""
    first = mark = _mark(services)
    for seen, row in enumerate(_open_rows(services, first)):
        look = _take(services, row)
        if look is not None:
            found["looked"] += 1
            found["sent_again"] += _look_after(services, row.row, look)
        mark = row.row + "0"
        if found["looked"] >= BATCH or seen >= PAGES * BATCH or services.now() > until:
            break
    else:
        mark = ""
    if mark != first:
        services.tables.write([Row(partition=store.PATROL, row=MARK, body=mark.encode(), etag=ANY)])


def _mark(services: Services) -> str:
    row = services.tables.read(store.PATROL, MARK)
    return row.body.decode() if row else ""


def _open_rows(services: Services, first: str) -> Iterator[Row]:
    while rows := services.tables.list(store.OPEN, first=first, limit=BATCH):
        yield from rows
        first = rows[-1].row + "0"


class _Look(NamedTuple):
    """A look at a run that is ours to take; `is_second` if another one was taken since the row was written."""

    etag: str
    is_second: bool


def _take(services: Services, row: Row) -> _Look | None:
    """Moves the run's due time by compare-and-set before anything is sent, or two patrols would send everything twice."""
    now, period = services.now(), timedelta(seconds=services.settings.policy.patrol_period)
    known = msgspec.json.decode(row.body, type=_Open)
    if now < known.due:
        return None
    try:
        (etag,) = services.tables.write([dataclasses.replace(open_row(row.row, now + period, is_seen=True), etag=row.etag)])
    except Conflict:
        return None
    return _Look(etag, known.seen)


class _Open(msgspec.Struct, frozen=True):
    due: datetime
    seen: bool = False


def _look_after(services: Services, run: str, look: _Look) -> int:
    """How much of the run had to be sent again."""
    try:
        stored = store.read_run(services.tables, run).run
        if stored.purged_at is not None:
            purge.go_on(services, run)
            return 0
        _keep_time(services, stored, look)
        state = transaction.whole(services, run)
        services.tables.write([store.listing_row(state.run)])
        if state.run.status == "queued":
            groups.join(services, state.run)
        return 0 if close_if_over(services, state.run) else transaction.perform_due(services, state)
    except RunAbsent:
        # Its start was cut before the run was stored, or has not come so far: at the second look whoever began it is dead, and nobody was
        # told that it was accepted. Unless it is being started again just now.
        with suppress(Conflict):
            if look.is_second:
                services.tables.delete(store.OPEN, run, look.etag)
                services.tables.delete(store.ALL, newest_first(run))
    except LoadmeError as trouble:
        log.warning("patrol-run", run=run, why=str(trouble))
    except Exception:
        # A bug that one run brings out must not keep the others from being looked after.
        log.error("patrol-run-failed", run=run)
    return 0


def _keep_time(services: Services, run: Run, look: _Look) -> None:
    """Stops the run if its time is over; if it will be before the next look, that comes sooner."""
    workflow, now = services.definitions.get(run.definition), services.now()
    until = runs.deadline(workflow, run)
    if run.status == "queued" and workflow.timeout is not None:
        # Its time runs from the moment that it has its group, which may be any.
        until = now + timedelta(seconds=services.settings.policy.first_look)
    if until is not None and until <= now:
        transaction.change_run(services, run.id, TimeOut())
        log.info("run-timed-out", run=run.id)
    elif until is not None and until < now + timedelta(seconds=services.settings.policy.patrol_period):
        with suppress(Conflict):
            services.tables.write([dataclasses.replace(open_row(run.id, until, is_seen=True), etag=look.etag)])
