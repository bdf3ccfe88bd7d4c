"""Container logs as they are kept: every line begins with the time at which it was begun."""

from __future__ import annotations

STAMP = len("2026-01-01T00:00:00.000000000Z ")


def lines(stamped: bytes) -> list[bytes]:
    """The lines with their ends; only a line feed ends one."""
    *ended, rest = stamped.split(b"\n")
    return [line + b"\n" for line in ended] + ([rest] if rest else [])


def tail_lines(stamped: bytes, count: int) -> bytes:
    """The last lines."""
    return b"".join(lines(stamped)[-count:]) if count > 0 else b""


def unstamped(stamped: bytes) -> bytes:
    """The log as it was written."""
    return b"".join(line[STAMP:] for line in lines(stamped))


def last_bytes(data: bytes, size: int) -> bytes:
    """The last bytes, from the beginning of a character on."""
    return data[-size:].decode(errors="ignore").encode() if len(data) > size else data
