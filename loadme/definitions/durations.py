"""Durations as people write them: `30s`, `20m`, `1h30m`, `2d`."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?", re.ASCII)
_UNITS = (86_400, 3_600, 60, 1)


def seconds(text: str) -> float:
    """The duration in seconds, more than 0; a ValueError says what a duration looks like."""
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ValueError(f"`{text}` is not a duration: write whole numbers with d, h, m, s in this order, like 30s, 20m, 1h30m or 2d")
    total = float(sum(int(number) * unit for number, unit in zip(found.groups(default="0"), _UNITS, strict=True)))
    if total <= 0:
        raise ValueError(f"`{text}` is no time at all: a duration is more than 0")
    return total
