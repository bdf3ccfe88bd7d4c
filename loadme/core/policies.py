"""When to look again, how long to wait: the numbers that the engine works with, all in seconds."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from loadme.core.state import Attempt, Item

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


class Policy(Struct, frozen=True, kw_only=True):
    """Checks come after `check_first`, then after twice as long, up to `check_max`. A PUT comes within `function_timeout` (host.json).

    A message that is `overdue` was lost. After `leak` the next attempt no longer waits for the last one's container group to be gone: its
    token is worth nothing any more. The patrol looks at the same run every `patrol_period`: longer than anything takes that goes as it
    should. Every `sweep_period` it looks for what nobody remembers.
    """

    check_first: float = 15.0
    check_max: float = 120.0
    function_timeout: float = 120.0
    start_allowance: float = START_ALLOWANCE
    overdue: float = 120.0
    leak: float = 600.0
    patrol_period: float = 300.0
    sweep_period: float = 600.0

    @property
    def first_look(self) -> float:
        """Seconds after which the patrol looks at a new run: what was cut at its start does not stand still for long."""
        return min(60.0, self.patrol_period)

    @property
    def tick(self) -> float:
        """Seconds that each of the patrol's chores takes at the most: past its timeout the host would kill all that runs beside it.

        There are seven in one tick, with the deleting of a run within two of them.
        """
        return self.function_timeout / 8

    def is_lost(self, expected: datetime, now: datetime) -> bool:
        """Whether what was expected then must have been lost."""
        return now > expected + timedelta(seconds=self.overdue)

    def is_leaked(self, attempt: Attempt, now: datetime) -> bool:
        """Whether the attempt's container group could not be deleted for so long that nothing waits for it any more."""
        # Another run is no leak, however long its own steps of `finally` take: it looks after its container groups itself.
        is_wanted = attempt.cleanup == "wanted" and not attempt.child
        return is_wanted and attempt.ended_at is not None and now > attempt.ended_at + timedelta(seconds=self.leak)

    def check_delay(self, number: int) -> float:
        """The delay before check `number` (from 1): 15 s, 30 s, then doubling up to two minutes."""
        return min(self.check_first * 2.0 ** min(number - 1, 16), self.check_max)

    def cleanup_delay(self, number: int) -> float:
        """The delay before cleanup pass `number` (from 1): 2 s, doubling up to a minute."""
        return min(2.0 ** min(number, 16), 60.0)

    def claim_left(self, claimed_at: datetime | None, now: datetime) -> float:
        """Seconds for which the handler that claimed the launch may still be about to PUT; not positive once it must be dead."""
        return self.function_timeout - (now - claimed_at).total_seconds() if claimed_at else 0.0

    def fence_left(self, attempt: Attempt, now: datetime) -> float:
        """Seconds for which the attempt's container group may still appear: until its function is dead or, once ARM has answered, until a
        GET shows what there is, and none once that was seen. Not positive once it cannot."""
        if attempt.put_at is not None and _is_only_launch(attempt):
            return 0.0 if attempt.is_seen else min(VANISHED, self.function_timeout) - (now - attempt.put_at).total_seconds()
        return self.claim_left(attempt.launched_at, now)

    def child_fence_left(self, attempt: Attempt, now: datetime, *, is_answered: bool) -> float:
        """The same for an attempt that is another run, which is not there: none if its only launch is over."""
        is_over = (is_answered or attempt.put_at is not None) and _is_only_launch(attempt)
        return 0.0 if is_over else self.claim_left(attempt.launched_at, now)

    def is_claimed(self, claimed_at: datetime | None, now: datetime) -> bool:
        """Whether nobody else may PUT yet."""
        return self.claim_left(claimed_at, now) > 0

    def is_launching(self, attempt: Attempt, now: datetime) -> bool:
        """Whether somebody is about to PUT, or a request to do so is on its way."""
        is_waiting = attempt.due_at is not None and not self.is_lost(attempt.due_at, now)
        return is_waiting or self.is_claimed(attempt.claimed_at, now)

    def is_free(self, item: Item, now: datetime) -> bool:
        """Whether another attempt may start: the last one's container group is gone, or fenced for so long that it counts as leaked."""
        left = (one for one in item.attempts if (one.group or one.child) and one.cleanup != "done")
        return all(self.is_leaked(one, now) for one in left)

    def deadline(self, launched_at: datetime, timeout: float) -> datetime:
        """When the attempt is over at the latest."""
        return launched_at + timedelta(seconds=self.start_allowance + timeout)

    def token_expiry(self, launched_at: datetime, timeout: float) -> datetime:
        """When the attempt's token expires: its deadline and a grace."""
        return self.deadline(launched_at, timeout) + timedelta(seconds=GRACE)


def _is_only_launch(attempt: Attempt) -> bool:
    # What an earlier one began, and got no answer to, may come after this one's answer.
    return attempt.claims == 1 and not attempt.tries
