"""The rows of the state table.

partition `{run}`     row `run`, and one row `i~{step}~{item}` for each item: changed together by entity-group transactions with ETags
partition `open`      one row for each run that the patrol still has to look after, until its last container group is surely gone
partition `all`       one row for each run, newest first, with what a listing shows
partition `key~{…}`   one row for each idempotency key: the run that it started
partition `quota`     one row for each location: its ledger
partition `patrol`    when the next sweep is due, and what the patrol last found
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from loadme.azure.storage.tables import Row, Tables
from loadme.core.ids import newest_first
from loadme.core.state import Item, Run
from loadme.errors import RunAbsent, Terminal

OPEN = "open"
ALL = "all"
PATROL, SWEEP, LAST = "patrol", "sweep", "last"
ITEMS = ("i~", "i~~")
OPEN_ITEM = {"open": "yes"}
VERSION = 1
Kind = TypeVar("Kind", Run, Item)


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run as it was read; `etag` is empty for one that is not stored yet."""

    run: Run
    etag: str = ""


@dataclass(frozen=True, kw_only=True)
class StoredItem:
    """An item as it was read; `etag` is empty for one that is not stored yet."""

    item: Item
    etag: str = ""


def item_row(step: str, item: int) -> str:
    """The row key of an item."""
    return f"i~{step}~{item:05}"


def read_run(tables: Tables, run: str) -> StoredRun:
    """The run. Raises RunAbsent."""
    row = tables.read(run, "run")
    if row is None:
        raise RunAbsent(f"there is no run {run}")
    return StoredRun(run=_decode(row, Run), etag=row.etag)


def read_item(tables: Tables, run: str, step: str, item: int) -> StoredItem | None:
    """The item, or None if it was not launched yet."""
    row = tables.read(run, item_row(step, item))
    return StoredItem(item=_decode(row, Item), etag=row.etag) if row else None


def read_items(tables: Tables, run: str, limit: int = 1000) -> list[StoredItem]:
    """The run's items, by step name and item number."""
    rows = tables.list(run, first=ITEMS[0], before=ITEMS[1], limit=limit)
    return [StoredItem(item=_decode(row, Item), etag=row.etag) for row in rows]


def write(tables: Tables, run: StoredRun | None, items: Sequence[StoredItem] = ()) -> tuple[str, ...]:
    """Writes items and the run together, all or nothing; their new ETags, in this order. Raises Conflict if any was changed since it was
    read."""
    rows = [_row_of(one) for one in items]
    if run is not None:
        rows.append(Row(partition=run.run.id, row="run", body=_encode(run.run), etag=run.etag))
    return tables.write(rows)


def has_open_items(tables: Tables, run: str) -> bool:
    """Whether anything is still to be done for any item of the run. Asks for one row, however many items there are."""
    return bool(tables.list(run, first=ITEMS[0], before=ITEMS[1], limit=1, where=OPEN_ITEM))


def has_items(tables: Tables, run: str) -> bool:
    """Whether anything of the run was ever launched."""
    return bool(tables.list(run, first=ITEMS[0], before=ITEMS[1], limit=1))


def listing_row(run: Run) -> Row:
    """The run's row in the listing of all runs."""
    summary = {"id": run.id, "workflow": run.workflow, "status": run.status, "created_at": run.created_at, "ended_at": run.ended_at}
    columns = {"workflow": run.workflow, "status": run.status}
    return Row(partition=ALL, row=newest_first(run.id), body=msgspec.json.encode(summary), columns=columns, etag="*")


def _row_of(one: StoredItem) -> Row:
    item = one.item
    columns = OPEN_ITEM if item.is_open else {"open": "no"}
    return Row(partition=item.run, row=item_row(item.step, item.item), body=_encode(item), columns=columns, etag=one.etag)


def _encode(value: Run | Item) -> bytes:
    return msgspec.json.encode(value)


def _decode(row: Row, kind: type[Kind]) -> Kind:
    value = msgspec.json.decode(row.body, type=kind)
    if value.version > VERSION:
        raise Terminal(
            f"the row {row.partition}/{row.row} has version {value.version}; this app knows version {VERSION}: deploy the newer app again"
        )
    return value
