"""The host put together: engine, keys, listeners and the HTTP server, from start to a graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
from collections.abc import Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn

from .backoff import Backoff
from .engine import Engine
from .keys import load_keys
from .queue_listener import QueueListener
from .settings import HostError, HostSettings
from .storage import Queues, connect, preload
from .table import QueueFunction, Table, build_table
from .timer_listener import StatusStore, TimerListener
from .web import Web

log = logging.getLogger("host")
GRACE = 10.0


class QuietServer(uvicorn.Server):
    """A server that leaves the signals to the host."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


class Host:
    """Runs the app until `stop` is called or something fatal happens; `run` raises HostError for the latter."""

    def __init__(self, settings: HostSettings) -> None:
        self.settings = settings
        self._stop = asyncio.Event()
        self._fatal = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._queues: dict[str, Queues] = {}
        self._queue_listeners: list[QueueListener] = []
        self._engine = Engine(settings, self.fail)

    def stop(self) -> None:
        """Stop gracefully."""
        self._stop.set()

    def fail(self, reason: str) -> None:
        """Stop because the host cannot go on."""
        self._fatal = self._fatal or reason
        self._stop.set()

    async def run(self) -> None:
        """From loading the app to the end of its last invocation."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(32, thread_name_prefix="host"))
        listening = _bind(self.settings.port) if self.settings.socket is None else socket.socket(fileno=self.settings.socket)
        try:
            if not await self._load():
                return
            table = build_table(self._engine.functions, self.settings)
            web = Web(self.settings, table, load_keys(self.settings.keys_file), self._engine)
            server = QuietServer(
                uvicorn.Config(web, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=int(GRACE))
            )
            self._watch(server.serve(sockets=[listening]))
            self._listen(table)
            print(f"host: ready on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
            await self._stop.wait()
            web.stopping = True
            await self._shut_down(server)
        finally:
            await self._close()
            listening.close()
        if self._fatal:
            raise HostError(self._fatal)

    async def _load(self) -> bool:
        """Load the app; False when the host is told to stop before it is there."""
        loading = asyncio.create_task(self._engine.start())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.to_thread(preload)
        await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in (loading, stopping):
            task.cancel()  # what is done stays as it is
        with contextlib.suppress(asyncio.CancelledError):
            await loading
            return True
        return False

    def _listen(self, table: Table) -> None:
        for queue in table.queues:
            if queue.function not in table.disabled:
                self._add_queue_listener(queue)
        store = StatusStore(self.settings.state / "timers.json" if self.settings.state else None)
        for timer in table.timers:
            if timer.function not in table.disabled:
                self._watch(TimerListener(timer, self._engine, store).run())

    def _add_queue_listener(self, function: QueueFunction) -> None:
        if function.connection not in self._queues:
            self._queues[function.connection] = connect(function.connection, self.settings.environment)
        queues = self._queues[function.connection]
        listener = QueueListener(
            function=function.function,
            queue=queues.queue(function.queue),
            poison=queues.queue(f"{function.queue}-poison"),
            options=self.settings.queues,
            engine=self._engine,
            backoff=Backoff(self.settings.queues.max_polling_interval, random.random),
            notify=self._notify,
        )
        self._queue_listeners.append(listener)
        self._watch(listener.run())

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
            self.fail(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")

    async def _shut_down(self, server: uvicorn.Server) -> None:
        """Receive nothing more, wait for what is running within the grace, then cut it off."""
        server.should_exit = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await asyncio.gather(*(listener.stop() for listener in self._queue_listeners))
                await self._engine.stop(GRACE)
        await self._engine.stop(0)

    async def _close(self) -> None:
        await self._engine.stop(0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for queues in self._queues.values():
            queues.close()


def _bind(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(512)  # from now on requests wait instead of being refused
    except OSError:
        listening.close()
        raise HostError(f"port {port} is taken: stop what listens there or choose another with --port") from None
    return listening
