"""What the host and its worker process say to each other: length-prefixed MessagePack over a socket pair.

worker -> host   Indexed or IndexFailed, once; then one Finished for each Invoke
host -> worker   Invoke, as many at once as there are
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import msgspec
from msgspec import Struct

LENGTH = struct.Struct("!I")


class HttpTrigger(Struct, frozen=True, tag=True):
    """A request, already in the form in which the real host hands it over."""

    method: str
    url: str
    query: dict[str, str]
    headers: dict[str, str]
    route: dict[str, str]
    body: bytes


class QueueTrigger(Struct, frozen=True, tag=True):
    """A queue message; the metadata's values are typed data: ("string" | "json", text)."""

    body: str
    metadata: dict[str, tuple[str, str]]


class TimerTrigger(Struct, frozen=True, tag=True):
    """What a timer function is told, as the JSON text that the real host sends."""

    info: str


Trigger = HttpTrigger | QueueTrigger | TimerTrigger


class Invoke(Struct, frozen=True, tag=True):
    """Run a function."""

    id: str
    function: str
    trigger: Trigger


class FunctionInfo(Struct, frozen=True):
    """A function that the worker found: the bindings are those of a function.json."""

    name: str
    bindings: list[dict[str, Any]]


class Indexed(Struct, frozen=True, tag=True):
    """The app was imported; these are its functions."""

    functions: list[FunctionInfo]


class IndexFailed(Struct, frozen=True, tag=True):
    """The app could not be imported or has a function that cannot be bound: on Azure no function would run."""

    error: str
    traceback: str = ""


class Response(Struct, frozen=True):
    """What an HTTP function answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Finished(Struct, frozen=True, tag=True):
    """The end of an invocation; `error` is empty when the function returned."""

    id: str
    error: str = ""
    response: Response | None = None


ToHost = Indexed | IndexFailed | Finished


def frame(message: Invoke | ToHost) -> bytes:
    """The message with its length before it."""
    body = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(body)) + body


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The next message's bytes; None when the other side is gone."""
    try:
        (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


decode_to_host = msgspec.msgpack.Decoder(ToHost).decode
decode_to_worker = msgspec.msgpack.Decoder(Invoke).decode
