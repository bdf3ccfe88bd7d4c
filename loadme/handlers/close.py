"""Letting go of a run: nothing of it is left to be done, and the patrol need not look after it any more."""

from __future__ import annotations

from loadme import store
from loadme.core.state import Run
from loadme.services import Services


def close_if_over(services: Services, run: Run) -> bool:
    """Takes the run out of the open ones if it is over and all its attempts are cleaned up."""
    if run.status == "running" or store.has_open_items(services.tables, run.id):
        return False
    services.tables.write([store.listing_row(run)])
    services.tables.delete(store.OPEN, run.id)
    return True
