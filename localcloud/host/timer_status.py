"""What is remembered of a timer, so that a host that starts knows what it has missed; and who of several hosts fires it."""

from __future__ import annotations

import fcntl
import json
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from localcloud.files import write_whole

from .schedules import Schedule

log = logging.getLogger("host.timer")
NEVER = "0001-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Status:
    """When a timer ran last (None: never), when it is due next, and the moment that this was reckoned from."""

    last: datetime | None
    next: datetime
    updated: datetime

    def as_json(self) -> dict[str, str]:
        """As the real host writes it."""
        last = self.last.isoformat() if self.last else NEVER
        return {"Last": last, "Next": self.next.isoformat(), "LastUpdated": self.updated.isoformat()}


class StatusStore:
    """The status of each timer, in a file where there is one. (In Azure each is a blob of the app's storage account.)"""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[str, Any] = _read(file) if file and file.exists() else {}

    def read(self, function: str) -> Status | None:
        """The status that was written last; none when it makes no sense, which is logged."""
        found = self._known.get(function)
        try:
            return found and _status(found)
        except (LookupError, TypeError, ValueError) as error:
            log.error("function %s: its status cannot be read, and begins anew: %s", function, error)  # noqa: TRY400
            return None

    def write(self, function: str, status: Status) -> None:
        """Remember it. That it cannot be written is logged and stops nothing."""
        self._known[function] = status.as_json()
        try:
            if self._file:
                write_whole(self._file, json.dumps(self._known))
        except OSError as error:
            log.error("function %s: its status cannot be written: %s", function, error)  # noqa: TRY400


def _read(file: Path) -> dict[str, Any]:
    """What is in the file; nothing when it is damaged: the timers begin anew, as they do without a file."""
    try:
        content = json.loads(file.read_text())
        if not isinstance(content, dict):
            raise TypeError("it is no JSON object")  # noqa: TRY301
    except (OSError, TypeError, ValueError) as error:
        log.error("the status of the timers in %s cannot be read, and begins anew: %s", file, error)  # noqa: TRY400
        return {}
    return content


def _status(found: Any) -> Status:
    last = None if found["Last"] == NEVER else _moment(found["Last"])
    return Status(last, _moment(found["Next"]), _moment(found["LastUpdated"]))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return moment


def starting_point(stored: Status | None, schedule: Schedule, now: datetime) -> tuple[Status, bool]:
    """What a starting host goes by, and whether the timer is past due: one run, however many occurrences were missed.

    A stored status that the present schedule would not have written means that the schedule was changed: then nothing is past due.
    """
    if stored is None:
        return Status(None, schedule.next(now), now), False
    since = stored.last or stored.updated
    expected = schedule.next(since)
    if stored.next != expected:
        since, expected = (now, schedule.next(now)) if now > expected else (since, expected)
        stored = Status(None, expected, since)
    return stored, now > stored.next


class Lock:
    """One host of those that share the folder fires a timer: it holds this lock for as long as it lives."""

    def __init__(self, folder: Path | None, function: str) -> None:
        self._folder = folder
        self._function = function
        self._file: IO[bytes] | None = None

    def take(self) -> bool:
        """Whether this host has the timer now; so it has when there cannot be a lock, which is logged."""
        if self._folder is None or self._file:
            return True
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / f"{self._function}.lock").open("ab")
        except OSError as error:
            log.error("function %s: other hosts are not kept from firing it: %s", self._function, error)  # noqa: TRY400
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def give(self) -> None:
        """Leave it to another one."""
        if self._file:
            self._file.close()
            self._file = None
