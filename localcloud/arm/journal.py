"""Every call that was made, for tests to read back and to wait for."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from localcloud.arm import matching
from localcloud.arm.bygone import Bygone
from localcloud.arm.calls import Call
from localcloud.arm.shapes import shape

KEPT = 100_000  # calls
SECRETS = {"code", "sig", "token", "key", "client_secret", "client_assertion"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which calls: like those of a fault, with `status` (a regular expression, such as `4..`), `who` made them, and `since` a number."""

    service: str = ""
    method: str = ".*"
    path: str = ".*"
    route: str = ""
    status: str = ".*"
    who: str = ""
    by: str = ""
    since: int = 0

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Asked:
        """Raises ValueError that says what is wrong."""
        names = [item.name for item in fields(cls)]
        if unknown := given.keys() - set(names):
            raise ValueError(f"calls cannot be asked for by {', '.join(sorted(unknown))}: give some of {', '.join(names)}")
        words = {name: str(value) for name, value in given.items() if name != "since"}
        asked = cls(**words, since=int(given.get("since", 0)))
        matching.check(service=asked.service, method=asked.method, path=asked.path)
        try:
            re.compile(asked.status)
        except re.error as error:
            raise ValueError(f"the status is a regular expression: {error}") from None
        return asked

    def means(self, entry: Mapping[str, Any]) -> bool:
        """Whether the call is one of them."""
        if entry["number"] <= self.since or (self.service and self.service != entry["service"]):
            return False
        if (self.who and self.who != entry["who"]) or (self.by and self.by != entry["by"]):
            return False
        if not re.fullmatch(self.status, str(entry["status"])):
            return False
        return matching.matches(self.method, self.path, self.route, entry["method"], entry["path"])


class Journal:
    """For calls on any thread. `names` has the names of those who make them, by their object ids."""

    def __init__(self, names: Mapping[str, str] | None = None, bygone: Bygone | None = None) -> None:
        self._bygone = bygone or Bygone()
        self.names: Mapping[str, str] = names if names is not None else {}
        self._calls: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()

    def write(self, call: Call, status: int, now: datetime, fault: str = "") -> None:
        """No values of bodies and no headers: they hold secrets."""
        if self._bygone.has(call):
            return
        query = {name: "(hidden)" if name.lower() in SECRETS else value for name, value in call.query.items()}
        entry = {
            "service": call.service,
            "method": call.method,
            "path": call.path,
            "query": query,
            "status": status,
            "by": call.by,
            "who": self.names.get(call.actor, call.actor),
            "time": now.isoformat(),
            "body": shape(call.body),
            "fault": fault,
        }
        with self._changed:
            self._calls.append({"number": next(self._numbers), **entry})
            self._changed.notify_all()

    def clear(self) -> None:
        with self._changed:
            self._calls.clear()

    def listing(self, asked: Asked | None = None) -> list[dict[str, Any]]:
        """Those that are asked for, in the order in which they were answered."""
        with self._changed:
            return self._found(asked)

    def wait(self, asked: Asked, timeout: float, count: int = 1) -> list[dict[str, Any]]:
        """The same, as soon as there are so many of them, or after so many real seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while len(found := self._found(asked)) < count and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            return found

    def _found(self, asked: Asked | None) -> list[dict[str, Any]]:
        return [dict(entry) for entry in self._calls if asked is None or asked.means(entry)]
