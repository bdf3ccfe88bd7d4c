"""The parts that `split.py` wrote, read again by the steps after it."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from loadme import step


def days() -> Iterator[dict[str, str]]:
    """Every day of every part, in order; says how far the reading is."""
    parts = step.variable("parts")
    for done, name in enumerate(parts, start=1):
        yield from csv.DictReader(step.files.get(name).decode().splitlines())
        step.heartbeat(done / len(parts), f"{name} read")
