"""Worker threads over genuine storage (Azurite), as a Functions host has them: several messages are handled at the same moment.

Containers are faked: each reports a second after it was deployed, or as soon then as a thread is free.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.counting import Counting, Tally
from bench.host import NO_LIMITS, Containers, watch
from loadme import store
from loadme.azure.storage import Account
from loadme.azure.storage.blobs import AzureBlobs
from loadme.azure.storage.queues import AzureQueues
from loadme.azure.storage.tables import AzureTables
from loadme.errors import Retryable
from localcloud.azurite import Azurite
from localcloud.certificates import Authority
from tests.world import HANDLERS, World

BATCH = 16
"""Messages that the Functions host receives at once."""

WORK = 1.0
"""Seconds that a container works: more than it takes to record that it was deployed."""

DEADLINE = 900.0


class InMemory(Azurite):
    """One that writes nothing down: it saves all its tables every few seconds, which takes ever longer the more rows there are."""

    def _command(self) -> list[str]:
        words = super()._command()
        place = words.index("--location")
        return [*words[:place], *words[place + 2 :], "--inMemoryPersistence"]


@contextmanager
def storage() -> Iterator[Account]:
    """An Azurite of its own."""
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder, "certificates"))
        with InMemory(Path(folder, "azurite"), authority.certificate, authority.key) as azurite:
            yield Account(connection_string=azurite.connection_string, ca_file=str(authority.ca))


class Workers:
    """One app over an account's storage, in a table and a blob container `name` of its own, with so many threads."""

    def __init__(self, account: Account, name: str, threads: int, *texts: str) -> None:
        self.world, self.tally, self._threads = World(*texts, limits=NO_LIMITS), Tally(), threads
        self.troubles: list[BaseException] = []
        self._account, self._name = account, name
        self._reports: deque[tuple[float, str]] = deque()
        self._pending, self._lock = 0, threading.Lock()
        self.world.arm = Containers(self._deployed)

    def run(self, **variables: Any) -> float:
        """A run of the workflow `sample`, until no message is left: the seconds until the run was over."""
        with (
            closing(AzureTables(self._account, self._name)) as tables,
            closing(AzureQueues(self._account)) as queues,
            closing(AzureBlobs(self._account, self._name)) as blobs,
        ):
            now = lambda: datetime.now(UTC)  # noqa: E731 (the seam is a function)
            sending = _Sending(queues, self._sent)
            watch(self.world, self.tally, tables=tables, blobs=blobs, queues=sending, now=now, random_bytes=os.urandom, sleep=time.sleep)
            began = time.monotonic()
            run = self.world.start(**variables)
            threads = [threading.Thread(target=self._work, args=(queues, number, began + DEADLINE)) for number in range(self._threads)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not self.troubles, self.troubles[:3]
            after = store.read_run(tables, run.id).run
            assert after.status == "succeeded"
            assert after.closed
            assert after.ended_at is not None
            return (after.ended_at - after.created_at).total_seconds()

    def _sent(self, count: int) -> None:
        with self._lock:
            self._pending += count

    def _deployed(self, name: str) -> None:
        self._sent(1)
        self._reports.append((time.monotonic() + WORK, name))

    def _work(self, queues: AzureQueues, number: int, until: float) -> None:
        for queue in itertools.islice(itertools.cycle(HANDLERS), number % len(HANDLERS), None):
            if not self._pending or self.troubles or time.monotonic() > until:
                return
            try:
                while (name := self._reporting()) is not None:
                    self._handle(lambda name=name: self._report(name))  # type: ignore[misc]
                self._receive(queues, queue)
            except BaseException as trouble:
                self.troubles.append(trouble)

    def _reporting(self) -> str | None:
        with self._lock:
            return self._reports.popleft()[1] if self._reports and self._reports[0][0] <= time.monotonic() else None

    def _receive(self, queues: AzureQueues, queue: str) -> None:
        found = queues.receive(queue, BATCH, 120.0)
        for one in found:
            body = one.body
            self._handle(lambda body=body: self._deliver(body, queue))  # type: ignore[misc]
            queues.delete(queue, one)
        if not found:
            time.sleep(0.02)

    def _handle(self, act: Callable[[], None]) -> None:
        with self.tally.event():
            act()
        self._sent(-1)

    def _deliver(self, body: str, queue: str) -> None:
        try:
            self.world.deliver(body, queue)
        except Retryable as early:
            self.tally.calls["came again"] += 1
            self.world.services.queues.send(queue, body, max(1.0, early.after))

    def _report(self, name: str) -> None:
        with Counting.lock:
            self.world.arm.start(name, at=datetime.now(UTC))
        try:
            self.world.report(name, rows=1)
        except Retryable:
            self.tally.calls["came again"] += 1
            self._deployed(name)  # a container tries for minutes
        with Counting.lock:
            self.world.arm.finish(name, at=datetime.now(UTC))


class _Sending:
    """Queues that say how many messages were sent."""

    def __init__(self, real: AzureQueues, sent: Callable[[int], None]) -> None:
        self._real, self._told = real, sent

    def send(self, queue: str, body: str, delay: float = 0.0) -> None:
        if queue in HANDLERS:
            self._told(1)
        self._real.send(queue, body, delay)
