"""Runs functions, whatever becomes of the worker process: a timeout kills it, a crash replaces it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from .protocol import Finished, FunctionInfo, Trigger
from .settings import HostError, HostSettings
from .worker_process import WorkerProcess

log = logging.getLogger("host.engine")


class Engine:
    """There is one worker process at a time; invocations wait while it is being replaced."""

    def __init__(self, settings: HostSettings, fatal: Callable[[str], None]) -> None:
        self.settings = settings
        self.functions: list[FunctionInfo] = []
        self.running = 0
        self._fatal = fatal
        self._worker: WorkerProcess | None = None
        self._ready = asyncio.Event()
        self._guard: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the app; raises HostError with the app's own error."""
        self._worker = await WorkerProcess.start(self.settings)
        self.functions = self._worker.functions
        self._ready.set()
        self._guard = asyncio.create_task(self._replace_when_ended())

    async def invoke(self, function: str, trigger: Trigger) -> Finished:
        """Run the function once. Running out of time, and the worker's end, are errors like any other."""
        self.running += 1
        try:
            await self._ready.wait()
            if self._worker is None:
                return Finished("", error="the host is stopping")
            return await self._within_timeout(self._worker, function, trigger)
        finally:
            self.running -= 1

    async def _within_timeout(self, worker: WorkerProcess, function: str, trigger: Trigger) -> Finished:
        limit = self.settings.function_timeout
        try:
            async with asyncio.timeout(limit):
                return await worker.invoke(function, trigger)
        except TimeoutError:
            log.error("function %s ran out of time: the worker and all that runs in it is restarted", function)  # noqa: TRY400
            worker.kill()
            return Finished("", error=f"timed out after {limit or 0:g} s (functionTimeout)")

    async def stop(self, grace: float = 10.0) -> None:
        """Wait for what is running, at most `grace` seconds, then kill the worker without a word, as Azure does."""
        deadline = asyncio.get_running_loop().time() + grace
        while self.running and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        if self.running:
            log.warning("%d invocations were still running and are cut off", self.running)
        if self._guard:
            self._guard.cancel()
        if self._worker:
            self._worker.kill()
            await self._worker.ended
        self._worker = None
        self._ready.set()

    async def _replace_when_ended(self) -> None:
        while self._worker is not None:
            code = await asyncio.shield(self._worker.ended)
            self._ready.clear()
            log.warning("the worker process ended (exit code %d) and is restarted", code)
            try:
                self._worker = await WorkerProcess.start(self.settings)
            except HostError as error:
                self._worker = None
                self._fatal(str(error))
                return
            self._ready.set()
