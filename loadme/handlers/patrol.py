"""patrol (timer): looks after the runs that are open, and sends again what stands still."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import islice

import msgspec

from loadme import log, store, transaction
from loadme.azure.storage.tables import Row
from loadme.core.engine import State
from loadme.core.ids import newest_first
from loadme.errors import Conflict, LoadmeError, RunAbsent
from loadme.handlers.close import close_if_over
from loadme.handlers.start import open_row
from loadme.services import Services

PERIOD = timedelta(minutes=5)
"""How often the patrol looks at the same run: longer than anything takes that goes as it should."""

BATCH = 200
"""Runs in one tick; the rest is due in the next one, a minute later."""

PAGES = 50
"""Pages of open runs that one tick reads at the most to find those that are due."""


def patrol(services: Services) -> int:
    """How many runs were looked at. Safe to run twice at once: who moves a run's due time first looks at it."""
    looked = 0
    for row in islice(_open_rows(services), PAGES * BATCH):
        etag = _take(services, row)
        if etag:
            looked += 1
            _look_after(services, row.row, etag)
        if looked == BATCH:
            break
    log.info("patrol", looked=looked)
    return looked


def _open_rows(services: Services) -> Iterator[Row]:
    first = ""
    while rows := services.tables.list(store.OPEN, first=first, limit=BATCH):
        yield from rows
        first = rows[-1].row + "0"


def _take(services: Services, row: Row) -> str:
    """Moves the run's due time by compare-and-set before anything is sent, or two patrols would send everything twice. The new ETag."""
    now = services.now()
    due = msgspec.convert(msgspec.json.decode(row.body)["due"], type(now))
    if now < due:
        return ""
    try:
        return services.tables.write([dataclasses.replace(open_row(row.row, now + PERIOD), etag=row.etag)])[0]
    except Conflict:
        return ""


def _look_after(services: Services, run: str, etag: str) -> None:
    try:
        state = _whole(services, run)
        services.tables.write([store.listing_row(state.run)])
        if not close_if_over(services, state.run):
            transaction.perform_due(services, state, *state.run.steps)
    except RunAbsent:
        # Its start was cut before the run was stored; nobody was told that it was accepted. Unless it is being started again just now.
        with suppress(Conflict):
            services.tables.delete(store.OPEN, run, etag)
            services.tables.delete(store.ALL, newest_first(run))
    except LoadmeError as trouble:
        log.warning("patrol-run", run=run, why=str(trouble))


def _whole(services: Services, run: str) -> State:
    stored = store.read_run(services.tables, run).run
    items = store.read_items(services.tables, run)
    return State(
        workflow=services.definitions.get(stored.definition),
        run=stored,
        items={(one.item.step, one.item.item): one.item for one in items},
    )
