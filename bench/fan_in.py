"""Many outcomes at the same moment: tries per write, on Azurite.

Everything up to the accepted outcomes happens over fakes; the rows are copied, and then all outcomes that wait are brought into the run at
once: of 1,000 items of a `for_each` in 100 lanes, 100 at a time; and of 499 steps that one step needs. To compare: 1,000 writers of one
counter.
"""

from __future__ import annotations

import dataclasses
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from bench import maps
from bench.counting import CountingTables, Tally
from bench.host import NO_LIMITS
from bench.workers import storage
from loadme.azure.storage import Account
from loadme.azure.storage.tables import ANY, AzureTables, Row
from loadme.core.messages import StepCheck, StepCleanup, StepOutcome, decode
from loadme.errors import Conflict, Retryable, Unavailable
from loadme.handlers.advance_run import advance_run
from loadme.services import Services
from loadme.transaction import FIRST_WAIT, LONGEST_WAIT, TRIES
from tests.fakes.queues import FakeQueues
from tests.world import World

ITEMS, STEPS = 1000, 499
THREADS = (16, 32)
LATER = (StepCheck.queue, StepCleanup.queue)


def measure() -> Iterator[str]:
    """A table: threads, what met, tries of a write on the average, seconds, and how often one was given up and came again."""
    yield "| threads | what | writes | tries each | seconds | gave up |\n|---|---|---|---|---|---|"
    with storage() as account:
        for threads in THREADS:
            world = World(maps.text(maps.LANES), limits=NO_LIMITS)
            world.start(files=maps.files(ITEMS))
            yield from _lines(account, threads, f"{ITEMS} items", world)
            world = World(into_one(STEPS), limits=NO_LIMITS)
            world.start()
            yield from _lines(account, threads, f"{STEPS} steps", world)
            yield _counter(account, threads, "stands back", lambda number: min(FIRST_WAIT * 2.0**number, LONGEST_WAIT))
            yield _counter(account, threads, "comes back at once", lambda _: 0.0)


def into_one(steps: int) -> str:
    """A workflow of so many steps, and of one more that needs them all."""
    names = [f"s{number}" for number in range(steps)]
    each = "\n".join(f"  {name}: {{image: img, outputs: {{rows: integer}}}}" for name in names)
    return f"name: sample\nsteps:\n{each}\n  end: {{image: img, needs: [{', '.join(names)}]}}"


def _lines(account: Account, threads: int, what: str, world: World) -> Iterator[str]:
    tally, seconds, copied = Tally(), 0.0, dict[tuple[str, str], str]()
    with closing(AzureTables(account, f"f{threads}x{what.replace(' ', '')}")) as tables:
        while waiting := _ended(world):
            _copy(world, tables, copied)
            services = dataclasses.replace(
                world.services, tables=CountingTables(tables, tally), queues=FakeQueues(), random_bytes=os.urandom, sleep=time.sleep
            )
            began = time.perf_counter()
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(lambda body, services=services: _advance(services, tally, body), waiting))
            seconds += time.perf_counter() - began
    for name in ("item+lane", "item+run", "run"):
        tried, late = tally.calls[f"tables.write {name}"], tally.conflicts[f"tables.write {name}"]
        if tried:
            each = tried / max(1, tried - late)
            yield f"| {threads} | {what}: {name} | {tried - late} | {each:.2f} | {seconds:.1f} | {tally.calls['came again']} |"


def _ended(world: World) -> list[str]:
    """The outcomes of all that was launched because of the last ones."""
    world.drain(within=90, keep=LATER)
    for name, group in list(world.arm.container_groups.items()):
        if group.state == "Pending":
            world.arm.start(name, at=world.moment)
            world.report(name, rows=1)
    return world.queues.bodies(StepOutcome.queue)


def _copy(world: World, tables: AzureTables, copied: dict[tuple[str, str], str]) -> None:
    for key, row in world.tables.rows.items():
        if copied.get(key) != row.etag:
            tables.write([dataclasses.replace(row, etag=ANY)])
            copied[key] = row.etag


def _advance(services: Services, tally: Tally, body: str) -> None:
    """One outcome, as its function and its queue would deal with it."""
    message = decode(body).message
    assert isinstance(message, StepOutcome)
    while True:
        try:
            advance_run(services, message)
        except Retryable as trouble:
            tally.calls["came again"] += not isinstance(trouble, Unavailable)
        else:
            return


def _counter(account: Account, threads: int, how: str, wait: Callable[[int], float]) -> str:
    """What it would be if each outcome were counted in one row."""
    with closing(AzureTables(account, f"c{threads}x{len(how)}")) as tables, ThreadPoolExecutor(threads) as pool:
        tables.write([Row(partition="run", row="counter", body=b"0", etag=ANY)])
        began = time.perf_counter()
        tries = list(pool.map(lambda _: _counted(tables, wait), range(ITEMS)))
        seconds = time.perf_counter() - began
    done = [number for number in tries if number]
    late = len(tries) - len(done)
    each = (sum(done) + late * TRIES) / max(1, len(done))
    return f"| {threads} | one counter; who is late {how} | {len(done)} | {each:.2f} | {seconds:.1f} | {late} |"


def _counted(tables: AzureTables, wait: Callable[[int], float]) -> int:
    """How many tries it took to count one more; 0 if it was given up."""
    for number in range(TRIES):
        row = tables.read("run", "counter")
        assert row is not None
        try:
            tables.write([Row(partition="run", row="counter", body=str(int(row.body) + 1).encode(), etag=row.etag)])
        except (Conflict, Unavailable):
            time.sleep(random.random() * wait(number))  # noqa: S311 (jitter)
            continue
        return number + 1
    return 0


if __name__ == "__main__":
    for line in measure():
        print(line, flush=True)
