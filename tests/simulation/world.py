"""A seeded world around the real handlers: virtual time, queues that duplicate, delay and reorder, faults at every outside call.

Everything that happens is drawn from one seed, and everything goes through one heap of events, so the same seed gives the same history.
Faults stop at `FAULTS_END`; after that the world must come to rest with every run ended and nothing left over.
"""

from __future__ import annotations

import base64
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from azure.functions.queue import QueueMessage

from loadme import triggers
from loadme.core import cloudevents
from loadme.errors import LoadmeError, Rejected, Unavailable
from loadme.handlers import callback as callbacks
from loadme.handlers.callback import Call
from loadme.handlers.patrol import patrol
from loadme.handlers.start import Start, start
from loadme.services import Services
from tests.fakes.blobs import FakeBlobs
from tests.fakes.queues import FakeQueues
from tests.fakes.tables import FakeTables
from tests.fakes.webhook import FakeWebhook
from tests.simulation.arm import Plan, SimulatedArm
from tests.world import HANDLERS, KINDS, catalogue, settings

VISIBILITY = 30.0
LEASE = 600.0
MAX_DEQUEUE = 10
FAULTS_END = 1800.0
FUNCTION_TIMEOUT = 120.0
DEPTH = 3
"""Functions that stand still at the same time."""
LIMIT = 6 * 3600.0
"""Virtual seconds after which a world that is not at rest is stuck."""


class Killed(BaseException):
    """The process dies here: nothing in the app may catch this."""


class Faults:
    """What goes wrong, drawn from the seed: each kind is armed in some worlds only, and then strikes now and then."""

    def __init__(self, random: Random, *, armed: bool = True) -> None:
        self._random = random
        self.rates = {kind: random.choice([0.0, 0.0, 0.01, 0.05, 0.15]) if armed else 0.0 for kind in ("kill", "error", "lost")}
        self.duplicate, self.reorder, self.pause = (random.choice([0.0, 0.1, 0.3]) if armed else 0.0 for _ in range(3))
        self.on = True

    def strike(self) -> str:
        """What happens to this call: "", or kill/error/lost, each before ("<") or after (">") its effect."""
        if not self.on:
            return ""
        for kind, rate in self.rates.items():
            if self._random.random() < rate:
                return kind + ("" if kind == "lost" else self._random.choice("<>"))
        return ""


class Faulty:
    """One seam with faults: a call may be cut before or after it had its effect, or its answer may be lost."""

    def __init__(self, name: str, real: Any, world: World) -> None:
        self._name, self._real, self._world = name, real, world

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._world.outside(f"{self._name}.{name}", lambda: real(*args, **kwargs))

        return call


