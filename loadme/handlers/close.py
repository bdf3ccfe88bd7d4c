"""Letting go of a run: nothing of it is left to be done, and the patrol need not look after it any more."""

from __future__ import annotations

from loadme import store
from loadme.services import Services
from loadme.state import Item, Run


def close_if_over(services: Services, run: Run) -> bool:
    """Takes the run out of the open ones if it is over and all its attempts are cleaned up."""
    if run.status == "running" or any(is_open(one.item) for one in store.read_items(services.tables, run.id)):
        return False
    services.tables.write([store.listing_row(run)])
    services.tables.delete(store.OPEN, run.id)
    return True


def is_open(item: Item) -> bool:
    """Whether something is still to be done for this item."""
    return item.outcome is None or not item.applied or item.attempt.cleanup == "wanted"
