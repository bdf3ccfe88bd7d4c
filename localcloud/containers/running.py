"""What a runtime has running, and the end of it."""

from __future__ import annotations

import threading
from typing import TypeVar

from localcloud.containers.held import Held
from localcloud.containers.runtime import Ended

One = TypeVar("One", bound=Held)


class Closed(OSError):
    """The runtime has ended: nothing is begun any more."""

    def __init__(self) -> None:
        super().__init__("the local cloud is ending")


class Running:
    """Containers, and what else must end with their runtime. Once it is closed, nothing runs, and nothing is begun any more."""

    def __init__(self, within: float) -> None:
        self._within = within  # seconds in which each of them ends that is killed
        self._all: set[Held] = set()
        self._lock = threading.Lock()
        self.closed = False

    def check(self) -> None:
        """Before anything is begun. Raises Closed."""
        if self.closed:
            raise Closed

    def take(self, held: One, ended: Ended) -> One:
        """Watch what has just been started. Raises Closed, and it is killed, when all were ended meanwhile."""
        with self._lock:
            late = self.closed
            self._all.add(held)
        held.watch(ended, self._forget)
        if late:
            self._end([held])
            raise Closed
        return held

    def close(self) -> None:
        """Returns when nothing runs."""
        with self._lock:
            self.closed = True
            running = list(self._all)
        self._end(running)

    def _end(self, running: list[Held]) -> None:
        for held in running:
            held.kill()
        for held in running:
            held.join(self._within)

    def _forget(self, held: Held) -> None:
        with self._lock:
            self._all.discard(held)
