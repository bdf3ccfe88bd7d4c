"""The archive of logs: a blob for each attempt, named by its id, and one for each container besides its own."""

from __future__ import annotations

from collections.abc import Callable

from loadme.core import loglines
from loadme.core.arm import Group
from loadme.core.contract import APP
from loadme.core.ids import parse_attempt
from loadme.core.secrets import TAG
from loadme.errors import Absent
from loadme.handlers import secrets
from loadme.services import Services


def blob_name(attempt: str, container: str = "") -> str:
    """The blob of the log of the attempt's own container, or of another one; all of a run's begin with `logs/lm-{run}-`."""
    return f"logs/{attempt}.log" if container in ("", attempt) else f"logs/{attempt}/{container}.log"


def read(services: Services, attempt: str, container: str = "") -> str | None:
    """The archived log, or None."""
    try:
        return services.blobs.get(blob_name(attempt, container)).decode(errors="replace")
    except Absent:
        return None


def save(services: Services, attempt: str, container: str = "", hide: Callable[[str], str] = str) -> None:
    """Archives what ARM has of the container's log, joined to what was archived before. Nothing there, nothing saved.

    `hide` takes the attempt's secrets out of it.
    """
    found = hide(loglines.masked(services.arm.logs(attempt, container or attempt) or ""))
    if not found:
        return
    before = read(services, attempt, container) or ""
    joined = loglines.join(before, found)
    if joined != before:
        services.blobs.put(blob_name(attempt, container), joined.encode(), content_type="text/plain; charset=utf-8")


def save_all(services: Services, group: Group) -> None:
    """Archives the logs of all containers of an attempt's group, its own first."""
    hide = _hider(services, group)
    for container in sorted({group.name, *group.init, *group.containers}, key=lambda name: name != group.name):
        save(services, group.name, container, hide)


def _hider(services: Services, group: Group) -> Callable[[str], str]:
    """A group says by a tag whether it has secrets; one whose template gives it no tags at all does not say it."""
    attempt = parse_attempt(group.name)
    if attempt is None or (APP in group.tags and TAG not in group.tags):
        return str
    return secrets.masker_of(services, attempt)
