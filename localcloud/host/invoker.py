"""One invocation from trigger to end: the function runs, its outputs are written, and only then there is an answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from .answers import answer
from .expressions import queue_name
from .newtonsoft import BadJson
from .outputs import OutputError, QueueOutput, messages
from .protocol import Data, Finished, Response, Trigger

log = logging.getLogger("host.outputs")


class Runs(Protocol):
    """What runs functions: the engine."""

    async def invoke(self, function: str, trigger: Trigger) -> Finished:
        """Run the function once."""


class Writes(Protocol):
    """What writes messages: the storage account's queues."""

    async def send(self, connection: str, queue: str, body: bytes) -> None:
        """Append a message; a queue that is missing is created first."""


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended; `error` is empty when all went well. `response` is for HTTP functions only."""

    error: str = ""
    response: Response = field(default_factory=lambda: Response(500, [], b""))


class Invokes(Protocol):
    """What runs functions and writes their outputs."""

    async def invoke(self, function: str, trigger: Trigger) -> Outcome:
        """Run the function once."""


@dataclass(frozen=True)
class FunctionOutputs:
    """Where the outputs of a function go: to queues, and for an HTTP function to the caller."""

    queues: Sequence[QueueOutput] = ()
    http: str = "$return"


class Invoker:
    """Invokes functions by their names, whatever triggered them."""

    def __init__(
        self,
        engine: Runs,
        outputs: Mapping[str, FunctionOutputs],
        storage: Writes,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._outputs = outputs
        self._storage = storage
        self._now = now
        self.running = 0

    async def invoke(self, function: str, trigger: Trigger) -> Outcome:
        """Run the function once. Nothing of it is written when it raised; several outputs are written at once, and none is taken back."""
        self.running += 1
        try:
            return await self._invoke(function, trigger)
        finally:
            self.running -= 1

    async def _invoke(self, function: str, trigger: Trigger) -> Outcome:
        finished = await self._engine.invoke(function, trigger)
        if finished.error:
            return Outcome(finished.error)
        values = {**finished.outputs, **({"$return": finished.returned} if finished.returned is not None else {})}
        outputs = self._outputs.get(function, FunctionOutputs())
        try:
            await self._write(function, outputs.queues, values, trigger)
            return Outcome(response=answer(values.get(outputs.http)))
        except Exception as error:  # whatever storage raises is the end of this invocation, not of the host
            if not isinstance(error, (BadJson, OutputError)):
                log.exception("function %s: an output cannot be written", function)
            return Outcome(f"an output cannot be written: {type(error).__name__}: {error}")

    async def _write(self, function: str, queues: Sequence[QueueOutput], values: Mapping[str, Data], trigger: Trigger) -> None:
        """In parallel, one after the other within one output. All of them are tried, whatever becomes of the others."""
        names = {output: queue_name(output.queue, function, trigger, self._now()) for output in queues if output.parameter in values}
        writing = (self._write_one(output.connection, name, values[output.parameter]) for output, name in names.items())
        for result in await asyncio.gather(*writing, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _write_one(self, connection: str, queue: str, value: Data) -> None:
        for body in messages(value):
            await self._storage.send(connection, queue, body)
