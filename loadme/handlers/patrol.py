"""patrol (timer): looks after the runs that are open, sends again what stands still, and now and then sweeps up what nobody remembers."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from loadme import log, store, transaction
from loadme.azure.storage.tables import ANY, Row
from loadme.core.engine import State
from loadme.core.ids import newest_first
from loadme.errors import Conflict, LoadmeError, RunAbsent
from loadme.handlers import poison, purge, sweep
from loadme.handlers.close import close_if_over
from loadme.handlers.start import open_row
from loadme.services import Services

BATCH = 200
"""Runs in one tick; the rest is due in the next one, a minute later."""

PAGES = 50
"""Pages of open runs that one tick reads at the most to find those that are due."""


def patrol(services: Services) -> Counter[str]:
    """What was found, counted. Safe to run twice at once: who moves a due time first does what is due then."""
    found = Counter[str]()
    until = services.now() + timedelta(seconds=services.settings.policy.tick)
    _chore("runs", found, lambda: _look_after_all(services, found, until))
    _chore("poison", found, lambda: found.update(poison=poison.drain(services)))
    _chore("sweep", found, lambda: found.update(sweep.sweep(services, until)))
    log.info("patrol", **found)
    _chore("report", found, lambda: _remember(services, found))
    return found


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
    for row in islice(_open_rows(services), PAGES * BATCH):
        etag = _take(services, row)
        if etag:
            found["looked"] += 1
            found["sent_again"] += _look_after(services, row.row, etag)
        if found["looked"] == BATCH or services.now() > until:
            # The rest is due in the next tick.
            break


def _open_rows(services: Services) -> Iterator[Row]:
    first = ""
    while rows := services.tables.list(store.OPEN, first=first, limit=BATCH):
        yield from rows
        first = rows[-1].row + "0"


def _take(services: Services, row: Row) -> str:
    """Moves the run's due time by compare-and-set before anything is sent, or two patrols would send everything twice. The new ETag."""
    now, period = services.now(), timedelta(seconds=services.settings.policy.patrol_period)
    due = msgspec.convert(msgspec.json.decode(row.body)["due"], type(now))
    if now < due:
        return ""
    try:
        return services.tables.write([dataclasses.replace(open_row(row.row, now + period), etag=row.etag)])[0]
    except Conflict:
        return ""


def _look_after(services: Services, run: str, etag: str) -> int:
    """How much of the run had to be sent again."""
    try:
        if store.read_run(services.tables, run).run.purged_at is not None:
            purge.go_on(services, run)
            return 0
        state = _whole(services, run)
        services.tables.write([store.listing_row(state.run)])
        return 0 if close_if_over(services, state.run) else transaction.perform_due(services, state, *state.run.steps)
    except RunAbsent:
        # Its start was cut before the run was stored; nobody was told that it was accepted. Unless it is being started again just now.
        with suppress(Conflict):
            services.tables.delete(store.OPEN, run, etag)
            services.tables.delete(store.ALL, newest_first(run))
    except LoadmeError as trouble:
        log.warning("patrol-run", run=run, why=str(trouble))
    except Exception:
        # A bug that one run brings out must not keep the others from being looked after.
        log.error("patrol-run-failed", run=run)
    return 0


def _whole(services: Services, run: str) -> State:
    stored = store.read_run(services.tables, run).run
    items = store.read_items(services.tables, run)
    return State(
        workflow=services.definitions.get(stored.definition),
        run=stored,
        items={(one.item.step, one.item.item): one.item for one in items},
    )
