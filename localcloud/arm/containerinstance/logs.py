"""How much of a container's log ACI gives."""

from __future__ import annotations

from localcloud.containers.logs import last_bytes, tail_lines, unstamped

RUNNING_LIMIT = 4 * 1024 * 1024  # bytes
ENDED_LIMIT = 16 * 1024  # bytes
ENDED_LINES = 1_000


def readable_log(stamped: bytes, *, ended: bool, tail: int | None, stamps: bool) -> str:
    """The log of a running container up to 4 MB; of one that has ended the last 1,000 lines or 16 KB, whichever is less."""
    data = tail_lines(stamped, ENDED_LINES) if ended else stamped
    if tail is not None:
        data = tail_lines(data, tail)
    limit = ENDED_LIMIT if ended else RUNNING_LIMIT
    return last_bytes(data if stamps else unstamped(data), limit).decode(errors="replace")
