"""One worker process as the host sees it: started, asked to run functions, killed."""

from __future__ import annotations

import asyncio
import subprocess
import uuid

from .protocol import Finished, FunctionInfo, Indexed, IndexFailed, Invoke, Trigger, decode_to_host, frame, read_frame
from .settings import HostError, HostSettings
from .spawning import Spawned, spawn


class WorkerProcess:
    """A worker that has indexed the app. `start` makes one; `ended` is done when the process is gone."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter, functions: list[FunctionInfo]
    ) -> None:
        self.functions = functions
        self.pending: dict[str, asyncio.Future[Finished]] = {}
        self._process = process
        self._writer = writer
        self.ended = asyncio.create_task(self._read(reader))

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked to run a function."""
        return not self.ended.done()

    @classmethod
    async def start(cls, settings: HostSettings, spawned: Spawned | None = None) -> WorkerProcess:
        """A worker for the app, or the one that has been spawned; raises HostError with the app's own error when it cannot be indexed."""
        process, ours = spawned or spawn(settings)
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            message = await read_frame(reader)
        except asyncio.CancelledError:  # the host is stopped while its app is still being loaded
            writer.close()
            process.kill()
            _reap(process)
            raise
        indexed = decode_to_host(message) if message else IndexFailed("the worker process ended before it had loaded it")
        if isinstance(indexed, Indexed):
            return cls(process, reader, writer, indexed.functions)
        writer.close()
        process.kill()
        await asyncio.to_thread(_reap, process)
        raise HostError(_explained(indexed))

    async def invoke(self, function: str, trigger: Trigger) -> Finished:
        """Run the function; also ends, with an error, when the process does."""
        if self.ended.done():  # nobody is left to settle it
            return Finished("", error="the worker process has ended")
        request = Invoke(uuid.uuid4().hex, function, trigger)
        future: asyncio.Future[Finished] = asyncio.get_running_loop().create_future()
        self.pending[request.id] = future
        try:
            self._writer.write(frame(request))
            return await future
        finally:
            del self.pending[request.id]

    def kill(self) -> None:
        """End the process without a word; what runs in it fails."""
        self._process.kill()

    async def _read(self, reader: asyncio.StreamReader) -> int:
        while (message := await read_frame(reader)) is not None:
            finished = decode_to_host(message)
            if isinstance(finished, Finished):
                self._settle(finished)
        self._writer.close()
        code = await asyncio.to_thread(_reap, self._process)
        for identifier in list(self.pending):
            self._settle(Finished(identifier, error=f"the worker process ended (exit code {code})"))
        return code

    def _settle(self, finished: Finished) -> None:
        future = self.pending.get(finished.id)
        if future and not future.done():
            future.set_result(finished)


def _reap(process: subprocess.Popen[bytes]) -> int:
    """Wait for its end; its exit code."""
    with process:
        return process.wait()


def _explained(message: object) -> str:
    if not isinstance(message, IndexFailed):
        return "the worker process does not speak the host's protocol"
    return f"the function app cannot be loaded: {message.error}\n{message.traceback}".rstrip()
