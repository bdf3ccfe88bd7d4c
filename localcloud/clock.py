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
from typing import Any, Protocol

_log = logging.getLogger(__name__)

TINY = 1e-6  # seconds, against rounding
LONGEST = 100 * 365.25 * 24 * 3600.0  # seconds: a hundred years, beyond which no delay or step makes sense
LOOK_AGAIN = 3600.0  # real seconds: what threads can wait at once has a limit


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

    def advance_to_next(self) -> float | None:
        """Let the time to the next timer pass; the seconds that it took, or None without a timer."""
        timers = [timer.due for timer in self._timers if not timer.cancelled]
        if not timers:
            return None
        until = max(0.0, min(timers) - self._elapsed)
        self.advance(until)
        return until


class ScaledClock:
    """Shows the time of day and shortens delays: `call_later(10, ...)` goes off after 10 x `scale` real seconds.

    It can be paused, advanced, set to another scale and resumed, by any thread. What it shows goes on as fast as the real time of day,
    stands still while the clock is paused, and is moved by `advance` as far as the timers are. The calls are made one after the other, in
    the order in which they fall due: on a thread of the clock's, which `close` ends (timers still set are dropped), or on that of whoever
    advances it. Whoever does must hold no lock that a call may want.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._timers: list[_Timer] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._one_at_a_time = threading.RLock()  # taken before `_changed`
        self._closed = False
        self._paused = False
        self._since = time.monotonic()  # when `_elapsed` was right
        self._elapsed = 0.0  # seconds of timers
        self._ahead = timedelta()  # of the real time of day, when it goes
        self._stands_at = datetime.now(UTC)  # when it is paused
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()

    def now(self) -> datetime:
        with self._changed:
            return self._shown()

    def call_later(self, seconds: float, call: Callable[[], None]) -> Handle:
        with self._changed:
            timer = _Timer(self._now_elapsed() + seconds, next(self._numbers), call)
            heapq.heappush(self._timers, timer)
            self._changed.notify_all()
        return timer

    @property
    def state(self) -> dict[str, Any]:
        """For the side door: `next` is how many seconds it is to the next timer, None without any."""
        with self._changed:
            timers = [timer.due for timer in self._timers if not timer.cancelled]
            until = max(0.0, min(timers) - self._now_elapsed()) if timers else None
            shown, ahead = self._shown().isoformat(), (self._shown() - datetime.now(UTC)).total_seconds()
            return {"now": shown, "paused": self._paused, "scale": self._scale, "ahead": ahead, "timers": len(timers), "next": until}

    def pause(self) -> None:
        """Stand still: no timer goes off by itself, and the time of day stays as it is."""
        with self._one_at_a_time, self._changed:
            self._settle()
            self._stands_at = self._shown()
            self._paused = True

    def resume(self) -> None:
        """Go on from where it stood."""
        with self._changed:
            self._settle()
            if self._paused:
                self._ahead = self._stands_at - datetime.now(UTC)
            self._paused = False
            self._changed.notify_all()

    def set_scale(self, scale: float) -> None:
        """From now on; raises ValueError for one that makes no sense."""
        if not 0 < scale <= 1000:
            raise ValueError(f"{scale} is not a scale: give a number above 0, such as 0.05")
        with self._changed:
            self._settle()
            self._scale = scale
            self._changed.notify_all()

    def advance(self, seconds: float) -> None:
        """Let time pass at once: the calls that fall due are made before it returns, those that they set within the time too.

        Raises ValueError for what makes no sense, or leads more than a hundred years away from the real time.
        """
        if not 0 <= seconds <= LONGEST:
            raise ValueError(f"{seconds} is not a time to advance by: time goes forward, and by a hundred years at most")
        with self._one_at_a_time:
            with self._changed:
                self._settle()
                if (self._shown() - datetime.now(UTC)).total_seconds() + seconds > LONGEST:
                    raise ValueError(f"{seconds} is not a time to advance by: the clock would be more than a hundred years ahead")
                end = self._elapsed + seconds
            while timer := self._pop(end):
                _make(timer)
            with self._changed:
                self._move_to(end)
                self._changed.notify_all()

    def advance_to_next(self) -> float | None:
        """Let the time to the next timer pass; the seconds that it took, or None without a timer."""
        with self._one_at_a_time:
            until: float | None = self.state["next"]
            if until is not None:
                self.advance(until + TINY)
            return until

    def start_over(self, scale: float) -> None:
        """As a new one: at the real time of day, with no timer set."""
        with self._one_at_a_time, self._changed:
            self._timers.clear()
            self._scale, self._paused, self._ahead = scale, False, timedelta()
            self._elapsed, self._since = 0.0, time.monotonic()
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _shown(self) -> datetime:
        return self._stands_at if self._paused else datetime.now(UTC) + self._ahead

    def _now_elapsed(self) -> float:
        return self._elapsed if self._paused else self._elapsed + (time.monotonic() - self._since) / self._scale

    def _settle(self) -> None:
        """Count anew from this moment."""
        self._elapsed = self._now_elapsed()
        self._since = time.monotonic()

    def _move_to(self, moment: float) -> None:
        """Both times move on together; a moment that has gone by while calls were made stays gone."""
        self._settle()
        step = max(0.0, moment - self._elapsed)
        self._elapsed += step
        self._ahead += timedelta(seconds=step)
        self._stands_at += timedelta(seconds=step)

    def _pop(self, end: float) -> _Timer | None:
        """The next timer that is due by then, with the clock at its time."""
        with self._changed:
            if self._closed or not self._timers or self._timers[0].due > end:
                return None
            timer = heapq.heappop(self._timers)
            self._move_to(timer.due)
            return timer

    def _run(self) -> None:
        while self._wait():
            with self._one_at_a_time:
                with self._changed:
                    due = self._is_due()
                    timer = heapq.heappop(self._timers) if due else None
                if timer:
                    _make(timer)

    def _is_due(self) -> bool:
        """Asked again by whoever has the turn: somebody may have advanced or paused the clock meanwhile."""
        return bool(not self._closed and not self._paused and self._timers and self._timers[0].due <= self._now_elapsed())

    def _wait(self) -> bool:
        """Until a timer is due; False when the clock is closed."""
        with self._changed:
            while not self._closed and not self._is_due():
                going = self._timers and not self._paused
                self._changed.wait(min((self._timers[0].due - self._now_elapsed()) * self._scale, LOOK_AGAIN) if going else None)
            return not self._closed


def _make(timer: _Timer) -> None:
    try:
        timer.go_off()
    except Exception:
        _log.exception("a timer's call failed")
