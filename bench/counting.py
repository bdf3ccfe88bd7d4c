"""Seams that count what is asked of them, and pass it on: in all, and the most that any one event asked for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from loadme import store
from loadme.azure.storage.tables import Row
from loadme.errors import Conflict

KINDS = {"i": "item", "l": "lane", "s": "signal"}


class Tally:
    """`calls` by seam, method and kind of row; `most` of one event; `bytes` that a seam gave back.

    `conflicts` are of writes that came too late, by the kinds of their rows.
    """

    def __init__(self) -> None:
        self.calls, self.conflicts = Counter[str](), Counter[str]()
        self.most, self.bytes = Counter[str](), Counter[str]()
        self._lock, self._here = threading.Lock(), threading.local()

    def add(self, name: str, **sizes: int) -> None:
        """One call, and what it came to: rows written, rows read, messages sent."""
        with self._lock:
            self.calls[name] += 1
        event: Counter[str] | None = getattr(self._here, "event", None)
        if event is not None:
            event[f"{name.partition('.')[0]} calls"] += 1
            event.update(sizes)

    def conflict(self, name: str) -> None:
        """A write that came too late."""
        with self._lock:
            self.conflicts[name] += 1

    @contextmanager
    def event(self) -> Iterator[None]:
        """All that one event asks for is counted together."""
        self._here.event = Counter()
        try:
            yield
        finally:
            with self._lock:
                self.most |= self._here.event
            self._here.event = None

    def total(self, seam: str) -> int:
        """The calls of a seam, or of one method and kind of it."""
        return sum(count for name, count in self.calls.items() if name == seam or name.startswith((f"{seam}.", f"{seam} ")))


class Counting:
    """A seam whose calls are counted by method. `sizes` names what a call of a method counts as besides."""

    lock = threading.RLock()
    """Held while a fake is called: fakes know nothing of threads."""

    def __init__(self, seam: str, real: Any, tally: Tally, **sizes: str) -> None:
        self._seam, self._real, self._tally, self._sizes = seam, real, tally, sizes

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._tally.add(f"{self._seam}.{name}", **({self._sizes[name]: 1} if name in self._sizes else {}))
            with self.lock if type(self._real).__module__.startswith(("tests.", "bench.")) else nullcontext():
                answer = found(*args, **kwargs)
            if isinstance(answer, bytes):
                self._tally.bytes[self._seam] += len(answer)
            return answer

        return call


class CountingTables:
    """A table whose transactions are counted by method and kind of row."""

    def __init__(self, real: Any, tally: Tally) -> None:
        self._real, self._tally = real, tally

    def read(self, partition: str, row: str) -> Row | None:
        self._tally.add(f"tables.read {kind(partition, row)}")
        found: Row | None = self._real.read(partition, row)
        return found

    def write(self, rows: Sequence[Row]) -> tuple[str, ...]:
        name = "tables.write " + "+".join(sorted({kind(row.partition, row.row) for row in rows}))
        self._tally.add(name, **{"rows written": len(rows)})
        try:
            etags: tuple[str, ...] = self._real.write(rows)
        except Conflict:
            self._tally.conflict(name)
            raise
        return etags

    def list(self, partition: str, **where: Any) -> list[Row]:
        found: list[Row] = self._real.list(partition, **where)
        self._tally.add(f"tables.list {kind(partition, where.get('first', ''))}", **{"rows read": len(found)})
        return found

    def delete(self, partition: str, row: str, *etag: str) -> None:
        self._tally.add(f"tables.delete {kind(partition, row)}")
        self._real.delete(partition, row, *etag)

    def remove(self, partition: str, rows: Sequence[str]) -> None:
        self._tally.add(f"tables.remove {kind(partition, rows[0] if rows else '')}")
        self._real.remove(partition, rows)

    def close(self) -> None:
        self._real.close()


def kind(partition: str, row: str) -> str:
    """What the row is: one of a run's, or of another partition."""
    if partition in (store.OPEN, store.ALL, "quota", store.PATROL) or "~" in partition:
        return partition.partition("~")[0]
    return KINDS.get(row[:1], "run") if row[1:2] == "~" else "run"
