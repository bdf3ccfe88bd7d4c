"""A blob container in memory."""

from __future__ import annotations

from collections.abc import Iterator

from loadme.azure.storage.blobs import BYTES
from loadme.errors import Absent


class FakeBlobs:
    """`data` is what it holds, by name, and `types` the content types."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.types: dict[str, str] = {}

    def put(self, name: str, data: bytes, *, content_type: str = BYTES) -> None:
        self.data[name] = data
        self.types[name] = content_type

    def get(self, name: str) -> bytes:
        if name not in self.data:
            raise Absent(f"There is no blob {name}.")
        return self.data[name]

    def delete(self, name: str) -> None:
        self.data.pop(name, None)
        self.types.pop(name, None)

    def names(self, prefix: str) -> Iterator[str]:
        return iter(sorted(name for name in self.data if name.startswith(prefix)))
