"""How the API shows items, attempts, errors and times."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from loadme.core import context
from loadme.core.ids import AttemptId
from loadme.core.outcome import Error, Outcome
from loadme.core.state import Attempt, Item, Lane, StepState
from loadme.store import status_of


def item(of: Item, outputs: dict[str, Any]) -> dict[str, Any]:
    """An item with its attempts, the oldest first; a status `waiting` means that another attempt follows."""
    tried = [*((one.attempt, one.outcome) for one in of.past), (of.attempt, of.outcome)]
    return {
        "item": of.item,
        "status": status_of(of),
        "attempts": [attempt(of, *one) for one in tried if one[0].is_launched],
        "outputs": outputs,
        "error": error(of.outcome.error if of.outcome else None),
    }


def attempt(of: Item, one: Attempt, outcome: Outcome | None) -> dict[str, Any]:
    """One attempt at an item."""
    return {
        "attempt": one.number,
        "id": str(AttemptId(of.run, of.step, of.item, one.number)),
        "status": one.status,
        "location": one.location,
        "priority": one.priority or "regular",
        "launched_at": time(one.launched_at),
        "started_at": time(one.started_at),
        "ended_at": time(one.ended_at),
        "cleanup": "leaked" if one.is_leaked and one.cleanup == "wanted" else one.cleanup,
        "child": one.child or None,
        "answered_by": outcome.by or None if outcome else None,
        "error": error(outcome.error if outcome else None),
    }


def counts(step: StepState, lanes: Iterable[Lane]) -> dict[str, Any] | None:
    """How the items of a `for_each` step stand, by its lanes while it runs; None for any other step, or while they are not known."""
    found = step.map
    if found is None:
        return None
    is_open = step.status == "started"
    known = [lane for lane in lanes if lane.generation == step.generation] if is_open else [found]
    over = {name: sum(getattr(one, name) for one in known) for name in ("succeeded", "failed", "skipped")}
    running = found.opened - sum(lane.is_over for lane in known if isinstance(lane, Lane)) if is_open else 0
    left = found.count - sum(over.values()) - running
    cancelled = sum(lane.cancelled for lane in known if isinstance(lane, Lane)) if is_open else left
    pending = left - cancelled
    return {"count": found.count, "tolerated": found.tolerated, "pending": pending, "running": running, **over, "cancelled": cancelled}


def error(of: Error | None) -> dict[str, Any] | None:
    """All that is known of an error."""
    return None if of is None else {name: getattr(of, name) for name in of.__struct_fields__}


def time(moment: datetime | None) -> str | None:
    """RFC 3339, or null."""
    return context.rfc3339(moment) if moment else None
