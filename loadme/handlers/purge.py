"""delete (HTTP) and the patrol: a run that is over goes, with its logs, files and all rows about it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import msgspec

from loadme import log, store, transaction
from loadme.azure.storage.blobs import Blobs
from loadme.azure.storage.tables import Row
from loadme.core import poison
from loadme.core.events import Purge
from loadme.core.ids import newest_first
from loadme.core.state import Run
from loadme.errors import Conflict, LoadmeError, Rejected, RunAbsent
from loadme.handlers import secrets
from loadme.handlers.queries import find_run
from loadme.handlers.start import open_row
from loadme.services import Services

MOST = 5000
"""What one pass deletes; the rest is for the patrol."""

BATCH = 100
ROW = "run"
"""The row of a run in its partition, and of a key in its own."""


class _Budget:
    """What a pass may still do."""

    def __init__(self, services: Services) -> None:
        self._now, self._end, self._left = services.now, services.now() + timedelta(seconds=services.settings.policy.tick), MOST

    def allows(self, count: int) -> bool:
        """Whether so many more may be deleted."""
        self._left -= count
        return self._left >= 0 and self._now() < self._end


def delete(services: Services, run_id: str) -> bool:
    """Whether the run is gone with all that belongs to it; if not, it is hidden, and the patrol goes on.

    Raises Rejected: 404, 409 while something of the run is still to be done.
    """
    run = find_run(services, run_id)
    _check_closed(run)
    services.definitions.get(run.definition)  # without it nobody can change the run
    # The patrol's row comes first, each time that the run has to be read again: whatever dies from here on, the run is deleted.
    due = services.now() + timedelta(seconds=services.settings.policy.patrol_period)
    after = transaction.change_run(services, run.id, Purge(), first=lambda: services.tables.write([open_row(run.id, due)])).run
    if after.purged_at is None:
        _check_closed(after)
    log.info("delete", run=run.id)
    try:
        return go_on(services, run.id)
    except LoadmeError as trouble:
        log.warning("delete-later", run=run.id, why=str(trouble))
        return False


def go_on(services: Services, run_id: str) -> bool:
    """One pass over a run that is to be deleted; whether it was the last one. Nothing happens to any other run.

    The run's row goes last but one, so that another pass knows what there is to do, and the patrol's row last, unless somebody has written
    it since: a resume or a start that came too late finds no run, and leaves that to the patrol.
    """
    row = services.tables.read(store.OPEN, run_id)
    try:
        run = store.read_run(services.tables, run_id).run
    except RunAbsent:
        _let_go(services, run_id, row)
        return True
    if run.purged_at is None:
        return False
    services.tables.delete(store.ALL, newest_first(run_id))
    _free_key(services, run)
    if not _emptied(services, run_id):
        log.info("delete-goes-on", run=run_id)
        return False
    services.tables.delete(run_id, ROW)
    _let_go(services, run_id, row)
    log.info("deleted", run=run_id)
    return True


def _check_closed(run: Run) -> None:
    if not run.is_over:
        raise Rejected(409, "The run is not over", f"the run {run.id} is {run.status}: cancel it first, or wait until it is over")
    if not run.closed:
        detail = f"the run {run.id} is {run.status}, and its containers are being removed: try again in a minute"
        raise Rejected(409, "The run is being cleaned up", detail)


def _emptied(services: Services, run: str) -> bool:
    budget = _Budget(services)
    places = [(services.blobs, f"logs/lm-{run}-"), (services.blobs, f"runs/{run}/"), (services.files, f"{run}/")]
    kept = (services.blobs, f"{poison.PREFIX}{run}-")
    # The secrets first: their names are among the blobs.
    if not secrets.remove(services, run, budget.allows):
        return False
    return all(_remove_blobs(*place, budget) for place in (*places, kept)) and _remove_items(services, run, budget)


def _remove_blobs(blobs: Blobs, prefix: str, budget: _Budget) -> bool:
    while found := blobs.list(prefix, limit=BATCH):
        if not budget.allows(len(found)):
            return False
        blobs.remove([blob.name for blob in found])
    return True


def _remove_items(services: Services, run: str, budget: _Budget) -> bool:
    while rows := [row.row for row in services.tables.list(run, limit=BATCH + 1) if row.row != ROW][:BATCH]:
        if not budget.allows(len(rows)):
            return False
        services.tables.remove(run, rows)
    return True


def _free_key(services: Services, run: Run) -> None:
    """The idempotency key starts another run from now on; it may have done so already."""
    row = services.tables.read(run.key, ROW) if run.key else None
    if row is not None and msgspec.json.decode(row.body)["run"] == run.id:
        with suppress(Conflict):
            services.tables.delete(run.key, ROW, row.etag)


def _let_go(services: Services, run: str, row: Row | None) -> None:
    services.tables.delete(store.ALL, newest_first(run))
    if row is not None:
        with suppress(Conflict):
            services.tables.delete(store.OPEN, run, row.etag)
