"""A definition of 500 steps, and one of 50: time to validate and to decide, bytes of the run's row, calls per step. Counted over fakes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

from bench import calls
from bench.host import Host
from loadme.core import engine
from loadme.core.events import Apply
from loadme.definitions.workflow_files import load

FEW, MANY = 50, 500
MOST_NEEDS = 4


def fan(steps: int) -> str:
    """One step, all others but the last, which needs them all."""
    names = [f"s{number}" for number in range(1, steps - 1)]
    each = "\n".join(f"  {name}: {{image: img, needs: [s0]}}" for name in names)
    return f"name: sample\nsteps:\n  s0: {{image: img}}\n{each}\n  end: {{image: img, needs: [{', '.join(names)}]}}"


def random_dag(steps: int) -> str:
    """Each step needs up to four of those before it."""
    random, lines = Random(1), []  # noqa: S311 (a graph that repeats)
    for number in range(steps):
        needs = random.sample(range(number), min(number, random.randint(0, MOST_NEEDS)))
        lines.append(f"  s{number}: {{image: img, needs: [{', '.join(f's{need}' for need in sorted(needs))}]}}")
    return "name: sample\nsteps:\n" + "\n".join(lines)


SHAPES: dict[str, Callable[[int], str]] = {"a chain": calls.chain, "one, many, one": fan, "at random": random_dag}


def measure() -> Iterator[str]:
    """A table of what definitions cost."""
    yield "| shape | steps | validate ms | `decide` ms (an outcome; median, most) | `due` ms | run's row KB | tables | messages | ms |"
    yield "|---|" + "---|" * 8
    for name, shape in SHAPES.items():
        for steps in (FEW, MANY):
            yield _row(name, steps, shape(steps))


def _row(name: str, steps: int, text: str) -> str:
    began = time.perf_counter()
    assert load(text, "sample.yaml")[0]
    validated, host = time.perf_counter() - began, Host(text)
    with _timed(engine, "decide", lambda given: isinstance(given[1], Apply)) as decided, _timed(engine, "due") as asked:
        seconds = host.run()
    row = max(len(row.body) for (_, name), row in host.world.tables.rows.items() if name == "run")
    tables, messages = (host.tally.total(seam) / steps for seam in ("tables", "queues"))
    times = f"{validated * 1000:.0f} | {_spread(decided)} | {_spread(asked)}"
    return f"| {name} | {steps} | {times} | {row / 1024:.0f} | {tables:.1f} | {messages:.1f} | {seconds / steps * 1000:.1f} |"


def _spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.2f}, {max(seconds) * 1000:.1f}"


@contextmanager
def _timed(module: Any, name: str, is_meant: Callable[[Any], bool] = lambda _: True) -> Iterator[list[float]]:
    """The seconds that each call of the function takes."""
    took, real = list[float](), getattr(module, name)

    def call(*given: Any) -> Any:
        began = time.perf_counter()
        answer = real(*given)
        if is_meant(given):
            took.append(time.perf_counter() - began)
        return answer

    with patch.object(module, name, call):
        yield took


if __name__ == "__main__":
    for line in measure():
        print(line, flush=True)
