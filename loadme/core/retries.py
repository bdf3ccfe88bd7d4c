"""Whether another attempt follows one that ended badly, and when. Pure: chance is passed in.

Three budgets. What the work does is charged to `work`, and `retry.attempts` limits it. What Azure does to an attempt is charged to
`infrastructure` or `capacity`, which have limits of their own, so that it spends no attempt of the work's. A quota that is used up is
charged to `quota`, which has no limit: the work waits. Everything else (a bad parameter, a missing role) cannot get better by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from loadme.core.outcome import SHORT, Outcome
from loadme.core.state import Item, NextTry
from loadme.definitions import durations
from loadme.definitions.definition import Priority, Retry
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
    name = _budget_of(item, outcome.error.kind if outcome.error else "failed")
    return {**item.spent, name: item.spent.get(name, 0) + 1}


def place(spent: Mapping[str, int], locations: tuple[str, ...], priority: Priority = "regular") -> str:
    """The location of the next attempt: the next one of the list after each want of capacity. Empty for the app's own.

    A spot group that found no capacity becomes a regular one in the same place before the next place is tried.
    """
    count = spent.get("capacity", 0)
    return locations[_rungs(count, priority) % len(locations)] if locations else ""


def priority(spent: Mapping[str, int], wanted: Priority) -> Priority:
    """The priority of the next attempt: once there was no capacity for a spot group, regular ones are used."""
    return wanted if not spent.get("capacity", 0) else "regular"


def _rungs(count: int, priority: Priority) -> int:
    """How many times regular groups have found no capacity: the first time it was the spot group that did not."""
    return max(0, count - 1) if priority == "spot" else count


def next_try(
    item: Item,
    outcome: Outcome,
    rule: Retry,
    locations: tuple[str, ...],
    now: datetime,
    chance: float,
    priority: Priority = "regular",
) -> NextTry | None:
    """The try that follows, if one does; the item's `spent` has this outcome already. `priority` is what the step asks for."""
    if outcome.status in ("succeeded", "skipped", "cancelled") or item.attempt.number >= MOST_ATTEMPTS:
        return None
    kind = outcome.error.kind if outcome.error else "failed"
    name = _budget_of(item, kind)
    count = _rungs(item.spent.get(name, 1), priority if name == "capacity" else "regular")
    delay = _delay(kind, name, count, rule, max(1, len(locations)))
    if delay is None:
        return None
    part = chance if rule.jitter == "full" or kind in PLATFORM else 1.0
    why = f"{kind}: {outcome.error.message}" if outcome.error else kind
    return NextTry(at=now + timedelta(seconds=delay * part), why=why[:SHORT])


def _budget_of(item: Item, kind: str) -> str:
    # Another run has tried again by itself whatever Azure did to its attempts: its failure is the work's.
    return "work" if item.attempt.child else budget(kind)


def _delay(kind: str, name: str, count: int, rule: Retry, places: int) -> float | None:
    """Seconds before jitter after failure `count` of the budget `name`; None when there is nothing left of it."""
    if name == "work":
        if count >= rule.attempts or not is_meant(rule, kind):
            return None
        return _pause(rule, count)
    if kind == "infrastructure":
        return _platform(kind, count) if count <= rule.infrastructure else None
    if kind == "capacity":
        rounds, into_the_next = divmod(count, places)
        if rounds > rule.capacity or rule.capacity == 0:
            return None
        return 0.0 if into_the_next or not rounds else _platform(kind, rounds)
    return _platform(kind, count)


def _pause(rule: Retry, count: int) -> float:
    return min(durations.seconds(rule.delay) * rule.factor ** min(count - 1, 64), durations.seconds(rule.max_delay))


def is_meant(rule: Retry, kind: str) -> bool:
    """Whether `on` names the kind: `failed` stands for whatever the work itself says, an exit code too."""
    if kind in HOPELESS:
        return False
    return kind in rule.on or ("failed" in rule.on and kind not in NOT_SAID)


def _platform(kind: str, count: int) -> float:
    first, most = PLATFORM_DELAY[kind]
    return min(first * 2.0 ** min(count - 1, 16), most)
