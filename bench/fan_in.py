"""Many outcomes at the same moment: tries per write, on Azurite.

1,000 items of a `for_each` in 100 lanes; 499 steps that one step needs; and, to compare, as many writers of one counter.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from bench import maps
from bench.counting import Tally
from bench.workers import Workers, storage
from loadme.azure.storage import Account
from loadme.azure.storage.tables import AzureTables, Row
from loadme.errors import Conflict
from loadme.transaction import FIRST_WAIT, LONGEST_WAIT, TRIES

ITEMS, STEPS = 1000, 499
THREADS = (16, 32)


def measure() -> Iterator[str]:
    """A table: threads, what met, tries of a write on the average, seconds, and how often one was given up and came again."""
    yield "| threads | what | writes | tries each | seconds | gave up |\n|---|---|---|---|---|---|"
    with storage() as account:
        for threads in THREADS:
            cost = maps.genuine(account, ITEMS, maps.LANES, threads)
            for name, what in (("item+lane", f"{ITEMS} items, their lanes"), ("run", f"{ITEMS} items, the run")):
                yield _line(threads, what, cost.tally, f"tables.write {name}", cost.seconds)
            workers = Workers(account, f"s{threads}", threads, into_one(STEPS))
            yield _line(threads, f"{STEPS} steps, the run", (seconds := workers.run(), workers.tally)[1], "tables.write item+run", seconds)
            yield _counter(account, threads, "stands back", lambda number: min(FIRST_WAIT * 2.0**number, LONGEST_WAIT))
            yield _counter(account, threads, "comes back at once", lambda _: 0.0)


def into_one(steps: int) -> str:
    """A workflow of so many steps, and of one more that needs them all."""
    names = [f"s{number}" for number in range(steps)]
    each = "\n".join(f"  {name}: {{image: img, outputs: {{rows: integer}}}}" for name in names)
    return f"name: sample\nsteps:\n{each}\n  end: {{image: img, needs: [{', '.join(names)}]}}"


def _line(threads: int, what: str, tally: Tally, name: str, seconds: float) -> str:
    tried, late = tally.calls[name], tally.conflicts[name]
    return f"| {threads} | {what} | {tried - late} | {tried / max(1, tried - late):.2f} | {seconds:.1f} | {tally.calls['came again']} |"


def _counter(account: Account, threads: int, how: str, wait: Callable[[int], float]) -> str:
    """What it would be if each outcome were counted in one row."""
    with closing(AzureTables(account, f"c{threads}{how[0]}{len(how)}")) as tables, ThreadPoolExecutor(threads) as pool:
        tables.write([Row(partition="run", row="counter", body=b"0", etag="*")])
        began = time.perf_counter()
        tries = list(pool.map(lambda _: _counted(tables, wait), range(ITEMS)))
        seconds = time.perf_counter() - began
    done = [number for number in tries if number]
    late = (len(tries) - len(done)) * TRIES
    return f"| {threads} | one counter; who is late {how} | {len(done)} | {(sum(done) + late) / max(1, len(done)):.2f} | {seconds:.1f} | {len(tries) - len(done)} |"


def _counted(tables: AzureTables, wait: Callable[[int], float]) -> int:
    """How many tries it took to count one more; 0 if it was given up."""
    for number in range(TRIES):
        row = tables.read("run", "counter")
        assert row is not None
        try:
            tables.write([Row(partition="run", row="counter", body=str(int(row.body) + 1).encode(), etag=row.etag)])
        except Conflict:
            time.sleep(random.random() * wait(number))  # noqa: S311 (jitter)
            continue
        return number + 1
    return 0


if __name__ == "__main__":
    for line in measure():
        print(line, flush=True)
