"""Calls per step: storage transactions, messages and ARM calls of one step, counted over fakes, so exact.

Measured in chains of 5 and of 50 steps: what a step costs must not grow with the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.world import World

SEAMS = ("tables", "blobs", "queues", "arm")


class Counting:
    """Counts the calls of one seam and passes them on."""

    def __init__(self, seam: str, real: Any, counts: Counter[str]) -> None:
        self._seam, self._real, self._counts = seam, real, counts

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._counts[f"{self._seam}.{name}"] += 1
            return found(*args, **kwargs)

        return call


def chain(length: int) -> str:
    """A workflow of so many steps, each needing the one before."""
    steps = "\n".join(f"  s{number}: {{image: img, needs: [{f's{number - 1}' if number else ''}]}}" for number in range(length))
    return f"name: sample\nvariables: {{region: westeurope}}\nsteps:\n{steps}"


def count(length: int) -> Counter[str]:
    """The calls of a whole run of a chain whose containers call back within the first check."""
    world, counts = World(chain(length)), Counter[str]()
    for seam in SEAMS:
        object.__setattr__(world.services, seam, Counting(seam, getattr(world.services, seam), counts))
    world.start()
    while ready := _launched(world):
        for attempt in ready:
            world.arm.start(attempt, at=world.moment)
            world.report(attempt, rows=1)
            world.arm.finish(attempt, at=world.moment)
    world.drain(within=900)
    assert not world.arm.container_groups
    return counts


def _launched(world: World) -> list[str]:
    world.drain(keep=("loadme-checks", "loadme-cleanup"))
    return [name for name, group in world.arm.container_groups.items() if group.state == "Pending"]


def measure() -> Iterator[str]:
    """A table of calls per step."""
    short, long = count(5), count(50)
    yield "| call | per step, chain of 5 | per step, chain of 50 |\n|---|---|---|"
    for name in sorted({*short, *long}):
        yield f"| {name} | {short[name] / 5:.2f} | {long[name] / 50:.2f} |"
    for seam in SEAMS:
        total = [sum(number for name, number in counts.items() if name.startswith(seam)) for counts in (short, long)]
        yield f"| **{seam}, all** | {total[0] / 5:.2f} | {total[1] / 50:.2f} |"
