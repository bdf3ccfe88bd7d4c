"""A blob container in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from loadme.azure.storage.blobs import BYTES, BlobInfo, check_removal
from loadme.errors import Absent

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class FakeBlobs:
    """`data` is what it holds, by name, and `types` the content types. What is put into `data` by hand was changed just now."""

    def __init__(self, now: Callable[[], datetime] = lambda: NOW) -> None:
        self.data: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.times: dict[str, datetime] = {}
        self._now = now

    def put(self, name: str, data: bytes, *, content_type: str = BYTES) -> None:
        self.data[name] = data
        self.types[name] = content_type
        self.times[name] = self._now()

    def get(self, name: str) -> bytes:
        if name not in self.data:
            raise Absent(f"There is no blob {name}.")
        return self.data[name]

    def delete(self, name: str) -> None:
        for kept in (self.data, self.types, self.times):
            kept.pop(name, None)

    def remove(self, names: Sequence[str]) -> None:
        check_removal(names)
        for name in names:
            self.delete(name)

    def names(self, prefix: str) -> Iterator[str]:
        return iter(sorted(name for name in self.data if name.startswith(prefix)))

    def list(self, prefix: str, *, first: str = "", limit: int = 100) -> list[BlobInfo]:
        found = [name for name in self.names(prefix) if name >= first]
        return [BlobInfo(name, len(self.data[name]), self.times.get(name, self._now())) for name in found[:limit]]
