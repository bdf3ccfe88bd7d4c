"""The rows of the state table.

partition `{run}`     row `run`, one row `i~{step}~{item}` for each item, and one row `l~{step}~{lane}` for each lane of a `for_each` step:
                      changed together by entity-group transactions with ETags
partition `open`      one row for each run that the patrol still has to look after, until its last container group is surely gone
partition `all`       one row for each run, newest first, with what a listing shows
partition `key~{…}`   one row for each idempotency key: the run that it started
partition `quota`     one row for each location: its ledger
partition `group~{…}` one concurrency group: the row `holder`, and one row for each run in line
partition `schedules` one row for each schedule, and `versions~{workflow}` one for each definition that a run was started with
partition `patrol`    when the next sweep is due, and what the patrol last found
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from loadme.azure.storage.tables import Row, Tables
from loadme.core.ids import newest_first
from loadme.core.state import Item, Lane, Run
from loadme.errors import RunAbsent, Terminal

OPEN = "open"
ALL = "all"
PATROL, SWEEP, LAST = "patrol", "sweep", "last"
ITEMS = ("i~", "i~~")
OPEN_ITEM = {"open": "yes"}
WAITING = "waiting"
NO_COLUMNS: Mapping[str, str] = {}
VERSION = 1
PAGE = 1000
"""Rows that Table storage gives in one answer."""

MOST_LOOKED = 5000
"""Rows among which one page of a listing is sought."""

Kind = TypeVar("Kind", Run, Item, Lane)


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


@dataclass(frozen=True, kw_only=True)
class StoredLane:
    """A lane as it was read; `etag` is empty for one that is not stored yet."""

    lane: Lane
    etag: str = ""


def item_row(step: str, item: int) -> str:
    """The row key of an item."""
    return f"i~{step}~{item:05}"


def lane_row(step: str, lane: int) -> str:
    """The row key of a lane."""
    return f"l~{step}~{lane:05}"


def signal_row(step: str) -> str:
    """The row key of the answer to a step that waits."""
    return f"s~{step}"


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


def read_items(tables: Tables, run: str, limit: int = PAGE) -> list[StoredItem]:
    """The run's items, by step name and item number."""
    return list(_items(tables, run, ITEMS[0], ITEMS[1], limit, {}))


def read_open_items(tables: Tables, run: str, limit: int = PAGE) -> list[StoredItem]:
    """The run's items for which something is still to be done."""
    return list(_items(tables, run, ITEMS[0], ITEMS[1], limit, OPEN_ITEM))


def read_single_items(tables: Tables, run: Run, maps: Sequence[str]) -> list[StoredItem]:
    """The items of all steps but those of `maps`, which may have ten thousand: these are stepped over."""
    found, first = list[StoredItem](), ITEMS[0]
    for skipped in sorted(f"i~{name}~" for name in maps):
        found += _items(tables, run.id, first, skipped, PAGE, {})
        first = f"{skipped}~"
    return [*found, *_items(tables, run.id, first, ITEMS[1], PAGE, {})]


def read_items_of(
    tables: Tables, run: str, step: str, first: int = 0, limit: int = PAGE, where: Mapping[str, str] = NO_COLUMNS
) -> list[StoredItem]:
    """A page of a step's items from number `first` on, those whose columns are as in `where`."""
    return list(_items(tables, run, item_row(step, first), f"i~{step}~~", limit, where))


def all_items_of(tables: Tables, run: str, step: str) -> Iterator[StoredItem]:
    """All of a step's items, a page at a time."""
    page = read_items_of(tables, run, step)
    while page:
        yield from page
        page = read_items_of(tables, run, step, page[-1].item.item + 1) if len(page) == PAGE else []


def read_lane(tables: Tables, run: str, step: str, lane: int) -> StoredLane | None:
    """The lane, or None if its first item is not over yet."""
    row = tables.read(run, lane_row(step, lane))
    return StoredLane(lane=_decode(row, Lane), etag=row.etag) if row else None


def read_lanes(tables: Tables, run: str, step: str) -> list[StoredLane]:
    """The lanes of a step, also of generations before the run was resumed."""
    rows = tables.list(run, first=f"l~{step}~", before=f"l~{step}~~", limit=PAGE)
    return [StoredLane(lane=_decode(row, Lane), etag=row.etag) for row in rows]


def write(tables: Tables, run: StoredRun | None, items: Sequence[StoredItem] = (), lanes: Sequence[StoredLane] = ()) -> tuple[str, ...]:
    """Writes items, lanes and the run together, all or nothing; their new ETags, in this order. Raises Conflict if any was changed since it
    was read."""
    rows = [*(_row_of(one) for one in items), *(_row_of_lane(one) for one in lanes)]
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
    summary |= {"parent": run.parent} if run.parent else {}
    columns = {"workflow": run.workflow, "status": run.status}
    return Row(partition=ALL, row=newest_first(run.id), body=msgspec.json.encode(summary), columns=columns, etag="*")


def list_runs(tables: Tables, first: str, before: str, where: Mapping[str, str], limit: int) -> tuple[list[Row], str]:
    """A page of the listing, of runs whose columns are as in `where`, and the key where the next page begins, empty after the last one.

    A page may have fewer than `limit` although others follow: a filter that hardly any run fits must not read all that there are.
    """
    found, looked, size = list[Row](), 0, limit + 1
    while True:
        rows = tables.list(ALL, first=first, before=before, limit=size)
        first = rows[-1].row if len(rows) == size else ""
        found += [row for row in rows[: size - 1] if where.items() <= row.columns.items()]
        if len(found) > limit:
            return found[:limit], found[limit].row
        looked += size
        if not first or len(found) == limit or looked >= MOST_LOOKED:
            return found, first
        size = min(size * 4, PAGE)


def _row_of(one: StoredItem) -> Row:
    item = one.item
    columns = {**(OPEN_ITEM if item.is_open else {"open": "no"}), "status": status_of(item)}
    return Row(partition=item.run, row=item_row(item.step, item.item), body=_encode(item), columns=columns, etag=one.etag)


def status_of(item: Item) -> str:
    """The item's status as a listing shows it: its attempt's, or `waiting` for the next one."""
    return WAITING if item.retry else item.attempt.status


def _row_of_lane(one: StoredLane) -> Row:
    lane = one.lane
    columns = {"open": "no"} if lane.is_over else OPEN_ITEM
    return Row(partition=lane.run, row=lane_row(lane.step, lane.lane), body=_encode(lane), columns=columns, etag=one.etag)


def _items(tables: Tables, run: str, first: str, before: str, limit: int, where: Mapping[str, str]) -> Iterator[StoredItem]:
    for row in tables.list(run, first=first, before=before, limit=limit, where=where):
        yield StoredItem(item=_decode(row, Item), etag=row.etag)


def _encode(value: Run | Item | Lane) -> bytes:
    return msgspec.json.encode(value)


def _decode(row: Row, kind: type[Kind]) -> Kind:
    value = msgspec.json.decode(row.body, type=kind)
    if value.version > VERSION:
        raise Terminal(
            f"the row {row.partition}/{row.row} has version {value.version}; this app knows version {VERSION}: deploy the newer app again"
        )
    return value
