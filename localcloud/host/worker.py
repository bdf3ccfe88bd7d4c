"""The worker process: imports the app, then runs its functions. `python -m localcloud.host.worker APP_FOLDER SOCKET_FD`.

Sync functions run on a pool of threads, async ones on the loop that also reads the host's messages: a function that blocks
in `async def` stops everything, here as on Azure. The process ends when its host does.
"""

from __future__ import annotations

import asyncio
import contextvars
import faulthandler
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import conversion
from .indexing import Unbindable, UserFunction, index
from .lifeline import end_with_parent
from .protocol import Finished, Indexed, IndexFailed, Invoke, ToHost, decode_to_worker, frame, read_frame

invocation: contextvars.ContextVar[str] = contextvars.ContextVar("invocation", default="-")
log = logging.getLogger("host.worker")


@dataclass(frozen=True)
class TraceContext:
    """What a function reads of its trace: nothing here."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: tuple[()] = ()


class Context:
    """The `context` argument of a function."""

    def __init__(self, invocation_id: str, function_name: str, directory: str) -> None:
        self.invocation_id = invocation_id
        self.function_name = function_name
        self.function_directory = directory
        self.trace_context = TraceContext()
        self.retry_context = None
        self.thread_local_storage = threading.local()
        self.thread_local_storage.invocation_id = invocation_id


class Worker:
    """Runs what the host asks for and answers with how it ended."""

    def __init__(self, folder: Path, threads: int | None) -> None:
        self.folder = folder
        self.functions: dict[str, UserFunction] = {}
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self.running: set[asyncio.Task[None]] = set()

    async def serve(self, connection: socket.socket) -> None:
        """Index the app, then answer invocations until the host closes the connection."""
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        indexed = self._index()
        writer.write(frame(indexed))
        await writer.drain()
        while isinstance(indexed, Indexed) and (message := await read_frame(reader)) is not None:
            task = asyncio.create_task(self._answer(decode_to_worker(message), writer))
            self.running.add(task)
            task.add_done_callback(self.running.discard)
        writer.close()

    def _index(self) -> ToHost:
        try:
            self.functions, described = index()
        except Unbindable as error:
            return IndexFailed(str(error))
        except BaseException as error:
            return IndexFailed(f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)))
        return Indexed(described)

    async def _answer(self, request: Invoke, writer: asyncio.StreamWriter) -> None:
        invocation.set(request.id)
        try:
            finished = await self._run(request, self.functions[request.function])
        except Exception as error:
            log.exception("function %s failed", request.function)
            finished = Finished(request.id, error=f"{type(error).__name__}: {error}")
        writer.write(frame(finished))
        await writer.drain()

    async def _run(self, request: Invoke, function: UserFunction) -> Finished:
        arguments: dict[str, Any] = {function.parameter: conversion.argument(request.trigger)}
        if function.wants_context:
            arguments["context"] = Context(request.id, function.name, str(self.folder))
        if function.is_async:
            returned = await function.call(**arguments)
        else:
            here = contextvars.copy_context()
            returned = await asyncio.get_running_loop().run_in_executor(self.pool, lambda: here.run(function.call, **arguments))
        if function.is_http:
            return Finished(request.id, response=conversion.response(returned))
        if returned is not None:
            raise RuntimeError(f"function {function.name!r} without a $return binding returned a non-None value")
        return Finished(request.id)


class InvocationFormatter(logging.Formatter):
    """One line per record, with the id of the invocation that wrote it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        record.invocation = invocation.get()
        return super().format(record)


def configure_logging(level: str) -> None:
    """Log to standard error. The SDKs' one line per request is left out unless it warns."""
    handler = logging.StreamHandler()
    handler.setFormatter(InvocationFormatter("%(asctime)s %(levelname)s [%(invocation)s] %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("azure").setLevel(logging.WARNING)


def thread_count(text: str) -> int | None:
    """`PYTHON_THREADPOOL_THREAD_COUNT`; what is not a positive number means the default, min(32, cores + 4)."""
    return int(text) if text.isdigit() and int(text) > 0 else None


def main() -> None:
    """Serve the host on the inherited socket."""
    faulthandler.enable()  # a worker that crashes says where
    folder, descriptor = Path(sys.argv[1]), int(sys.argv[2])
    for number in (signal.SIGINT, signal.SIGTERM):  # the host decides when its worker ends
        signal.signal(number, signal.SIG_IGN)
    end_with_parent()  # the socket says so as well, but not to an app that blocks the loop or its own import
    configure_logging(os.environ.get("LOCALCLOUD_LOG_LEVEL", "INFO"))
    sys.path.insert(0, str(folder))
    worker = Worker(folder, thread_count(os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "")))
    try:
        asyncio.run(worker.serve(socket.socket(fileno=descriptor)))
    finally:
        os._exit(0)  # functions that still run are cut off, as on Azure


if __name__ == "__main__":
    main()
