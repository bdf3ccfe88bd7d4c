"""Retention, a part of the sweep: runs, logs, files and kept messages that are older than the operator wants them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from loadme import log, store
from loadme.azure.storage.blobs import BlobInfo, Blobs
from loadme.azure.storage.tables import ANY, Row
from loadme.core import ids, poison
from loadme.errors import LoadmeError, Rejected
from loadme.handlers import purge
from loadme.services import Services

PARTITION, ROW = "patrol", "retention"
PAGE = 200
LOGS = "logs/lm-"


class Swept(NamedTuple):
    """How much was removed; whole runs count once, with their logs and files."""

    runs: int = 0
    logs: int = 0
    files: int = 0
    messages: int = 0


class _Page(NamedTuple):
    """What a look at one page came to; the next look begins at `mark`, or at the start if it is empty."""

    removed: int = 0
    mark: str = ""


def sweep(services: Services) -> Swept:
    """Looks at one page of each; the next call goes on where this one stopped, so that nothing that must stay keeps others from going."""
    keep, end = services.settings.retention, services.now() + timedelta(seconds=services.settings.policy.tick)
    marks = _marks(services)
    looks: dict[str, Callable[[str], _Page]] = {
        "runs": lambda mark: _runs(services, keep.runs, mark, end),
        "logs": lambda mark: _blobs(services, services.blobs, LOGS, keep.of_logs, mark),
        "files": lambda mark: _blobs(services, services.files, "", keep.of_files, mark),
        "messages": lambda mark: _blobs(services, services.blobs, poison.PREFIX, keep.runs, mark),
    }
    pages = {name: _looked(name, look, marks.get(name, "")) for name, look in looks.items()}
    after = {name: page.mark for name, page in pages.items() if page.mark}
    if after != marks:
        services.tables.write([Row(partition=PARTITION, row=ROW, body=msgspec.json.encode(after), etag=ANY)])
    return Swept(**{name: page.removed for name, page in pages.items()})


def _marks(services: Services) -> dict[str, str]:
    row = services.tables.read(PARTITION, ROW)
    return msgspec.json.decode(row.body, type=dict[str, str]) if row else {}


def _looked(name: str, look: Callable[[str], _Page], mark: str) -> _Page:
    try:
        page = look(mark)
    except LoadmeError as trouble:
        log.warning("retention-trouble", what=name, why=str(trouble))
        return _Page()
    if page.removed:
        log.info("retention", what=name, removed=page.removed)
    return page


def _runs(services: Services, kept: float | None, mark: str, end: datetime) -> _Page:
    """Deletes the runs that ended before then. The listing is newest first, so all that comes after the first old one is old."""
    if kept is None:
        return _Page()
    limit = services.now() - timedelta(seconds=kept)
    first = max(mark, ids.newest_first(ids.earliest(limit)))
    rows, count = services.tables.list(store.ALL, first=first, limit=PAGE), 0
    for row in rows:
        if services.now() >= end:
            return _Page(count, row.row)
        count += _deleted(services, row, limit)
    return _Page(count, rows[-1].row if len(rows) == PAGE else "")


def _deleted(services: Services, row: Row, limit: datetime) -> int:
    """1 if the run is deleted now, or will be by the patrol."""
    run, ended = ids.newest_first(row.row), msgspec.json.decode(row.body)["ended_at"]
    if ended is None or msgspec.convert(ended, datetime) >= limit:
        return 0
    try:
        purge.delete(services, run)
    except Rejected:
        return 0  # its containers are still being removed, or somebody has resumed or deleted it
    except LoadmeError as trouble:
        log.warning("retention-run", run=run, why=str(trouble))
        return 0
    return 1


def _blobs(services: Services, blobs: Blobs, prefix: str, kept: float | None, mark: str) -> _Page:
    """Deletes the blobs of that age of runs that are not open. Their names begin with the run's id, so the oldest runs come first."""
    if kept is None:
        return _Page()
    limit = services.now() - timedelta(seconds=kept)
    found = blobs.list(prefix, first=mark, limit=PAGE)
    old = [blob for blob in found if _run_of(blob, prefix) < ids.earliest(limit)]
    mine = [blob for blob in old if ids.is_run_id(_run_of(blob, prefix)) and blob.changed_at < limit]
    is_open = {run: services.tables.read(store.OPEN, run) is not None for run in {_run_of(blob, prefix) for blob in mine}}
    names = [blob.name for blob in mine if not is_open[_run_of(blob, prefix)]]
    blobs.remove(names)
    return _Page(len(names), old[-1].name if len(old) == PAGE else "")


def _run_of(blob: BlobInfo, prefix: str) -> str:
    return blob.name[len(prefix) :][:20]
