"""Time for the local cloud: one clock that hurries delays along, and one that stands still until it is told to go on."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

_log = logging.getLogger(__name__)


class Handle(Protocol):
    def cancel(self) -> None:
        """The call is not made; nothing happens when it has been made already."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The time of day, in UTC."""

    def call_later(self, seconds: float, call: Callable[[], None]) -> Handle:
        """Make the call once, `seconds` of this clock's time from now, on a thread of the clock's choice."""


@dataclass(order=True)
class _Timer:
    due: float
    number: int  # two timers due at once go off in the order in which they were set
    call: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True

    def go_off(self) -> None:
        if not self.cancelled:
            self.call()


class ManualClock:
    """Stands still; `advance` makes the calls that fall due, in order, on the caller's thread."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._timers: list[_Timer] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Handle:
        timer = _Timer(self._elapsed + seconds, next(self._numbers), call)
        heapq.heappush(self._timers, timer)
        return timer

    def advance(self, seconds: float) -> None:
        """Let time pass. A call may set further timers: those that fall due within the time go off as well."""
        end = self._elapsed + seconds
        while self._timers and self._timers[0].due <= end:
            timer = heapq.heappop(self._timers)
            self._elapsed = max(self._elapsed, timer.due)
            timer.go_off()
        self._elapsed = end


class ScaledClock:
    """Shows the real time of day and shortens delays: `call_later(10, ...)` goes off after 10 x `scale` real seconds.

    The calls are made one after the other on one thread, which `close` ends; timers still set are then dropped.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._timers: list[_Timer] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Handle:
        with self._changed:
            timer = _Timer(time.monotonic() + seconds * self._scale, next(self._numbers), call)
            heapq.heappush(self._timers, timer)
            self._changed.notify()
        return timer

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while timer := self._next():
            try:
                timer.go_off()
            except Exception:
                _log.exception("a timer's call failed")

    def _next(self) -> _Timer | None:
        """The next timer, when it is due; None when the clock is closed."""
        with self._changed:
            while not self._closed:
                wait = self._timers[0].due - time.monotonic() if self._timers else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._timers)
                self._changed.wait(wait)
        return None
