"""Concurrency groups, watched as they are written: one run of a group runs at a time, and the oldest in line is next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from loadme.azure.storage.tables import Row
from loadme.core.state import Run

if TYPE_CHECKING:
    from tests.simulation.world import World

PARTITION = "group~"


class Lines:
    """The lines of all groups: `since` is when a run took its place in one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._since: dict[tuple[str, str], datetime] = {}
        self._queued: dict[str, datetime] = {}
        self._beside: set[str] = set()

    def saw_row(self, row: Row) -> None:
        """A row of a group was written."""
        if row.row == "holder":
            self._next(row.partition, msgspec.json.decode(row.body)["run"])
        else:
            self._since.setdefault((row.partition, row.row[2:]), self._world.moment)

    def removed(self, partition: str, row: str) -> None:
        """A row of a group is gone."""
        self._since.pop((partition, row[2:]), None)

    def saw_run(self, before: Run | None, run: Run) -> None:
        """A run was written."""
        if run.status == "queued" and (before is None or before.status != "queued"):
            self._queued[run.id] = self._world.moment
        if run.status != "queued":
            self._queued.pop(run.id, None)
        if before is not None and before.status == "queued" and run.status == "running":
            for wrong in self._admitted(run):
                self._world.breach(wrong)

    def _admitted(self, run: Run) -> Iterator[str]:
        runs = self._world.tables.runs.values()
        others = [other.id for other in runs if other.group == run.group and other.status == "running" and other.id != run.id]
        self._beside.discard(run.id)
        if set(others) & set(run.ancestors):
            self._beside.add(run.id)  # it would wait for a run that waits for it
        elif found := set(others) - self._beside:
            yield f"{run.id} began although {found} of its group run"

    def _next(self, partition: str, run: str) -> None:
        """Whoever was in line when this function began, and is older, was passed over."""
        began = self._world.began
        for (line, other), since in self._since.items():
            queued = self._queued.get(other)
            if line == partition and other < run and queued is not None and max(since, queued) < began:
                self._world.breach(f"{run} is next in its group, and {other} is older")
