"""How many creates (or deletes) of container groups a location allows over time: those that were done, and those that are booked. Pure.

Counted in buckets of 30 seconds. The provider's windows slide and ours move from bucket to bucket, so each of ours is longer by one bucket
for its edges and by another for the time between the decision here and the call's arrival there: never more than the provider allows,
whatever the moment at which it begins to count.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

BUCKET = 30.0
MARGIN = 2
FIVE_MINUTES, HOUR = (round(seconds / BUCKET) + MARGIN for seconds in (300, 3600))
BURST = 200
"""In one bucket at the most: ARM's own token bucket holds 200 writes (or deletes) and gets 10 more each second."""

HORIZON = round(24 * 3600 / BUCKET)
"""Buckets ahead that can be booked; with raised limits 15,000 creates an hour are possible, so a book without an end has no bound."""

OVERDUE = round(2 * 3600 / BUCKET)
"""Buckets for which a booking is kept that nobody has come for: its attempt waits for a place, or was lost."""


class Window(NamedTuple):
    """At most `most` in any `width` buckets in a row."""

    width: int
    most: int


def windows(per_5_minutes: int, per_hour: int) -> tuple[Window, ...]:
    """The windows of a location's limits, and ARM's own."""
    return Window(1, BURST), Window(FIVE_MINUTES, per_5_minutes), Window(HOUR, per_hour)


def bucket(moment: datetime) -> int:
    """The bucket of a moment."""
    return int(moment.timestamp() // BUCKET)


def start(number: int) -> datetime:
    """When a bucket begins."""
    return datetime.fromtimestamp(number * BUCKET, UTC)


class Rate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many were done and how many are booked, by bucket. Buckets without any are not there."""

    used: dict[int, int] = {}
    booked: dict[int, int] = {}

    def tidied(self, now: int) -> Rate:
        """Without what no window reaches any more."""
        used = {number: count for number, count in self.used.items() if number > now - HOUR}
        booked = {number: count for number, count in self.booked.items() if number > now - OVERDUE}
        return replace(self, used=used, booked=booked)

    def next_free(self, first: int, limits: tuple[Window, ...]) -> int | None:
        """The first bucket from `first` on with room for one more beside all that were done and are booked; None if none within a day."""
        return _room({number: self.used.get(number, 0) + self.booked.get(number, 0) for number in self.used | self.booked}, first, limits)

    def next_use(self, first: int, limits: tuple[Window, ...]) -> int | None:
        """The same beside those that were done alone: for one that has its booking."""
        return _room(self.used, first, limits)

    def line(self, before: int) -> int:
        """How many are booked for a bucket before this one."""
        return sum(count for number, count in self.booked.items() if number < before)

    def moment(self, number: int) -> datetime:
        """When in a bucket the next one that is booked for it is to come: one after the other."""
        return start(number) + timedelta(seconds=self.booked.get(number, 0) % BURST * BUCKET / BURST)

    def book(self, number: int) -> Rate:
        """With one more booked."""
        return replace(self, booked={**self.booked, number: self.booked.get(number, 0) + 1})

    def unbook(self, number: int) -> Rate:
        """With one booked less; none is no error."""
        left = {**self.booked, number: self.booked.get(number, 0) - 1}
        return replace(self, booked={number: count for number, count in left.items() if count > 0})

    def use(self, number: int) -> Rate:
        """With one more done."""
        return replace(self, used={**self.used, number: self.used.get(number, 0) + 1})


def _room(counts: dict[int, int], first: int, limits: tuple[Window, ...]) -> int | None:
    """The first bucket that is in no full window. What it costs is bounded by the buckets of a day, whatever is counted in them."""
    origin, end = first - HOUR, first + HORIZON
    last = min(max(counts, default=first), end)  # a full window begins here at the latest
    sums = list(accumulate((counts.get(number, 0) for number in range(origin, max(first, last) + 2 * HOUR)), initial=0))

    def is_full(begin: int, window: Window) -> bool:
        return sums[begin + window.width - origin] - sums[begin - origin] >= window.most

    number = first
    while number < end:
        full = [begin + one.width for one in limits for begin in range(number - one.width + 1, number + 1) if is_full(begin, one)]
        if not full:
            return number
        number = max(full)
    return None
