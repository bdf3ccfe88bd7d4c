"""A seeded world around the real handlers: virtual time, and faults at every outside call.

Everything that happens is drawn from one seed, and everything goes through one heap of events, so the same seed gives the same history.
Faults stop at `faults_end`; after that the world must come to rest with every run ended and nothing left over. What must never be, at no
moment, is noted as a breach when it is seen; `invariants.check` looks at these and at the world's last state.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from loadme.core.state import Run
from loadme.definitions.definition import Workflow
from loadme.definitions.workflow_files import Catalogue
from loadme.errors import LoadmeError
from loadme.handlers.patrol import patrol
from loadme.services import Services, digest_of
from tests.fakes.blobs import FakeBlobs
from tests.fakes.keyvault import FakeVault
from tests.fakes.webhook import FakeWebhook
from tests.simulation.arm import SimulatedArm
from tests.simulation.audit import AuditedBlobs, AuditedTables
from tests.simulation.containers import Plan, random_plan
from tests.simulation.faults import BugPlan, Faults, Faulty, Frame, Killed, raised
from tests.simulation.queues import SimulatedQueues
from tests.simulation.told import Told
from tests.world import KEY, settings

FAULTS_END = 1800.0
FUNCTION_TIMEOUT = 120.0
HOSTS = 2
DEPTH = 3
"""Functions that stand still at the same time."""
LIMIT = 12 * 3600.0
"""Virtual seconds after which a world that is not at rest is stuck."""
MOST_CALLS = 120
"""Outside calls of one function when nothing goes wrong, whatever the size of the world: far fewer than it has runs, items and messages."""
CALLS_OF_RUN = 20
"""Those of the patrol for each run that it looks at."""
SECRETS = ("v1.k1.", KEY.decode())
"""The beginning of every attempt's token, and the key that signs them."""


Planner = Callable[["World", str], Plan]


