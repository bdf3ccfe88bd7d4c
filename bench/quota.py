"""Contention at a quota's row: tries and time of a change when many hosts write the ledger of one location at once, on Azurite.

Each change is a read and a compare-and-set of the row, as `loadme.handlers.quota` makes them. "Taking turns" is one process, whose
functions wait for one another; "at once" is as many processes, which find out by a conflict.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadme.azure.storage import Account
from loadme.azure.storage.tables import AzureTables
from loadme.core.ledger import Limits
from loadme.errors import Conflict, Retryable
from loadme.handlers import quota
from localcloud.azurite import Azurite
from localcloud.certificates import Authority
from tests.world import World

CHANGES = 320
LIMITS = Limits(groups=1000, cores=1000, per_5_minutes=1000, per_hour=1000)


@dataclass
class Counting:
    """Azurite's table, with a count of what was asked of it."""

    real: AzureTables
    reads: list[float] = field(default_factory=list)
    conflicts: list[float] = field(default_factory=list)

    def read(self, partition: str, row: str) -> Any:
        self.reads.append(time.perf_counter())
        return self.real.read(partition, row)

    def write(self, rows: Any) -> Any:
        try:
            return self.real.write(rows)
        except Conflict:
            self.conflicts.append(time.perf_counter())
            raise


def measure() -> Iterator[str]:
    """A table: writers, how, changes a second, tries, median and slowest, how many gave up after their tries."""
    yield "| writers | how | changes/s | tries of a change | median ms | slowest ms | given up |\n|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder, "certificates"))
        with Azurite(Path(folder, "azurite"), authority.certificate, authority.key) as azurite:
            account = Account(connection_string=azurite.connection_string, ca_file=str(authority.ca))
            for number, (writers, turn, how) in enumerate(
                [(1, 60.0, "alone"), (16, 60.0, "taking turns"), (4, 0.0, "at once"), (16, 0.0, "at once")]
            ):
                with closing(AzureTables(account, f"quota{number}")) as tables:
                    yield _row(Counting(tables), writers, turn, how)


def _row(tables: Counting, writers: int, turn: float, how: str) -> str:
    world = World("name: sample\nsteps: {only: {image: img}}", limits=LIMITS)
    object.__setattr__(world.services, "tables", tables)
    before, quota.LONGEST_TURN = quota.LONGEST_TURN, turn
    began = time.perf_counter()
    with ThreadPoolExecutor(writers) as pool:
        took = list(pool.map(lambda number: _take(world, number), range(CHANGES)))
    passed = time.perf_counter() - began
    quota.LONGEST_TURN = before
    done = [one for one in took if one is not None]
    tries = len(tables.reads) / CHANGES
    figures = (len(done) / passed, tries, statistics.median(done) * 1000, max(done) * 1000)
    return f"| {writers} | {how} | " + " | ".join(f"{one:.1f}" for one in figures) + f" | {CHANGES - len(done)} |"


def _take(world: World, number: int) -> float | None:
    began = time.perf_counter()
    try:
        quota.take(world.services, "westeurope", f"a{number}", 1.0)
    except Retryable:
        return None
    return time.perf_counter() - began


if __name__ == "__main__":
    for line in measure():
        print(line)
