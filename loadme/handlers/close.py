"""Letting go of a run: nothing of it is left to be done, and the patrol need not look after it any more."""

from __future__ import annotations

from contextlib import suppress

from loadme import store, transaction
from loadme.core.events import Closed
from loadme.core.state import Run
from loadme.errors import Conflict
from loadme.services import Services


def close_if_over(services: Services, run: Run) -> bool:
    """Takes the run out of the open ones if it is over and all its attempts are cleaned up.

    That it is closed is recorded in the run before its row goes, each time, and the row goes only if nobody has written it since: a resume
    writes the row between reading and changing the run, and so one of the two always finds out about the other.
    """
    if not run.is_over or not run.announced or run.purged_at is not None or store.has_open_items(services.tables, run.id):
        return False
    row = services.tables.read(store.OPEN, run.id)
    if row is None and run.closed:
        return True
    after = transaction.change_run(services, run.id, Closed()).run
    if not after.closed or after.purged_at is not None:
        return False
    services.tables.write([store.listing_row(after)])
    if row is not None:
        with suppress(Conflict):
            services.tables.delete(store.OPEN, run.id, row.etag)
    return True
