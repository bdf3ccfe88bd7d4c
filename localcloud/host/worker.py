"""The worker process: imports the app, then runs its functions. `python -m localcloud.host.worker APP_FOLDER SOCKET_FD ENGINE`.

Sync functions run on a pool of threads, async ones on the loop that also reads the host's messages: a function that blocks
in `async def` stops everything, here as on Azure. The process ends when its host does.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Protocol

from .lifeline import end_with_parent
from .logs import configure_logging, invocation
from .protocol import Finished, FunctionInfo, Indexed, IndexFailed, Invoke, ToHost, decode_to_worker, frame, read_frame

log = logging.getLogger("host.worker")


class Engine(Protocol):
    """What imports the app and runs its functions."""

    async def index(self) -> list[FunctionInfo]:
        """Import the app and describe its functions; whatever it raises is the reason why the app cannot be loaded."""

    async def run(self, request: Invoke) -> Finished:
        """Run a function; whatever it raises is the reason why it failed."""


class Worker:
    """Runs what the host asks for and answers with how it ended."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.running: set[asyncio.Task[None]] = set()

    async def serve(self, connection: socket.socket) -> None:
        """Index the app, then answer invocations until the host closes the connection."""
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        indexed = await self._index()
        writer.write(frame(indexed))
        await writer.drain()
        while isinstance(indexed, Indexed) and (message := await read_frame(reader)) is not None:
            task = asyncio.create_task(self._answer(decode_to_worker(message), writer))
            self.running.add(task)
            task.add_done_callback(self.running.discard)
        writer.close()

    async def _index(self) -> ToHost:
        try:
            return Indexed(await self.engine.index())
        except BaseException as error:
            if getattr(error, "is_explained", False):
                return IndexFailed(str(error))
            return IndexFailed(f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)))

    async def _answer(self, request: Invoke, writer: asyncio.StreamWriter) -> None:
        invocation.set(request.id)
        try:
            finished = await self.engine.run(request)
        except Exception as error:
            log.exception("function %s failed", request.function)
            finished = Finished(request.id, error=f"{type(error).__name__}: {error}")
        writer.write(frame(finished))
        await writer.drain()


def thread_count(text: str) -> int | None:
    """`PYTHON_THREADPOOL_THREAD_COUNT`; what is not a positive number means the default, min(32, cores + 4)."""
    return int(text) if text.isdigit() and int(text) > 0 else None


def make_engine(name: str, folder: Path) -> Engine:
    """Imported only now: each needs what the other one's environment may not have."""
    if name == "runtime":
        from .runtime_engine import RuntimeEngine

        return RuntimeEngine(folder)
    from .sdk_engine import SdkEngine

    return SdkEngine(folder, thread_count(os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "")))


async def _serve(folder: Path, descriptor: int, engine: str) -> None:
    await Worker(make_engine(engine, folder)).serve(socket.socket(fileno=descriptor))


def main() -> None:
    """Serve the host on the inherited socket."""
    faulthandler.enable()  # a worker that crashes says where
    folder, descriptor, engine = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    for number in (signal.SIGINT, signal.SIGTERM):  # the host decides when its worker ends
        signal.signal(number, signal.SIG_IGN)
    end_with_parent()  # the socket says so as well, but not to an app that blocks the loop or its own import
    configure_logging(os.environ.get("LOCALCLOUD_LOG_LEVEL", "INFO"))
    sys.path.insert(0, str(folder))
    try:
        asyncio.run(_serve(folder, descriptor, engine))
    finally:
        os._exit(0)  # functions that still run are cut off, as on Azure


if __name__ == "__main__":
    main()
