"""Whether another attempt follows one that ended badly, and when. Pure: chance is passed in.

Three budgets. What the work does is charged to `work`, and `retry.attempts` limits it. What Azure does to an attempt is charged to
`infrastructure` or `capacity`, which have limits of their own, so that it spends no attempt of the work's. A quota that is used up is
charged to `quota`, which has no limit: the work waits. Everything else (a bad parameter, a missing role) cannot get better by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from loadme.core.state import SHORT, Item, NextTry, Outcome
from loadme.definitions import durations
from loadme.definitions.definition import Retry
from loadme.definitions.kinds import HOPELESS, NOT_SAID, PLATFORM

MOST_ATTEMPTS = 990
"""An attempt id has three digits for the number; the rest is for resumes."""

PLATFORM_DELAY = {"infrastructure": (10.0, 300.0), "capacity": (30.0, 600.0), "quota": (60.0, 900.0)}
"""Seconds before the first try again and at the most; doubled each time."""


def budget(kind: str) -> str:
    """What a failure of this kind is charged to."""
    return kind if kind in PLATFORM else "work"


def spent(item: Item, outcome: Outcome) -> dict[str, int]:
    """The item's counts with this outcome in them."""
    name = budget(outcome.error.kind if outcome.error else "failed")
    return {**item.spent, name: item.spent.get(name, 0) + 1}


def place(spent: Mapping[str, int], locations: tuple[str, ...]) -> str:
    """The location of the next attempt: the next one of the list after each want of capacity. Empty for the app's own."""
    return locations[spent.get("capacity", 0) % len(locations)] if locations else ""


def next_try(item: Item, outcome: Outcome, rule: Retry, locations: tuple[str, ...], now: datetime, chance: float) -> NextTry | None:
    """The try that follows, if one does; the item's `spent` has this outcome already."""
    if outcome.status in ("succeeded", "skipped", "cancelled") or item.attempt.number >= MOST_ATTEMPTS:
        return None
    kind = outcome.error.kind if outcome.error else "failed"
    count = item.spent.get(budget(kind), 1)
    delay = _delay(kind, count, rule, max(1, len(locations)))
    if delay is None:
        return None
    part = chance if rule.jitter == "full" or kind in PLATFORM else 1.0
    why = f"{kind}: {outcome.error.message}" if outcome.error else kind
    return NextTry(at=now + timedelta(seconds=delay * part), why=why[:SHORT])


def _delay(kind: str, count: int, rule: Retry, places: int) -> float | None:
    """Seconds before jitter after failure `count` of its budget; None when there is nothing left of it."""
    if kind == "infrastructure":
        return _platform(kind, count) if count <= rule.infrastructure else None
    if kind == "capacity":
        rounds, into_the_next = divmod(count, places)
        if rounds > rule.capacity or rule.capacity == 0:
            return None
        return 0.0 if into_the_next else _platform(kind, rounds)
    if kind == "quota":
        return _platform(kind, count)
    if count >= rule.attempts or not is_meant(rule, kind):
        return None
    return min(durations.seconds(rule.delay) * rule.factor ** min(count - 1, 64), durations.seconds(rule.max_delay))


def is_meant(rule: Retry, kind: str) -> bool:
    """Whether `on` names the kind: `failed` stands for whatever the work itself says, an exit code too."""
    if kind in HOPELESS:
        return False
    return kind in rule.on or ("failed" in rule.on and kind not in NOT_SAID)


def _platform(kind: str, count: int) -> float:
    first, most = PLATFORM_DELAY[kind]
    return min(first * 2.0 ** min(count - 1, 16), most)
