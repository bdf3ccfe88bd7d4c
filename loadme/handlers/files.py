"""The files that the steps of a run hand to one another: what is in the run's folder."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from loadme.core.context import rfc3339
from loadme.errors import Rejected
from loadme.handlers import paging
from loadme.services import Services

MOST = 1000
"""Files that are counted for a run; the listing has all of them."""

LONGEST = 1024
"""Characters of a blob's name."""


class FilesQuery(Struct, frozen=True, kw_only=True):
    """Which files are asked for: those whose names begin with `prefix`, a page at a time."""

    prefix: str = ""
    limit: str = ""
    continuation: str = ""


def folder(run: str) -> str:
    """What the names of a run's files begin with in their container."""
    return f"{run}/"


def counted(services: Services, run: str) -> dict[str, Any]:
    """How many files a run has and their bytes; with `more` these are the first 1,000 of them."""
    found = services.files.list(folder(run), limit=MOST + 1)
    shown = found[:MOST]
    return {"count": len(shown), "bytes": sum(one.size for one in shown), "more": len(found) > MOST}


def list_files(services: Services, run: str, query: FilesQuery) -> dict[str, Any]:
    """A run's files by name, a page at a time. Raises Rejected(400) for a query that cannot be understood."""
    limit, first = paging.limit(query.limit), query.continuation
    if len(query.prefix) > LONGEST or not query.prefix.isprintable():
        raise Rejected(400, "Bad prefix", f"`prefix` must be the beginning of a file's name, at most {LONGEST} characters")
    if first and not (first.startswith(query.prefix) and len(first) <= LONGEST):
        raise Rejected(400, "Bad continuation", "`continuation` must be what the last page gave, with the same `prefix`")
    start = folder(run)
    found = services.files.list(start + query.prefix, first=start + first if first else "", limit=limit + 1)
    files = [{"name": one.name[len(start) :], "bytes": one.size, "changed_at": rfc3339(one.changed_at)} for one in found]
    return {"files": files[:limit], "continuation": files[limit]["name"] if len(files) > limit else None}
