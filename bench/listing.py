"""Listing runs: queries and rows read, with few and with very many finished runs, counted over a fake; and their time on Azurite.

The runs' rows are written directly. One in a thousand has failed, and one in a thousand is of another workflow. Azurite takes ever longer
to write a row the more there are, so it is given fewer.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from bench.counting import CountingTables, Tally
from bench.workers import storage
from loadme import store
from loadme.azure.storage.tables import MAX_ROWS, AzureTables, Tables
from loadme.core import ids
from loadme.core.outcome import Value
from loadme.core.state import Run
from loadme.handlers import queries
from loadme.handlers.patrol import patrol
from loadme.handlers.queries import Query
from tests.world import World

COUNTED, TIMED = (100, 100_000), (100, 10_000)
TIMES = 5
SELDOM = 1000
FIRST = datetime(2030, 1, 1, tzinfo=UTC)


def measure() -> Iterator[str]:
    """Two tables: how many runs there are; queries and rows of each look at them; requests and median milliseconds."""
    heads = list(_looks(_world()))
    yield "| finished runs | " + " | ".join(f"{name}: queries, rows" for name in heads) + " |\n|---|" + "---|" * len(heads)
    for count in COUNTED:
        yield f"| {count:,} | " + " | ".join(_counts(count)) + " |"
    yield "\n| finished runs | " + " | ".join(f"{name}: requests, ms" for name in heads) + " |\n|---|" + "---|" * len(heads)
    with storage() as account:
        for count in TIMED:
            with closing(AzureTables(account, f"runs{count}")) as tables:
                _write(tables, count)
                looks = _looks(_world(tables=tables, now=lambda: datetime.now(UTC)))
                yield f"| {count:,} | " + " | ".join(_figures(act) for act in looks.values()) + " |"


def _world(**seams: Any) -> World:
    world = World("name: sample\nsteps: {only: {image: img}}")
    world.services = replace(world.services, **seams)
    return world


def _counts(count: int) -> Iterator[str]:
    world, tally = _world(), Tally()
    _write(world.tables, count)
    world.services = replace(world.services, tables=CountingTables(world.tables, tally))
    for act in _looks(world).values():
        act()
        tally.calls.clear()
        tally.most.clear()
        with tally.event():
            act()
        yield f"{tally.calls['tables.list all']}, {tally.most['rows read']}"


def _looks(world: World) -> dict[str, Callable[[], Any]]:
    asked = {
        "the first page": Query(),
        "of the usual workflow": Query(workflow="sample"),
        "of a rare workflow": Query(workflow="rare"),
        "that failed (one in 1,000)": Query(status="failed"),
        "of none": Query(workflow="none"),
    }
    listed = {name: lambda query=query: queries.list_runs(world.services, query) for name, query in asked.items()}
    return {**listed, "the patrol": lambda: patrol(world.services)}


def _write(tables: Tables, count: int) -> None:
    for first in range(0, count, MAX_ROWS):
        tables.write([store.listing_row(_finished(number)) for number in range(first, min(first + MAX_ROWS, count))])


def _finished(number: int) -> Run:
    at = FIRST + timedelta(minutes=number)
    return Run(
        id=ids.new_run_id(at, os.urandom),
        workflow="rare" if number % SELDOM == 1 else "sample",
        definition="",
        status="failed" if number % SELDOM == 2 else "succeeded",
        created_at=at,
        ended_at=at,
        variables=Value(inline={}),
        steps={},
    )


def _figures(act: Callable[[], Any]) -> str:
    act()  # the patrol's first look is its sweep
    took = []
    with _requests() as sent:
        for _ in range(TIMES):
            began = time.perf_counter()
            act()
            took.append(time.perf_counter() - began)
    return f"{len(sent) / TIMES:g}, {statistics.median(took) * 1000:.0f}"


@contextmanager
def _requests() -> Iterator[list[str]]:
    """The requests that the SDK's clients send."""
    from azure.core.pipeline.transport import RequestsTransport

    sent: list[str] = []
    real = RequestsTransport.send

    def send(self: Any, request: Any, **options: Any) -> Any:
        sent.append(request.url)
        return real(self, request, **options)

    with patch.object(RequestsTransport, "send", send):
        yield sent


if __name__ == "__main__":
    for line in measure():
        print(line, flush=True)
