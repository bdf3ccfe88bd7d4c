"""A table in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

from loadme.azure.storage.tables import ANY, MAX_BODY, NEW, Row, check_removal, check_transaction
from loadme.errors import Conflict, Terminal


class FakeTables:
    """`rows` is what it holds, by partition and row key."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self._etags = count(1)

    def read(self, partition: str, row: str) -> Row | None:
        return self.rows.get((partition, row))

    def write(self, rows: Sequence[Row]) -> tuple[str, ...]:
        check_transaction(rows)
        for row in rows:
            self._check(row)
        written = [replace(row, columns=dict(row.columns), etag=f'W/"{next(self._etags)}"') for row in rows]
        self.rows.update({(row.partition, row.row): row for row in written})
        return tuple(row.etag for row in written)

    def _check(self, row: Row) -> None:
        if len(row.body) > MAX_BODY:
            raise Terminal(f"The row {row.partition}/{row.row} is too large.", code="EntityTooLarge")
        there = self.rows.get((row.partition, row.row))
        if row.etag != ANY and row.etag != (there.etag if there else NEW):
            raise Conflict(f"The row {row.partition}/{row.row} is not as expected.")

    def delete(self, partition: str, row: str, etag: str = ANY) -> None:
        there = self.rows.get((partition, row))
        if there and etag not in (ANY, there.etag):
            raise Conflict(f"The row {partition}/{row} was changed.")
        self.rows.pop((partition, row), None)

    def remove(self, partition: str, rows: Sequence[str]) -> None:
        check_removal(partition, rows)
        for row in rows:
            self.rows.pop((partition, row), None)

    def list(
        self, partition: str, *, first: str = "", before: str = "", limit: int = 100, where: Mapping[str, str] | None = None
    ) -> list[Row]:
        found = sorted((row for row in self.rows.values() if row.partition == partition), key=lambda row: row.row)
        inside = [row for row in found if first <= row.row and (not before or row.row < before)]
        return [row for row in inside if (where or {}).items() <= row.columns.items()][:limit]
