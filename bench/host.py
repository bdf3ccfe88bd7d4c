"""A Functions host on a clock of its own: every message is handled when it is due, and every container reports when its work is done."""

from __future__ import annotations

import dataclasses
import heapq
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from bench.counting import Counting, CountingTables, Tally
from loadme.core.ids import parse_attempt
from loadme.core.ledger import Limits
from loadme.errors import Retryable
from tests.fakes.arm import FakeArm
from tests.world import PARAMETERS, SPEC, World

NO_LIMITS = Limits(groups=1_000_000, cores=1_000_000.0, per_5_minutes=1_000_000, per_hour=1_000_000)
"""As if the provider had no quota: what waits for it costs more, and is counted apart."""

WORK = 20.0
"""Seconds that a container works: it is checked once meanwhile. Were it less, 100 of them would be more than ARM takes in a minute."""


Outputs = Mapping[str, Mapping[str, Any]]


class Containers(FakeArm):
    """An ARM whose containers start at once; `deployed` is told of each."""

    def __init__(self, deployed: Callable[[str], object]) -> None:
        super().__init__({SPEC: PARAMETERS})
        self._deployed = deployed

    def deploy(self, name: str, spec_id: str, parameters: Mapping[str, Any]) -> None:
        super().deploy(name, spec_id, parameters)
        self._deployed(name)


class Later:
    """Queues, and anything else that is to happen at a time."""

    def __init__(self) -> None:
        self.heap: list[tuple[datetime, int, Callable[[], object]]] = []
        self.host: Host | None = None
        self._numbers = count()

    def at(self, when: datetime, act: Callable[[], object]) -> None:
        """Something to be done then."""
        heapq.heappush(self.heap, (when, next(self._numbers), act))

    def send(self, queue: str, body: str, delay: float = 0.0) -> None:
        assert self.host is not None
        host = self.host
        self.at(host.world.moment + timedelta(seconds=delay), lambda: host.handle(queue, body))


def watch(world: World, tally: Tally, *, tables: Any, blobs: Any, queues: Any, **others: Any) -> None:
    """The world's app over these seams, each of which is counted."""
    world.services = dataclasses.replace(
        world.services,
        tables=CountingTables(tables, tally),
        blobs=Counting("blobs", blobs, tally),
        queues=Counting("queues", queues, tally, send="messages sent"),
        arm=Counting("arm", world.arm, tally),
        **others,
    )


class Host:
    """One app over fakes. `tally` counts what was asked of the seams, `events` how many messages and reports there were.

    `outputs` are what the containers of each step give back, unless it is one row; each `again`th message comes twice.
    """

    def __init__(
        self, *texts: str, limits: Limits = NO_LIMITS, outputs: Mapping[str, Mapping[str, Any]] | None = None, again: int = 0
    ) -> None:
        self.world, self.tally, self.later, self.events = World(*texts, limits=limits), Tally(), Later(), 0
        self._outputs, self._again = outputs or {}, again
        self.later.host = self
        self.world.arm = Containers(self._deployed)
        watch(self.world, self.tally, tables=self.world.tables, blobs=self.world.blobs, queues=self.later)

    def run(self, **variables: Any) -> float:
        """A run of the workflow `sample`, until nothing of it is left: the processor seconds that the app and the fakes took."""
        began = time.process_time()
        self.world.start(**variables)
        while self.later.heap:
            when, _, act = heapq.heappop(self.later.heap)
            self.world.moment = max(self.world.moment, when)
            act()
        return time.process_time() - began

    def handle(self, queue: str, body: str) -> None:
        """A message reaches its function; one that comes too early comes again."""
        self._deliver(queue, body)
        if self._again and self.events % self._again == 0:
            self._deliver(queue, body)

    def _deliver(self, queue: str, body: str) -> None:
        self.events += 1
        with self.tally.event():
            try:
                self.world.deliver(body, queue)
            except Retryable as early:
                self.later.send(queue, body, max(1.0, early.after))

    def _deployed(self, name: str) -> None:
        self.later.at(self.world.moment + timedelta(seconds=WORK), lambda: self._report(name))

    def _report(self, name: str) -> None:
        self.events += 1
        attempt = parse_attempt(name)
        given = self._outputs.get(attempt.step if attempt else "", {"rows": 1})
        self.world.arm.start(name, at=self.world.moment)
        with self.tally.event(), suppress(Retryable):
            self.world.report(name, **given)
        self.world.arm.finish(name, at=self.world.moment)