class World:
    """One app, its users and its containers. `history` is everything that happened, in order."""

    def __init__(
        self, seed: int, workflows: Sequence[Workflow], *, armed: bool = True, plan: Planner = random_plan, **changes: Any
    ) -> None:
        self.seed, self.random, self.plan = seed, Random(seed), plan  # noqa: S311
        self.begun = self.moment = datetime(2030, 1, 1, tzinfo=UTC)
        self.history: list[str] = []
        self.breaches: list[str] = []
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self.faults = Faults(self.random, armed)
        self.faults_end = FAULTS_END if armed else 0.0
        self.bug = BugPlan()
        self.cut: Callable[[str, int], str] | None = None
        self.calls = self.busy = self.poisoned = 0
        self._frames: list[Frame] = []
        self._make(workflows, changes)

    def _make(self, workflows: Sequence[Workflow], changes: dict[str, Any]) -> None:
        self.settings = settings(**changes)
        self.tables, self.blobs, self.webhook = AuditedTables(self), AuditedBlobs(self), FakeWebhook()
        self.queues = SimulatedQueues(self)
        self.arm = SimulatedArm(self, self.settings.limits)
        self.files = FakeBlobs(lambda: self.moment)
        self.vault = FakeVault()
        self.known: dict[str, Workflow] = {}
        self.deploy(workflows)
        self.keys: dict[str, set[str]] = {}
        self.accepted: dict[str, dict[str, Any]] = {}
        self.cancelled: set[tuple[str, int]] = set()
        self.deleted: set[str] = set()
        self.named: dict[str, set[str]] = {}
        self.told: list[Told] = []

    def deploy(self, workflows: Sequence[Workflow]) -> None:
        """The app is deployed with these workflow files: new hosts remember nothing."""
        self.catalogue = Catalogue(workflows={workflow.name: workflow for workflow in workflows}, broken=())
        self.known |= {digest_of(workflow): workflow for workflow in workflows}
        self.services = self._services(lambda name, real: Faulty(name, real, self))
        self.plain = self._services(lambda _, real: real)

    def workflow_of(self, run: Run) -> Workflow:
        """The definition that the run started with."""
        return self.known[run.definition]

    def level(self, run: str, generation: int) -> int:
        """The run's variable in this generation."""
        return self.tables.levels[run, generation]

    def patience(self, since: datetime) -> datetime:
        """When something that was asked for then must have happened at the latest."""
        if not self.faults.armed:
            return since + timedelta(minutes=2)
        if not self.faults.rates["kill"]:
            return since + timedelta(minutes=15)
        return max(since, self.begun + timedelta(seconds=self.faults_end)) + timedelta(minutes=25)

    def _services(self, seam: Callable[[str, Any], Any]) -> Services:
        return Services(
            settings=self.settings,
            catalogue=self.catalogue,
            tables=seam("tables", self.tables),
            blobs=seam("blobs", self.blobs),
            files=seam("files", self.files),
            queues=seam("queues", self.queues),
            arm=seam("arm", self.arm),
            vault=seam("vault", self.vault),
            webhook=seam("webhook", self.webhook),
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

    def must(self, seconds: float, action: Callable[[], None]) -> None:
        """As `later`; the world is not at rest before."""

        def act() -> None:
            self.busy -= 1
            action()

        self.busy += 1
        self.later(seconds, act)

    def note(self, *words: object) -> None:
        """One line of history."""
        self.history.append(" ".join([f"{self.elapsed:.3f}", *map(str, words)]))

    def breach(self, what: str) -> None:
        """What must never be was seen."""
        self.note("BREACH", what)
        self.breaches.append(what)

    def spotless(self, place: str, text: str | bytes) -> None:
        """A breach if a secret is in what is stored or told."""
        if any((secret if isinstance(text, str) else secret.encode()) in text for secret in SECRETS):  # type: ignore[operator]
            self.breach(f"a secret in a {place}: {text[:2000]!r}")

    def play(self, limit: float = LIMIT) -> None:
        """Until nothing happens any more but the patrol, or until it is plain that something is stuck."""
        self.later(60.0, self._patrol)
        self.later(self.faults_end, self._stop_faults)
        with _logging(self):
            while self._events and self.elapsed < limit and not self.is_at_rest():
                self.go_on()

    def go_on(self) -> None:
        """The next event happens."""
        due, _, action = heapq.heappop(self._events)
        self.moment = max(self.moment, due)
        action()

    def is_at_rest(self) -> bool:
        """The faults are over, nothing is open, nothing is queued, nothing runs."""
        if self.faults.on or self.busy or self.queues.left or self.arm.container_groups or self.arm.deployments:
            return False
        return not self.tables.list("open", limit=1)

    def _stop_faults(self) -> None:
        self.faults.on = False
        self.note("faults end")

    def _patrol(self) -> None:
        for _ in range(2 if self.faults.happens(0.2) else 1):
            self.later(self.random.uniform(0, 1), lambda: self.guarded("patrol", lambda: patrol(self.services)))
        self.later(60.0, self._patrol)

    # outside calls

    def outside(self, site: str, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A call that leaves the process, and what may go wrong with it."""
        number, self.calls = self.calls, self.calls + 1
        frame = self._frames[-1] if self._frames else None
        if frame is not None:
            frame.calls += 1
        if self.faults.on:
            self._pause(site, frame)
        fault = self.cut(site, number) if self.cut else self.faults.strike(site)
        if fault:
            self.note("fault", fault, site)
        if fault.endswith("<") or fault == "busy":
            self._die_or_raise(fault, site, frame)
        value = act(*args, **kwargs)
        if fault:
            self._die_or_raise(fault, site, frame)
        return value

    def _die_or_raise(self, fault: str, site: str, frame: Frame | None) -> None:
        if fault.startswith("kill"):
            self._kill(site, frame)
        raise raised(fault, site)

    def _kill(self, why: str, frame: Frame | None) -> None:
        """The worker dies with all functions that are under way in it."""
        for other in self._frames:
            other.doomed = other.doomed or (frame is not None and other.host == frame.host)
        raise Killed(why)

    def _pause(self, site: str, frame: Frame | None) -> None:
        """This function stands still here while others go on, in this worker or in another; past its timeout the worker is killed."""
        if frame is None or len(self._frames) > DEPTH or not self.faults.happens(self.faults.pause):
            return
        for _ in range(self.random.randint(1, 6)):
            if self._events:
                self.go_on()
        if frame.doomed:
            raise Killed(f"{site}, with its worker")
        if (self.moment - frame.began).total_seconds() > FUNCTION_TIMEOUT:
            self._kill(f"{site}, for it took too long", frame)

    @contextmanager
    def function(self, what: str) -> Iterator[Frame]:
        """A function is under way."""
        frame = Frame(what, self.random.randrange(HOSTS), self.moment)
        calm = not self.faults.on
        self._frames.append(frame)
        try:
            yield frame
        finally:
            self._frames.pop()
            most = MOST_CALLS + (CALLS_OF_RUN * len(self.tables.runs) if what == "patrol" else 0)
            if calm and frame.calls > most and self.cut is None:
                self.breach(f"{what} made {frame.calls} outside calls")

    @property
    def began(self) -> datetime:
        """When the function that is under way began."""
        return self._frames[-1].began if self._frames else self.moment

    @property
    def claim_ends(self) -> datetime:
        """When the function that is under way must be dead."""
        return self._frames[-1].began + timedelta(seconds=FUNCTION_TIMEOUT) if self._frames else self.moment

    def guarded(self, what: str, act: Callable[[], Any]) -> bool:
        """Whether it came to its end; a process that dies or errs is noted."""
        try:
            with self.function(what):
                act()
        except Killed as killed:
            self.note("killed", what, killed)
            return False
        except LoadmeError as error:
            self.note("error", what, type(error).__name__, error)
            return False
        return True


@contextmanager
def _logging(world: World) -> Iterator[None]:
    """The log is looked through for secrets in some worlds, and silent in the others: it costs more than all the rest."""
    logger = logging.getLogger("loadme")
    before = logger.level, logger.propagate
    handler = _Reader(world)
    is_read = world.seed % 10 == 0
    logger.setLevel(logging.INFO if is_read else logging.CRITICAL + 1)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


class _Reader(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        self._world.spotless("log line", self.format(record))