class World:
    """One app, its users and its containers. `history` is everything that happened, in order."""

    def __init__(self, seed: int, texts: tuple[str, ...], *, armed: bool = True, plan: Callable[[World, str], Plan] | None = None) -> None:
        self.seed, self.random = seed, Random(seed)  # noqa: S311
        self.begun = self.moment = datetime(2030, 1, 1, tzinfo=UTC)
        self.history: list[str] = []
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self.faults = Faults(self.random, armed=armed)
        self.calls = 0
        self._began: list[datetime] = []
        self.cut: Callable[[str, int], str] | None = None
        self.tables, self.blobs = FakeTables(), FakeBlobs()
        self.arm = SimulatedArm(self, plan or random_plan)
        self.poison: list[str] = []
        self.told: list[dict[str, Any]] = []
        self.accepted: dict[str, Any] = {}
        self.runs: list[str] = []
        self.pending = Counter[str]()
        self.services = Services(
            settings=settings(),
            catalogue=catalogue(*texts),
            tables=Faulty("tables", self.tables, self),
            blobs=Faulty("blobs", self.blobs, self),
            files=FakeBlobs(),
            queues=Faulty("queues", Sender(self), self),
            arm=Faulty("arm", self.arm, self),
            webhook=FakeWebhook(),
            now=lambda: self.moment,
            random_bytes=self.random.randbytes,
        )

    # time

    @property
    def elapsed(self) -> float:
        """Virtual seconds since the beginning."""
        return (self.moment - self.begun).total_seconds()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Something happens so much later."""
        heapq.heappush(self._events, (self.moment + timedelta(seconds=seconds), next(self._order), action))

    def note(self, *words: object) -> None:
        """One line of history."""
        self.history.append(" ".join([f"{self.elapsed:.3f}", *map(str, words)]))

    def play(self) -> None:
        """Until nothing happens any more but the patrol, or until it is plain that something is stuck."""
        self.later(60.0, self._patrol)
        self.later(FAULTS_END, self._stop_faults)
        while self._events and self.elapsed < LIMIT and not (self.elapsed > FAULTS_END and self.is_at_rest()):
            self._next()

    def _next(self) -> None:
        due, _, action = heapq.heappop(self._events)
        self.moment = max(self.moment, due)
        action()

    def is_at_rest(self) -> bool:
        """Nothing is open, nothing is queued, nothing runs."""
        return not (self.pending.total() or self.arm.container_groups or self.tables.list("open", limit=1))

    def _stop_faults(self) -> None:
        self.faults.on = False
        self.note("faults end")

    def _patrol(self) -> None:
        self.guarded("patrol", lambda: patrol(self.services))
        self.later(60.0, self._patrol)

    # outside calls

    def outside(self, site: str, act: Callable[[], Any]) -> Any:
        """A call that leaves the process, and what may go wrong with it."""
        number, self.calls = self.calls, self.calls + 1
        self._pause(site)
        fault = self.cut(site, number) if self.cut else self.faults.strike()
        if fault:
            self.note("fault", fault, site)
        if fault.endswith("<"):
            raise Killed(site) if fault.startswith("kill") else Unavailable(f"{site} did not answer")
        value = act()
        if fault.startswith("kill"):
            raise Killed(site)
        if fault:
            raise Unavailable(f"{site}: the answer was lost")
        return value

    def _pause(self, site: str) -> None:
        """This function stands still here while others go on, on this host or on another; past its timeout the host kills it."""
        if not self.faults.on or len(self._began) > DEPTH or self.random.random() >= self.faults.pause:
            return
        for _ in range(self.random.randint(1, 6)):
            if self._events:
                self._next()
        if self._began and (self.moment - self._began[-1]).total_seconds() > FUNCTION_TIMEOUT:
            raise Killed(f"{site}, for it took too long")

    @contextmanager
    def _function(self) -> Iterator[None]:
        self._began.append(self.moment)
        try:
            yield
        finally:
            self._began.pop()

    def guarded(self, what: str, act: Callable[[], Any]) -> bool:
        """Whether it came to its end; a process that dies or errs is noted."""
        try:
            with self._function():
                act()
        except Killed as killed:
            self.note("killed", what, killed)
            return False
        except LoadmeError as error:
            self.note("error", what, type(error).__name__, error)
            return False
        return True

    # queues

    def post(self, queue: str, body: str, delay: float) -> None:
        """A message is on its way; it may come twice, and later than one that was sent after it."""
        copies = 2 if self.faults.on and self.random.random() < self.faults.duplicate else 1
        for _ in range(copies):
            late = (
                self.random.uniform(0, 20) if self.faults.on and self.random.random() < self.faults.reorder else self.random.uniform(0, 1)
            )
            self.pending[queue] += 1
            self.later(delay + late, lambda: self._deliver(queue, body, 1))

    def _deliver(self, queue: str, body: str, dequeued: int) -> None:
        self.pending[queue] -= 1
        if queue == cloudevents.QUEUE:
            self.told.append(json.loads(body))
            return
        if queue not in KINDS:
            self.poison.append(body)
            self.note("poison", queue, body)
            return
        self.note("deliver", queue, body)
        try:
            with self._function():
                triggers.handle(self.services, QueueMessage(body=body), HANDLERS[queue], KINDS[queue])
        except Killed as killed:
            self.note("killed", queue, killed)
            self._again(queue, body, dequeued, LEASE)
        except Exception as error:  # whatever is raised is for the host to try again
            self.note("failed", queue, type(error).__name__, error)
            self._again(queue, body, dequeued, VISIBILITY)

    def _again(self, queue: str, body: str, dequeued: int, after: float) -> None:
        queue = queue if dequeued < MAX_DEQUEUE else f"{queue}-poison"
        self.pending[queue] += 1
        self.later(after, lambda: self._deliver(queue, body, dequeued + 1))

    # users and containers

    def start(self, workflow: str, key: str, **variables: Any) -> None:
        """A user starts a run, and tries again with the same key until it is accepted."""

        def attempt() -> None:
            run = start(self.services, Start(workflow=workflow, given=variables, key=key))
            self.runs.append(run.id)
            self.note("accepted", run.id)

        if not self.guarded("start", attempt):
            self.later(5.0, lambda: self.start(workflow, key, **variables))

    def report(self, attempt: str, outputs: dict[str, Any] | None, until: datetime) -> None:
        """A container reports, and tries again for minutes: outputs, or (None) its failure."""
        token = self.arm.environment(attempt)["LOADME_CALLBACK_TOKEN"]
        body = json.dumps(outputs if outputs is not None else {"message": "it broke"}).encode()
        call = Call(attempt=attempt, token=token, body=body)

        def tell() -> None:
            try:
                (callbacks.callback if outputs is not None else callbacks.failure)(self.services, call)
            except Rejected as refused:
                self.note("refused", attempt, refused.status)
                return
            self.note("reported", attempt, outputs)
            self.accepted.setdefault(attempt, outputs)

        if not self.guarded("callback", tell) and self.moment < until:
            self.later(self.random.uniform(1, 10), lambda: self.report(attempt, outputs, until))


class Sender(FakeQueues):
    """The queue service: what is sent becomes an event."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def send(self, queue: str, body: str, delay: float = 0.0) -> None:
        super().send(queue, body, delay)
        self.sent.clear()
        self._world.post(queue, body, delay)


def random_plan(world: World, attempt: str) -> Plan:
    """What a container does, drawn from the seed."""
    return Plan(
        behaviour=world.random.choice(["reports"] * 6 + ["silent", "verdict", "breaks", "fails", "hangs", "no-image", "late"]),
        provisioning=world.random.uniform(1, 40),
        work=world.random.uniform(0, 120),
        token=base64.b32encode(world.random.randbytes(5)).decode(),
    )
