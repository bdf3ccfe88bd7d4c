"""What is over for whoever watches, though it is still cleaned up: calls about it are answered, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from localcloud.arm.calls import Call


class Bygone:
    """Ids of runs. A call with one in its path meets no fault and is not on record."""

    def __init__(self) -> None:
        self._ids: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def add(self, ids: Iterable[str]) -> None:
        """From now on."""
        with self._lock:
            self._ids |= {one.lower() for one in ids}

    def has(self, call: Call) -> bool:
        """Whether the call is about one of them."""
        ids = self._ids
        if not ids:
            return False
        path = call.path.lower()
        return any(one in path for one in ids)
