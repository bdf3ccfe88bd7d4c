"""What an item of a `for_each` costs, of 10 and of 10,000: counted over fakes, so exact, and timed over Azurite with 16 threads.

`python -m bench.maps FILE.svg` draws it as well.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bench import chart
from bench.counting import Tally
from bench.host import NO_LIMITS, Host
from bench.workers import Workers, storage
from loadme.azure.storage import Account
from loadme.core.ledger import Limits

SEAMS = {"tables": "table transactions", "queues": "messages", "blobs": "blob transactions", "arm": "ARM calls"}
FAKED, GENUINE, WAITING = (10, 100, 1000, 10_000), (10, 100, 1000), (100, 1000)
LANES, FEW, THREADS = 100, 16, 16
NAME = 90
"""Characters of an item's value: all 10,000 just fit into a run's variables, of which each item is given all."""


class Cost(NamedTuple):
    """What a run of so many items came to; `seconds` are of the whole run."""

    items: int
    lanes: int
    seconds: float
    tally: Tally

    @property
    def per_item(self) -> Mapping[str, float]:
        """Calls of each seam."""
        return {seam: self.tally.total(seam) / self.items for seam in SEAMS}

    @property
    def milliseconds(self) -> float:
        """For each item."""
        return self.seconds / self.items * 1000


def text(lanes: int) -> str:
    """A workflow with one `for_each` step. It has variables of more than 1 KB, however few the items: they are kept in a blob."""
    return f"""
name: sample
variables:
  files: {{type: array}}
  note: {{type: string, default: {"x" * 1000}}}
steps:
  work:
    image: img
    command: [work, "${{{{ item }}}}"]
    for_each: ${{{{ variables.files }}}}
    max_parallel: {lanes}
    outputs: {{rows: integer}}
"""


def files(count: int) -> list[str]:
    """The items' values."""
    return [f"{number:0{NAME}}" for number in range(count)]


def faked(items: int, lanes: int, limits: Limits = NO_LIMITS) -> Cost:
    """A run over fakes."""
    host = Host(text(lanes), limits=limits)
    seconds = host.run(files=files(items))
    return Cost(items, lanes, seconds, host.tally)


def genuine(account: Account, items: int, lanes: int, threads: int) -> Cost:
    """A run over an account's storage."""
    workers = Workers(account, f"m{items}x{threads}", threads, text(lanes))
    return Cost(items, lanes, workers.run(files=files(items)), workers.tally)


def measure() -> Iterator[str]:
    """Tables of what an item costs."""
    yield from _measured(None)


def _measured(drawing: Path | None) -> Iterator[str]:
    yield _heads(["items", "lanes", *SEAMS.values(), "ms", "most messages of one event", "most rows written by one event"])
    many = [faked(items, LANES) for items in FAKED]
    yield from map(_line, [*many, *(faked(items, FEW) for items in FAKED[:-1])])
    yield f"\nwhile {Limits().per_hour} creates an hour are allowed:\n"
    yield from map(_line, [faked(items, lanes, Limits()) for lanes in (FEW, LANES) for items in WAITING])
    yield f"\nover Azurite, with {THREADS} threads:\n"
    with storage() as account:
        timed = []
        for items in GENUINE:
            timed.append(genuine(account, items, LANES, THREADS))
            yield _line(timed[-1])
            yield f"  writes that came too late: {dict(timed[-1].tally.conflicts)}"
    if drawing is not None:
        drawing.write_text(_drawn(many, timed))


def _heads(names: list[str]) -> str:
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def _line(cost: Cost) -> str:
    figures = [*(f"{count:.2f}" for count in cost.per_item.values()), f"{cost.milliseconds:.1f}"]
    most = [str(cost.tally.most[name]) for name in ("messages sent", "rows written")]
    return f"| {' | '.join([str(cost.items), str(cost.lanes), *figures, *most])} |"


def _drawn(many: list[Cost], timed: list[Cost]) -> str:
    counts = {label: [(cost.items, cost.per_item[seam]) for cost in many] for seam, label in SEAMS.items()}
    times = {
        "over Azurite, 16 threads": [(cost.items, cost.milliseconds) for cost in timed],
        "processor alone, over fakes": [(cost.items, cost.milliseconds) for cost in many],
    }
    return chart.svg([("For each item, by how many items there are", counts), ("Milliseconds for each item", times)])


if __name__ == "__main__":
    for line in _measured(Path(sys.argv[1]) if sys.argv[1:] else None):
        print(line, flush=True)
