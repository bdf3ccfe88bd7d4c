"""When to look again, how long to wait: the numbers that the engine works with, all in seconds."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from loadme.core.state import Attempt

START_ALLOWANCE = 30 * 60.0
"""From the launch to the container's own start; ACI itself gives up provisioning after 30 minutes."""

GRACE = 10 * 60.0
"""A token outlives the attempt's deadline by this, so that a report made at the last moment is still heard."""

LOG_WAIT = 30.0
"""How long cleanup waits for a container that has reported to end by itself, so that its last lines are saved."""

LOG_PATIENCE = 5 * 60.0
"""How long cleanup goes on trying to read a log before it deletes the container group without it."""

VANISHED = 60.0
"""A GET right after a PUT may be 404; after this long it means that the group is gone."""


UNREADABLE = 60.0
"""How long after its end a container's log may be out of reach before its exit code alone is believed."""


OVERDUE = timedelta(minutes=2)
"""A message that is this late was lost."""


class Policy(Struct, frozen=True, kw_only=True):
    """Checks come after `check_first`, then after twice as long, up to `check_max`. A PUT comes within `function_timeout` (host.json)."""

    check_first: float = 15.0
    check_max: float = 120.0
    function_timeout: float = 120.0
    start_allowance: float = START_ALLOWANCE

    def check_delay(self, number: int) -> float:
        """The delay before check `number` (from 1): 15 s, 30 s, then doubling up to two minutes."""
        return min(self.check_first * 2.0 ** min(number - 1, 16), self.check_max)

    def cleanup_delay(self, number: int) -> float:
        """The delay before cleanup pass `number` (from 1): 2 s, doubling up to a minute."""
        return min(2.0 ** min(number, 16), 60.0)

    def claim_left(self, claimed_at: datetime | None, now: datetime) -> float:
        """Seconds for which the handler that claimed the launch may still be about to PUT; not positive once it must be dead."""
        return self.function_timeout - (now - claimed_at).total_seconds() if claimed_at else 0.0

    def is_claimed(self, claimed_at: datetime | None, now: datetime) -> bool:
        """Whether nobody else may PUT yet."""
        return self.claim_left(claimed_at, now) > 0

    def is_launching(self, attempt: Attempt, now: datetime) -> bool:
        """Whether somebody is about to PUT, or a request to do so is on its way."""
        is_waiting = attempt.due_at is not None and now < attempt.due_at + OVERDUE
        return is_waiting or self.is_claimed(attempt.claimed_at, now)

    def deadline(self, launched_at: datetime, timeout: float) -> datetime:
        """When the attempt is over at the latest."""
        return launched_at + timedelta(seconds=self.start_allowance + timeout)

    def token_expiry(self, launched_at: datetime, timeout: float) -> datetime:
        """When the attempt's token expires: its deadline and a grace."""
        return self.deadline(launched_at, timeout) + timedelta(seconds=GRACE)
