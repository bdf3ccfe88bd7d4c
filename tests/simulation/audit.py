"""Storage that looks at each change as it is written: only what is legal may ever be stored, and nothing secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from loadme.azure.storage.blobs import BYTES
from loadme.azure.storage.tables import ANY, Row
from loadme.core.state import Item, Run
from tests.fakes.blobs import FakeBlobs
from tests.fakes.tables import FakeTables
from tests.simulation import transitions

if TYPE_CHECKING:
    from tests.simulation.world import World

ItemAddress = tuple[str, str, int]


class AuditedTables(FakeTables):
    """`runs` and `items` are the stored ones, decoded; `ends` how each generation of a run ended; `outcomes` those of all attempts."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.runs: dict[str, Run] = {}
        self.items: dict[ItemAddress, Item] = {}
        self.names: dict[str, str] = {}
        self.ends: dict[tuple[str, int], str] = {}
        self.attempts: dict[str, Item] = {}

    def write(self, rows: Sequence[Row]) -> tuple[str, ...]:
        etags = super().write(rows)
        for row in rows:
            self._world.spotless("row", row.body)
        run = next((msgspec.json.decode(row.body, type=Run) for row in rows if row.row == "run" and row.partition[:4] != "key~"), None)
        if run is not None:
            self._saw_run(run)
        for row in rows:
            if row.row.startswith("i~"):
                self._saw_item(msgspec.json.decode(row.body, type=Item))
        return etags

    def delete(self, partition: str, row: str, etag: str = ANY) -> None:
        super().delete(partition, row, etag)
        if row == "run":
            self._forget(partition)

    def remove(self, partition: str, rows: Sequence[str]) -> None:
        super().remove(partition, rows)
        run = self.runs.get(partition)
        if run is not None and run.purged_at is None:
            self._world.breach(f"rows of {partition} were removed although nobody deletes it")

    def _saw_run(self, run: Run) -> None:
        before = self.runs.get(run.id)
        for wrong in transitions.of_run(self._world.catalogue.workflows[run.workflow], before, run):
            self._world.breach(f"run {run.id}: {wrong}")
        self.runs[run.id] = run
        self.names[run.id] = run.workflow
        if run.status != "running":
            self.ends.setdefault((run.id, run.generation), run.status)

    def _saw_item(self, item: Item) -> None:
        address = (item.run, item.step, item.item)
        workflow = self._world.catalogue.workflows[self.runs[item.run].workflow]
        for wrong in transitions.of_item(workflow, self.runs[item.run], self.items.get(address), item, self._world.moment):
            self._world.breach(f"{item.attempt_id}: {wrong}")
        self.items[address] = item
        self.attempts[str(item.attempt_id)] = item

    def _forget(self, run: str) -> None:
        known = self.runs.pop(run, None)
        if known is not None and (known.purged_at is None or not known.closed):
            self._world.breach(f"the run {run} was deleted although it was not over")
        for address in [address for address in self.items if address[0] == run]:
            del self.items[address]


class AuditedBlobs(FakeBlobs):
    """Blobs, in which no secret may stand."""

    def __init__(self, world: World) -> None:
        super().__init__(lambda: world.moment)
        self._world = world

    def put(self, name: str, data: bytes, *, content_type: str = BYTES) -> None:
        self._world.spotless(f"blob {name}", data)
        super().put(name, data, content_type=content_type)
