"""Run ids, attempt ids and the keys under which their state is stored.

A run id is 20 characters of lower-case Crockford base32: 10 of the creation time in milliseconds, 10 random. Ids sort by time.
An attempt id is `lm-{run}-{step}-{item}-{attempt}`: at most 62 characters where ACI allows 63.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
NEWEST_FIRST = str.maketrans(ALPHABET, ALPHABET[::-1])
ATTEMPT = re.compile(r"lm-([0-9a-hjkmnp-tv-z]{20})-([a-z0-9](?:-?[a-z0-9]){0,27})-([0-9]{1,5})-([1-9][0-9]{0,2})")
RUN = re.compile(r"[0-9a-hjkmnp-tv-z]{20}")


class AttemptId(NamedTuple):
    """The four parts of an attempt id; `str()` gives the id."""

    run: str
    step: str
    item: int
    attempt: int

    def __str__(self) -> str:
        return f"lm-{self.run}-{self.step}-{self.item}-{self.attempt}"


def parse_attempt(text: str) -> AttemptId | None:
    """The parts of an attempt id, or None if the text is not one in its only spelling."""
    match = ATTEMPT.fullmatch(text)
    if not match:
        return None
    parts = AttemptId(match[1], match[2], int(match[3]), int(match[4]))
    return parts if str(parts) == text else None


def is_run_id(text: str) -> bool:
    """Whether the text has the form of a run id; says nothing about whether the run exists."""
    return RUN.fullmatch(text) is not None


def new_run_id(now: datetime, random_bytes: Callable[[int], bytes]) -> str:
    """A new run id; `random_bytes(n)` gives n random bytes (`os.urandom`)."""
    return base32(int(now.timestamp() * 1000), 10) + base32(int.from_bytes(random_bytes(8), "big"), 10)


def child_run(now: datetime, attempt: AttemptId) -> str:
    """The id of the run that an attempt begins: the same each time that it is worked out of what is stored."""
    digest = hashlib.sha256(str(attempt).encode()).digest()
    return base32(int(now.timestamp() * 1000), 10) + base32(int.from_bytes(digest[:8], "big"), 10)


def created_at(run: str) -> datetime:
    """When the run of this id was made."""
    digits = functools.reduce(lambda number, digit: number * 32 + ALPHABET.index(digit), run[:10], 0)
    return datetime.fromtimestamp(digits / 1000, UTC)


def earliest(moment: datetime) -> str:
    """The smallest run id of that moment: ids below it are of older runs."""
    return base32(int(moment.timestamp() * 1000), 10) + "0" * 10


def base32(number: int, length: int) -> str:
    """The low `5 * length` bits of the number, most significant digit first."""
    return "".join(ALPHABET[number >> shift & 31] for shift in range(5 * (length - 1), -1, -5))


def newest_first(run: str) -> str:
    """A row key that sorts a later run before an earlier one. It is its own inverse."""
    return run.translate(NEWEST_FIRST)
