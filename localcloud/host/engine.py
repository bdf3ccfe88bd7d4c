"""Runs functions, whatever becomes of the worker processes: a timeout kills one, a crash has it replaced."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

from .protocol import Finished, FunctionInfo, Trigger
from .settings import HostError, HostSettings
from .spawning import Spawned
from .worker_process import WorkerProcess

log = logging.getLogger("host.engine")
CRASHES = 3  # of each worker: then the host is recycled
FORGOTTEN = 1800.0  # seconds
TOO_MANY = (
    "Exceeded language worker restart retry count for runtime:python. Shutting down and proactively recycling the Functions Host to recover"
)


class Worker(Protocol):
    """A worker process as the engine sees it."""

    functions: list[FunctionInfo]
    ended: asyncio.Task[int]

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked to run a function."""

    async def invoke(self, function: str, trigger: Trigger) -> Finished:
        """Run the function; also ends, with an error, when the worker does."""

    def kill(self) -> None:
        """End it without a word; what runs in it fails."""


StartWorker = Callable[[HostSettings], Awaitable[Worker]]


class Crashes:
    """Counts the workers that ended on their own, until there was none for half an hour; those cut off by the host are expected."""

    def __init__(self, most: int) -> None:
        self.expected: set[Worker] = set()
        self._most = most
        self._count = 0
        self._last = 0.0

    def are_too_many(self, worker: Worker, now: float) -> bool:
        """After this worker's end: whether it is not to be replaced."""
        if worker in self.expected:
            self.expected.remove(worker)
        else:
            self._count = 1 if now - self._last > FORGOTTEN else self._count + 1
            self._last = now
        return self._count >= self._most


class StartProcess:
    """Starts worker processes; the first is the one that has been spawned already, if there is one."""

    def __init__(self, spawned: Spawned | None = None) -> None:
        self._spawned = spawned

    async def __call__(self, settings: HostSettings) -> Worker:
        """A worker process that has loaded the app."""
        spawned, self._spawned = self._spawned, None
        return await WorkerProcess.start(settings, spawned)


class Engine:
    """As many workers as the settings say, each used in turn; invocations wait while there is none.

    The first one is there when `start` returns, the others follow, each after a pause. `fatal` is called when a worker
    cannot be replaced, and `recycle` when so many have crashed that the host shall start anew.
    """

    def __init__(
        self, settings: HostSettings, fatal: Callable[[str], None], start_worker: StartWorker, recycle: Callable[[str], None]
    ) -> None:
        self.settings = settings
        self.functions: list[FunctionInfo] = []
        self.running = 0
        self.finished: Callable[[], None] = _ignored
        """Called after each invocation."""
        self._fatal = fatal
        self._recycle = recycle
        self._crashes = Crashes(CRASHES * settings.workers)
        self._start_worker = start_worker
        self._workers: list[Worker] = []
        self._turns: Iterator[int] = itertools.count()
        self._ready = asyncio.Event()
        self._stopped = False
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Load the app; raises HostError with the app's own error."""
        first = await self._start_worker(self.settings)
        self.functions = first.functions
        self._keepers.append(asyncio.create_task(self._keep(first)))
        for number in range(1, self.settings.workers):
            self._keepers.append(asyncio.create_task(self._keep_another(number * self.settings.worker_pause)))
        self._use(first)

    async def invoke(self, function: str, trigger: Trigger) -> Finished:
        """Run the function once. Running out of time, and the worker's end, are errors like any other."""
        self.running += 1
        try:
            worker = await self._next()
            return await self._within_timeout(worker, function, trigger) if worker else Finished("", error="the host is stopping")
        finally:
            self.running -= 1
            self.finished()

    async def _next(self) -> Worker | None:
        """The worker whose turn it is; None when the host is stopping."""
        while not self._stopped:
            await self._ready.wait()
            if alive := [worker for worker in self._workers if worker.is_alive]:
                return alive[next(self._turns) % len(alive)]
            self._ready.clear()  # whoever keeps the one that has just ended says when there is another
        return None

    async def _within_timeout(self, worker: Worker, function: str, trigger: Trigger) -> Finished:
        limit = self.settings.function_timeout
        try:
            async with asyncio.timeout(limit):
                return await worker.invoke(function, trigger)
        except TimeoutError:
            log.error("function %s ran out of time: the worker and all that runs in it is restarted", function)  # noqa: TRY400
            self._crashes.expected.add(worker)
            worker.kill()
            return Finished("", error=f"timed out after {limit or 0:g} s (functionTimeout)")

    async def idle(self, grace: float) -> bool:
        """Wait until nothing runs, at most `grace` seconds; whether that is so."""
        deadline = asyncio.get_running_loop().time() + grace
        while self.running and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        return not self.running

    async def stop(self, grace: float = 10.0) -> None:
        """Wait for what is running, at most `grace` seconds, then kill the workers without a word, as Azure does."""
        if not await self.idle(grace):
            log.warning("%d invocations were still running and are cut off", self.running)
        self._stopped = True
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for worker in self._workers:
            worker.kill()
        await asyncio.gather(*(worker.ended for worker in self._workers))
        self._workers = []
        self._ready.set()  # whoever still waits for a worker learns that there will be none

    def _use(self, worker: Worker) -> None:
        self._workers.append(worker)
        self._ready.set()

    async def _keep_another(self, pause: float) -> None:
        await asyncio.sleep(pause)
        if worker := await self._started():
            self._use(worker)
            await self._keep(worker)

    async def _keep(self, worker: Worker) -> None:
        """Replace the worker whenever it has ended."""
        found: Worker | None = worker
        while found:
            code = await asyncio.shield(found.ended)
            self._workers.remove(found)
            if not self._workers:
                self._ready.clear()
            log.warning("the worker process ended (exit code %d) and is restarted", code)
            if self._crashes.are_too_many(found, asyncio.get_running_loop().time()):
                if not self._workers:
                    self._recycle(TOO_MANY)
                return
            if found := await self._started():
                self._use(found)

    async def _started(self) -> Worker | None:
        try:
            return await self._start_worker(self.settings)
        except HostError as error:
            self._fatal(str(error))
            return None


def _ignored() -> None:
    return
