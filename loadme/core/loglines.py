"""What loadme reads from a container's log, and how it keeps logs.

ACI keeps 4 MB of the log of a running container, and the last 16 KB or 1,000 lines of one that has ended.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from loadme.definitions.kinds import FOUND

MARKED = re.compile(r"^::(\{.*\})::\s*$", re.MULTILINE)
OWN_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}")
TOKEN = re.compile(r"v1\.[A-Za-z0-9_-]{1,32}\.[0-9]{1,12}\.[A-Za-z0-9_-]{43}")
TAIL_LINES = 20
TAIL_WIDTH = 500
OVERLAP = 64 * 1024
"""Characters: four times what ACI keeps of a log whose container has ended."""


def _marked(log: str) -> list[dict[str, Any]]:
    found = []
    for match in MARKED.finditer(log):
        try:
            value = msgspec.json.decode(match[1])
        except (msgspec.DecodeError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def verdict(log: str, attempt: str) -> dict[str, Any] | None:
    """The runner's last word about this attempt: `::{"loadme":{"attempt":…,"status":…,"exit_code":…}}::`."""
    said = [line["loadme"] for line in _marked(log) if isinstance(line.get("loadme"), dict)]
    return next((one for one in reversed(said) if one.get("attempt") == attempt), None)


def failure_kind(said: object, code: int | None) -> str:
    """The kind of failure that the work named, or else what its exit code says."""
    is_own = isinstance(said, str) and OWN_KIND.fullmatch(said) is not None and said not in FOUND
    return str(said) if is_own else "exit_code" if code else "failed"


def outputs(log: str) -> dict[str, Any]:
    """The outputs in lines `::{"outputs":{…}}::`; a later line wins."""
    found: dict[str, Any] = {}
    for line in _marked(log):
        if isinstance(line.get("outputs"), dict):
            found |= line["outputs"]
    return found


def masked(log: str) -> str:
    """The log without attempt tokens: a container that prints its environment must not publish one."""
    return TOKEN.sub("v1.***", log)


def tail(log: str, lines: int = TAIL_LINES) -> tuple[str, ...]:
    """The last lines, without the runner's own and without control characters, each cut to 500 characters."""
    kept = [line for line in masked(log).splitlines() if line.strip() and not line.startswith('::{"loadme"')]
    return tuple(re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", line)[:TAIL_WIDTH] for line in kept[-lines:])


def join(saved: str, later: str) -> str:
    """The saved log with what a later reading adds: the later one may be only the end of the whole, and overlaps the saved one."""
    if later.startswith(saved):
        return later
    if later in saved:
        return saved
    for start in range(max(0, len(saved) - min(len(later), OVERLAP)), len(saved)):
        if later.startswith(saved[start:]):
            return saved[:start] + later
    return f"{saved}\n{later}"
