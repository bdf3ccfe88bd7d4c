"""One timer function: fires when its schedule says, never twice at once, and knows when it is past due."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from .invoker import Invokes
from .protocol import TimerTrigger
from .schedules import CronSchedule
from .table import TimerFunction
from .timer_status import Lock, Status, StatusStore, starting_point

log = logging.getLogger("host.timer")
LOCK_RETRY = 60.0
LONGEST_SLEEP = 24 * 86400.0  # seconds: what one of the real host's timers can wait for


@dataclass(frozen=True)
class Times:
    """Time and chance, which a test brings along."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


class TimerListener:
    """The listener of one function."""

    def __init__(
        self, timer: TimerFunction, invoker: Invokes, store: StatusStore, lock: Lock | None = None, times: Times | None = None
    ) -> None:
        self.timer = timer
        self._invoker = invoker
        self._store = store
        self._lock = lock or Lock(None, timer.function)
        self._times = times or Times()
        self._firing = asyncio.Lock()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Fire until stopped. A failed run is logged and the schedule goes on."""
        while not self._stopping.is_set() and not self._lock.take():
            await self._sleep(LOCK_RETRY)
        if not self._stopping.is_set():
            await self._follow_schedule()

    async def _follow_schedule(self) -> None:
        stored = self._store.read(self.timer.function) if self.timer.use_monitor else None
        status, past_due = starting_point(stored, self.timer.schedule, self._times.now())
        self._write(status)
        if past_due or self.timer.run_on_startup:
            status = await self._fire(status, past_due=past_due, scheduled=False)
        while not self._stopping.is_set():
            await self._wait(status.next)
            status = await self._fire(status, past_due=False, scheduled=True)

    async def stop(self) -> None:
        """Fire no more, and wait for the run that is under way; the caller limits the wait."""
        self._stopping.set()
        async with self._firing:
            self.abandon()

    def abandon(self) -> None:
        """Leave the timer to another host, whatever still runs."""
        self._lock.give()

    async def _wait(self, until: datetime) -> None:
        while not self._stopping.is_set() and (left := (until - self._times.now()).total_seconds()) > 0:
            await self._sleep(min(left, LONGEST_SLEEP))
            if left <= LONGEST_SLEEP:
                return  # early or late by what the clock is wrong

    async def _fire(self, status: Status, *, past_due: bool, scheduled: bool) -> Status:
        async with self._firing:
            if self._stopping.is_set():
                return status
            started = self._times.now()
            await self._run(self._info(status, past_due=past_due))
            # A clock that is a little slow must not have the same occurrence fired twice.
            last = max(started, status.next) if scheduled else started
            status = Status(last, self.timer.schedule.next(last), last)
            self._write(status)
            return status

    async def _run(self, info: str) -> None:
        """Once, and again as the function's retry policy says, but not when the host stops: retries may have no end."""
        policy = self.timer.retry
        for attempt in itertools.count():
            outcome = await self._invoker.invoke(self.timer.function, TimerTrigger(info, attempt, policy.count if policy else 0))
            if not outcome.error:
                return
            log.warning("function %s failed: %s", self.timer.function, outcome.error)
            if policy is None or 0 <= policy.count <= attempt:
                return
            await self._sleep(policy.delay(attempt + 1, self._times.random))
            if self._stopping.is_set():
                return

    async def _sleep(self, seconds: float) -> None:
        """At most until the listener is stopped."""
        ends = [asyncio.ensure_future(end) for end in (self._times.sleep(seconds), self._stopping.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()

    def _info(self, status: Status, *, past_due: bool) -> str:
        shown = status.as_json() if self.timer.use_monitor else None
        adjusts = isinstance(self.timer.schedule, CronSchedule)
        return json.dumps({"Schedule": {"AdjustForDST": adjusts}, "ScheduleStatus": shown, "IsPastDue": past_due})

    def _write(self, status: Status) -> None:
        if self.timer.use_monitor:
            self._store.write(self.timer.function, status)
