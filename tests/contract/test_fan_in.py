"""Hundreds of items that end at the same moment, over real Table storage: how often a write comes too late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Lock
from typing import Any

import pytest

from loadme import store
from loadme.azure.storage import Account
from loadme.azure.storage.tables import AzureTables
from loadme.core.messages import StepOutcome, StepRequest, decode
from loadme.core.outcome import Outcome, Value
from loadme.core.state import Attempt, Expansion, Item, Run
from loadme.errors import Conflict
from loadme.handlers.advance_run import advance_run
from tests.contract.test_tables import a_table_name
from tests.world import World

TEXT = "name: sample\nsteps: {each: {for_each: [1], image: img}}"
ITEMS, LANES = 320, 16


@pytest.fixture
def tables(account: Account) -> Iterator[AzureTables]:
    with closing(AzureTables(account, a_table_name())) as tables:
        yield tables


class Fan:
    """A run whose items have all reported, and none of their outcomes has been brought into it."""

    def __init__(self, tables: AzureTables) -> None:
        self.world, self.tries, self._lock = World(TEXT), Counter[str](), Lock()
        self._write = tables.write
        tables.write = self._counted  # type: ignore[method-assign]
        object.__setattr__(self.world.services, "tables", tables)
        self.tables = tables
        self.run = self._stored(self.world.start())
        with ThreadPoolExecutor(LANES) as pool:
            list(pool.map(self._ended, range(ITEMS)))
        self.tries.clear()
        self.world.queues.sent.clear()

    def _counted(self, rows: Any) -> tuple[str, ...]:
        try:
            written = self._write(rows)
        except Conflict:
            with self._lock:
                self.tries["late"] += 1
            raise
        with self._lock:
            self.tries["written"] += 1
            self.tries["run"] += any(row.row == "run" for row in rows)
        return written

    def _stored(self, run: Run) -> Run:
        found = store.read_run(self.tables, run.id)
        expansion = Expansion(count=ITEMS, lanes=LANES, opened=LANES, values="v", variables=Value(inline={}))
        step = found.run.steps["each"]
        changed = {"each": type(step)(status="started", started_at=run.created_at, map=expansion)}
        after = Run(
            id=run.id, workflow=run.workflow, definition=run.definition, created_at=run.created_at, variables=run.variables, steps=changed
        )
        store.write(self.tables, store.StoredRun(run=after, etag=found.etag))
        return after

    def _ended(self, number: int) -> None:
        now = self.run.created_at
        attempt = Attempt(status="succeeded", group=f"lm-{self.run.id}-each-{number}-1", launched_at=now, expires_at=now, cleanup="done")
        outcome = Outcome(status="succeeded", at=now, source="callback", outputs=Value(inline={"n": number}))
        item = Item(run=self.run.id, step="each", item=number, variables=Value(inline={}), attempt=attempt, outcome=outcome)
        store.write(self.tables, None, [store.StoredItem(item=item)])

    def work(self, lane: int) -> None:
        """The outcomes of one lane reach their function, one after the other."""
        for number in range(lane, ITEMS, LANES):
            advance_run(self.world.services, StepOutcome(run=self.run.id, step="each", item=number))


def test_outcomes_that_come_at_once_do_not_get_in_each_others_way(tables: AzureTables) -> None:
    fan = Fan(tables)

    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(fan.work, range(LANES)))

    assert fan.tries["written"] >= ITEMS
    assert fan.tries["run"] <= 2, "the run is written when the last lane is over"
    assert fan.tries["late"] <= LANES, f"{fan.tries['late']} writes came too late"
    parts = [decode(one).message.part for one in fan.world.queues.bodies(StepRequest.queue)]  # type: ignore[union-attr]
    assert "collect" in parts
    stored = store.read_run(tables, fan.run.id).run.steps["each"].map
    assert stored is not None
    assert (stored.succeeded, stored.closed) == (ITEMS, LANES)
