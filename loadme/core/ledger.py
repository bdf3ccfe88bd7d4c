"""The account of a location's quota, as it is stored: what the operator and Azure allow, who has a place, what is booked."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from loadme.core import rate
from loadme.core.rate import Rate, Window

HOLD = 600.0
"""Seconds for which an attempt is thought to keep its place until some have shown it."""


class Limits(Struct, frozen=True, kw_only=True):
    """What the operator set. None: what the usages API says, and else what a subscription has by default."""

    groups: int | None = None
    cores: float | None = None
    per_5_minutes: int = 100
    per_hour: int = 300

    @property
    def windows(self) -> tuple[Window, ...]:
        """Of creates; deletes have the same."""
        return rate.windows(self.per_5_minutes, self.per_hour)


class Live(Struct, frozen=True, array_like=True, omit_defaults=True):
    """An attempt that has a place: its cores, since when, and the slot of its delete."""

    cores: float
    since: datetime
    delete_at: datetime | None = None


class Known(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the usages API said: the limits (0: unknown), and what others than loadme use."""

    at: datetime
    groups: int = 0
    cores: float = 0.0
    other_groups: int = 0
    other_cores: float = 0.0


class Kept(Struct, frozen=True, kw_only=True):
    """A place that is kept free for an attempt that has waited long."""

    attempt: str
    cores: float
    until: datetime


class Ledger(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A location's account. `mean_hold` is the moving mean of the seconds for which an attempt keeps its place."""

    creates: Rate = Rate()
    deletes: Rate = Rate()
    live: dict[str, Live] = {}
    held_until: datetime | None = None
    known: Known | None = None
    kept: Kept | None = None
    mean_hold: float = HOLD
