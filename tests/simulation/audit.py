"""Storage that looks at each change as it is written: only what is legal may ever be stored, and nothing secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from loadme.azure.storage.blobs import BYTES
from loadme.azure.storage.tables import ANY, Row
from loadme.core.state import OPEN_RUN, Item, Lane, Run
from loadme.definitions.definition import Workflow
from tests.fakes.blobs import FakeBlobs
from tests.fakes.tables import FakeTables
from tests.simulation import lines, transitions

if TYPE_CHECKING:
    from tests.simulation.world import World

ItemAddress = tuple[str, str, int]
StepAddress = tuple[str, str, int]


class AuditedTables(FakeTables):
    """`runs`, `items` and `lanes` are the stored ones, decoded; `ends` how each generation of a run ended; `attempts` those of all items.

    `levels` are the runs' variables by generation, `stopped` the generations that were cancelled or out of time, `kept` the items of a
    step that its generation keeps, with the numbers of their attempts.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.lines = lines.Lines(world)
        self.runs: dict[str, Run] = {}
        self.items: dict[ItemAddress, Item] = {}
        self.lanes: dict[ItemAddress, Lane] = {}
        self.workflows: dict[str, Workflow] = {}
        self.ends: dict[tuple[str, int], str] = {}
        self.attempts: dict[str, Item] = {}
        self.successes: dict[tuple[str, str, int, int], set[int]] = {}
        self.levels: dict[tuple[str, int], int] = {}
        self.stopped: set[tuple[str, int]] = set()
        self.kept: dict[StepAddress, dict[int, int]] = {}

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
            elif row.row.startswith("l~"):
                self._saw_lane(msgspec.json.decode(row.body, type=Lane))
            elif row.partition.startswith(lines.PARTITION):
                self.lines.saw_row(row)
        return etags

    def delete(self, partition: str, row: str, etag: str = ANY) -> None:
        super().delete(partition, row, etag)
        if row == "run":
            self._forget(partition)
        if partition.startswith(lines.PARTITION):
            self.lines.removed(partition, row)

    def remove(self, partition: str, rows: Sequence[str]) -> None:
        super().remove(partition, rows)
        run = self.runs.get(partition)
        if run is not None and run.purged_at is None:
            self._world.breach(f"rows of {partition} were removed although nobody deletes it")

    def _saw_run(self, run: Run) -> None:
        before, workflow = self.runs.get(run.id), self._world.known[run.definition]
        for wrong in transitions.of_run(workflow, before, run):
            self._world.breach(f"run {run.id}: {wrong}")
        self.runs[run.id] = run
        self.workflows[run.id] = workflow
        self.levels.setdefault((run.id, run.generation), (run.variables.inline or {}).get("level", 0))
        if before is not None and run.generation != before.generation:
            self._keep(before, run)
        self.lines.saw_run(before, run)
        if run.cancel is not None:
            self.stopped.add((run.id, run.generation))
        if run.status not in OPEN_RUN:
            self.ends.setdefault((run.id, run.generation), run.status)

    def _keep(self, before: Run, run: Run) -> None:
        """A resume keeps the items that had succeeded of a step that failed as a whole, if nothing that they were made of changes."""
        for name, step in run.steps.items():
            old = before.steps[name]
            if step.generation == old.generation or old.map is None:
                continue
            mine = [item for (of, other, _), item in self.items.items() if (of, other) == (run.id, name)]
            done = {one.item: one.attempt.number for one in mine if _is_done(one) and one.generation >= old.map.since}
            if step.map is not None:
                self.kept[run.id, name, step.generation] = done
            elif self._must_keep(before, run, name):
                self._world.breach(f"{name} of {run.id} is resumed without what it has done: {done}")

    def _must_keep(self, before: Run, run: Run, name: str) -> bool:
        workflow, old = self.workflows[run.id], before.steps[name]
        skipped = [f"step:{other}" for other, step in before.steps.items() if step.status == "skipped"]
        is_trouble = old.status == "cancelled" or (old.status == "failed" and old.handled in ("", *skipped))
        is_first = all(run.steps[other].generation == before.steps[other].generation for other in workflow.steps if other != name)
        is_named = name in self._world.named.get(run.id, ())
        return is_trouble and is_first and not is_named and name in workflow.steps and run.variables == before.variables

    def _saw_item(self, item: Item) -> None:
        address, run = (item.run, item.step, item.item), self.runs[item.run]
        before, kept = self.items.get(address), self.kept.get((item.run, item.step, run.steps[item.step].generation), {})
        for wrong in transitions.of_item(self.workflows[item.run], run, before, item, self._world.moment, kept):
            self._world.breach(f"{item.attempt_id}: {wrong}")
        self.items[address] = item
        self.attempts[str(item.attempt_id)] = item
        if before is None or before.attempt.number != item.attempt.number:
            self._saw_launch(run, item)
        if _is_done(item) and item.item not in kept:
            done = self.successes.setdefault((*address, item.generation), set())
            done.add(item.attempt.number)
            if len(done) > 1:
                self._world.breach(f"{item.attempt_id}: it succeeded more than once")

    def _saw_launch(self, run: Run, item: Item) -> None:
        """So many items of a run, and of a step, are at work at once as may be."""
        workflow = self.workflows[run.id]
        at_work = [one for (of, _, _), one in self.items.items() if of == run.id and _is_at_work(run, one)]
        beside = [one for one in at_work if one.step == item.step]
        most = workflow.every_step[item.step].max_parallel
        if most is not None and len(beside) > most:
            self._world.breach(f"{len(beside)} items of {item.step} are at work, and {most} may be")
        counted = [one for one in at_work if workflow.every_step[one.step].wait is None and workflow.every_step[one.step].sleep is None]
        if workflow.max_parallel is not None and len(counted) > workflow.max_parallel:
            self._world.breach(f"{len(counted)} items of {run.id} are at work, and {workflow.max_parallel} may be")

    def _saw_lane(self, lane: Lane) -> None:
        address = (lane.run, lane.step, lane.lane)
        for wrong in transitions.of_lane(self.runs[lane.run], self.lanes.get(address), lane):
            self._world.breach(f"lane {address}: {wrong}")
        self.lanes[address] = lane

    def _forget(self, run: str) -> None:
        known = self.runs.pop(run, None)
        if known is not None and (known.purged_at is None or not known.closed):
            self._world.breach(f"the run {run} was deleted although it was not over")
        if left := [row for partition, row in self.rows if partition == run]:
            self._world.breach(f"rows of {run} are left: {left}")
        for addresses in (self.items, self.lanes):
            for address in [address for address in addresses if address[0] == run]:
                del addresses[address]  # type: ignore[attr-defined]


def _is_done(item: Item) -> bool:
    return item.is_over and item.outcome is not None and item.outcome.status == "succeeded"


def _is_at_work(run: Run, item: Item) -> bool:
    return not item.is_over and item.generation == run.steps[item.step].generation


class AuditedBlobs(FakeBlobs):
    """Blobs, in which no secret may stand."""

    def __init__(self, world: World) -> None:
        super().__init__(lambda: world.moment)
        self._world = world

    def put(self, name: str, data: bytes, *, content_type: str = BYTES) -> None:
        self._world.spotless(f"blob {name}", data)
        super().put(name, data, content_type=content_type)
