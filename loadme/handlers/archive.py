"""The archive of logs: a blob for each attempt, named by its id."""

from __future__ import annotations

from loadme.core import loglines
from loadme.errors import Absent
from loadme.services import Services


def blob_name(attempt: str) -> str:
    """The blob of the attempt's log; all of a run's begin with `logs/lm-{run}-`."""
    return f"logs/{attempt}.log"


def read(services: Services, attempt: str) -> str | None:
    """The archived log, or None."""
    try:
        return services.blobs.get(blob_name(attempt)).decode(errors="replace")
    except Absent:
        return None


def save(services: Services, attempt: str) -> None:
    """Archives what ARM has of the attempt's log, joined to what was archived before. Nothing there, nothing saved."""
    found = loglines.masked(services.arm.logs(attempt, attempt) or "")
    if not found:
        return
    before = read(services, attempt) or ""
    joined = loglines.join(before, found)
    if joined != before:
        services.blobs.put(blob_name(attempt), joined.encode(), content_type="text/plain; charset=utf-8")
