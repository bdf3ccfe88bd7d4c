"""The host put together: engine, keys, listeners and the HTTP server, from start to a graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
from collections.abc import Coroutine, Generator
from typing import Any

import uvicorn

from .administration import Admin
from .backoff import Backoff
from .engine import Engine, StartProcess
from .invoker import Invoker
from .keys import load_keys
from .queue_listener import QueueListener
from .queue_message import Processor
from .settings import HostError, HostSettings
from .spawning import Spawned
from .storage import Storage, preload
from .table import QueueFunction, Table, build_table
from .timer_listener import TimerListener
from .timer_status import Lock, StatusStore
from .web import Web, with_cors

log = logging.getLogger("host")


class ShutDown(Exception):
    """The host has shut down on an error that it does not deal with; on Azure the platform would start it again."""


class QuietServer(uvicorn.Server):
    """A server that leaves the signals to the host."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


class Host:
    """Runs the app until `stop` is called or something fatal happens.

    `run` raises HostError when the app cannot be run, and ShutDown when a listener met what it does not deal with.
    """

    def __init__(self, settings: HostSettings, listening: socket.socket, spawned: Spawned | None = None) -> None:
        self.settings = settings
        self._listening = listening
        self._stop = asyncio.Event()
        self._fatal: Exception | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._queue_listeners: list[QueueListener] = []
        self._timers: list[TimerListener] = []
        self._storage = Storage(settings, self._notify)
        self._engine = Engine(settings, lambda reason: self._end(HostError(reason)), StartProcess(spawned), self._recycle)

    def stop(self) -> None:
        """Stop gracefully."""
        self._stop.set()

    async def run(self) -> None:
        """From loading the app to the end of its last invocation."""
        try:
            preloading = asyncio.ensure_future(asyncio.to_thread(preload))
            if await self._load():
                await self._serve(preloading)
        finally:
            await self._close()
        if self._fatal:
            raise self._fatal

    async def _serve(self, preloading: asyncio.Future[None]) -> None:
        table = build_table(self._engine.functions, self.settings)
        invoker = Invoker(self._engine, table.outputs, self._storage)
        admin = Admin(self.settings, self._engine.functions, table, invoker, self._drain)
        web = Web(self.settings, table, load_keys(self.settings.keys_file), invoker, admin)
        limit = int(self.settings.shutdown.worker)
        options: dict[str, Any] = {"log_level": "warning", "access_log": False, "lifespan": "off", "timeout_graceful_shutdown": limit}
        server = QuietServer(uvicorn.Config(with_cors(web), **options))
        self._watch(server.serve(sockets=[self._listening]))
        self._watch(self._listen(table, invoker, preloading))
        if self.settings.is_on("LOCALCLOUD_WAKE"):
            self._engine.finished = self._wake
        print(f"host: ready on http://127.0.0.1:{self._listening.getsockname()[1]}", flush=True)
        await self._stop.wait()
        web.stopping = True
        await self._shut_down(server)

    async def _load(self) -> bool:
        """Load the app; False when the host is told to stop before it is there."""
        loading = asyncio.create_task(self._engine.start())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in (loading, stopping):
            task.cancel()  # what is done stays as it is
        with contextlib.suppress(asyncio.CancelledError):
            await loading
            return True
        return False

    async def _listen(self, table: Table, invoker: Invoker, preloading: asyncio.Future[None]) -> None:
        """HTTP does not wait for this: importing the storage client takes as long as all the rest."""
        await preloading
        if self._stop.is_set():
            return
        for queue in table.queues:
            if queue.function not in table.disabled:
                self._listen_to_queue(queue, invoker)
        state = self.settings.state
        store = StatusStore(state / "timers.json" if state else None)
        for timer in table.timers:
            if timer.function not in table.disabled:
                lock = Lock(state / "locks" if state else None, timer.function)
                self._timers.append(TimerListener(timer, invoker, store, lock))
                self._watch(self._timers[-1].run())

    def _listen_to_queue(self, function: QueueFunction, invoker: Invoker) -> None:
        options = self.settings.queues
        queue, poison = (self._storage.queue(function.connection, function.queue + suffix) for suffix in ("", "-poison"))
        processor = Processor(function.function, queue, poison, options, invoker, self._notify)
        backoff = Backoff(options.max_polling_interval, random.random)
        self._queue_listeners.append(QueueListener(queue, processor, options, backoff, self._shut_down_on))
        self._watch(self._queue_listeners[-1].run())

    def _wake(self) -> None:
        """What has just run may have written to any queue: have all looked at. Azure's host waits until it polls the next time."""
        for listener in self._queue_listeners:
            listener.wake()

    def _notify(self, queue: str) -> None:
        for listener in self._queue_listeners:
            if listener.queue.name == queue:
                listener.wake()

    def _watch(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a listener; one that fails takes the host down, as it does on Azure."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._report)
        self._tasks.append(task)

    def _report(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._shut_down_on(error)

    def _shut_down_on(self, error: BaseException) -> None:
        self._end(ShutDown(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"))

    def _recycle(self, reason: str) -> None:
        self._end(ShutDown(reason))

    def _end(self, error: Exception) -> None:
        self._fatal = self._fatal or error
        self._stop.set()

    def _drain(self) -> None:
        """Trigger nothing more; what runs goes on, and so does HTTP."""
        self._watch(self._stop_listeners())

    async def _stop_listeners(self) -> None:
        await asyncio.gather(*(listener.stop() for listener in self._queue_listeners), *(timer.stop() for timer in self._timers))

    async def _shut_down(self, server: uvicorn.Server) -> None:
        """Receive nothing more; wait for what the listeners run, then for what the workers run; then cut it off."""
        limits = self.settings.shutdown
        server.should_exit = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if limits.drain else limits.host):  # a drain is only limited by whoever waits for the process
                await self._stop_listeners()
        await self._engine.idle(0 if self._fatal else limits.worker)

    async def _close(self) -> None:
        """What is cut off is left as it is: a message stays hidden until its lease is over, and runs again."""
        await asyncio.gather(*(listener.abandon() for listener in self._queue_listeners))
        await self._engine.stop(0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for timer in self._timers:
            timer.abandon()
        self._storage.close()
