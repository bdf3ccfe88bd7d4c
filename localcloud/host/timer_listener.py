"""One timer function: fires when its schedule says, never twice at once, and knows when it is past due."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from localcloud.files import write_whole

from .engine import Engine
from .protocol import TimerTrigger
from .schedules import Schedule
from .table import TimerFunction

log = logging.getLogger("host.timer")


@dataclass(frozen=True)
class Status:
    """When a timer ran last (None: never) and when it is due next."""

    last: datetime | None
    next: datetime
    updated: datetime

    def as_json(self) -> dict[str, str | None]:
        """As the real host writes it."""
        return {
            name.replace("updated", "last_updated").title().replace("_", ""): value and value.isoformat()
            for name, value in asdict(self).items()
        }


class StatusStore:
    """The status of each timer, in a file where there is one, so that a restarted host sees what it missed."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[str, dict[str, str | None]] = json.loads(file.read_text()) if file and file.is_file() else {}

    def read(self, function: str) -> Status | None:
        """The status that was written last."""
        found = self._known.get(function)
        if not found or not found["Next"] or not found["LastUpdated"]:
            return None
        last = datetime.fromisoformat(found["Last"]) if found["Last"] else None
        return Status(last, datetime.fromisoformat(found["Next"]), datetime.fromisoformat(found["LastUpdated"]))

    def write(self, function: str, status: Status) -> None:
        """Remember it."""
        self._known[function] = status.as_json()
        if self._file:
            write_whole(self._file, json.dumps(self._known))


def starting_point(stored: Status | None, schedule: Schedule, now: datetime) -> tuple[Status, bool]:
    """What a starting host goes by, and whether the timer is past due: one run, however many occurrences were missed.

    A stored status that the present schedule would not have written means that the schedule was changed: begin anew.
    """
    fresh = Status(None, schedule.next(now), now)
    if stored is None or schedule.next(stored.last or stored.updated) != stored.next:
        return fresh, False
    return stored, now > stored.next


class TimerListener:
    """The listener of one function; the clock and sleeping come from outside."""

    def __init__(
        self,
        timer: TimerFunction,
        engine: Engine,
        store: StatusStore,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.timer = timer
        self._engine = engine
        self._store = store
        self._now = now
        self._sleep = sleep

    async def run(self) -> None:
        """Fire until cancelled. A failed run is logged and the schedule goes on."""
        stored = self._store.read(self.timer.function) if self.timer.use_monitor else None
        status, past_due = starting_point(stored, self.timer.schedule, self._now())
        self._write(status)
        if past_due or self.timer.run_on_startup:
            status = await self._fire(status, past_due=past_due)
        while True:
            await self._sleep(max(0.0, (status.next - self._now()).total_seconds()))
            status = await self._fire(status, past_due=False)

    async def _fire(self, status: Status, *, past_due: bool) -> Status:
        started = self._now()
        finished = await self._engine.invoke(self.timer.function, TimerTrigger(self._info(status, past_due=past_due)))
        if finished.error:
            log.warning("function %s failed: %s", self.timer.function, finished.error)
        # A clock that runs a little early must not fire the same occurrence twice.
        early = status.next > started and (status.next - started).total_seconds() < 1
        last = status.next if early else started
        status = Status(last, self.timer.schedule.next(last), self._now())
        self._write(status)
        return status

    def _info(self, status: Status, *, past_due: bool) -> str:
        shown = status.as_json() if self.timer.use_monitor else None
        return json.dumps({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": shown, "IsPastDue": past_due})

    def _write(self, status: Status) -> None:
        if self.timer.use_monitor:
            self._store.write(self.timer.function, status)
