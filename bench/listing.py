"""Listing runs: requests to storage and their time, with few and with very many finished runs, on Azurite.

The runs' rows are written directly. One in a thousand has failed, and one in a thousand is of another workflow.
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

from bench.workers import storage
from loadme import store

from loadme.azure.storage.tables import MAX_ROWS, AzureTables
from loadme.core import ids
from loadme.core.state import Run, Value
from loadme.handlers import queries
from loadme.handlers.patrol import patrol
from loadme.handlers.queries import Query
from tests.world import World

MANY = (100, 10_000, 100_000)
TIMES = 5
SELDOM = 1000
FIRST = datetime(2030, 1, 1, tzinfo=UTC)


def measure() -> Iterator[str]:
    """A table: how many runs there are; requests and median milliseconds of each look at them."""
    looks = list(_looks(World("name: sample\nsteps: {only: {image: img}}")))
    yield "| finished runs | " + " | ".join(f"{name}: requests, ms" for name in looks[0]) + " |\n|---|" + "---|" * len(looks[0])
    with storage() as account:
        for count in MANY:
            with closing(AzureTables(account, f"runs{count}")) as tables:
                _write(tables, count)
                yield f"| {count} | " + " | ".join(_figures(act) for act in _of(tables).values()) + " |"


def _of(tables: AzureTables) -> dict[str, Callable[[], Any]]:
    world = World("name: sample\nsteps: {only: {image: img}}")
    world.services = replace(world.services, tables=tables, now=lambda: datetime.now(UTC))
    return next(_looks(world))


def _looks(world: World) -> Iterator[dict[str, Callable[[], Any]]]:
    asked = {
        "the first page": Query(),
        "of the usual workflow": Query(workflow="sample"),
        "of a rare workflow": Query(workflow="rare"),
        "that failed (one in 1,000)": Query(status="failed"),
        "of none": Query(workflow="none"),
    }
    listed = {name: lambda query=query: queries.list_runs(world.services, query) for name, query in asked.items()}
    yield {**listed, "the patrol": lambda: patrol(world.services)}  # type: ignore[dict-item]


def _write(tables: AzureTables, count: int) -> None:
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
