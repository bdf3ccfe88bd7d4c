"""What the host and its worker process say to each other: length-prefixed MessagePack over a socket pair.

worker -> host   Indexed or IndexFailed, once; then one Finished for each Invoke
host -> worker   Invoke, as many at once as there are

It has the words of Azure's own protocol between host and worker (triggers and typed data), so that Microsoft's worker library can
stand behind it as well as ours: what becomes of a returned value is the host's to say.
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
    retry: int = 0  # of `retries` that its policy allows
    retries: int = 0


Trigger = HttpTrigger | QueueTrigger | TimerTrigger


class Text(Struct, frozen=True, tag=True):
    """A string that a function gave; the host looks whether it is JSON."""

    value: str


class Json(Struct, frozen=True, tag=True):
    """A value that the worker library has made into JSON."""

    value: str


class Bytes(Struct, frozen=True, tag=True):
    """Bytes that a function gave: they are passed on as they are."""

    value: bytes


class Number(Struct, frozen=True, tag=True):
    """A number that a function gave."""

    value: int | float


class Response(Struct, frozen=True, tag=True):
    """What an HTTP function answered; a cookie is the text of a Set-Cookie header."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    cookies: list[str] = []


Data = Text | Json | Bytes | Number | Response


class Invoke(Struct, frozen=True, tag=True):
    """Run a function."""

    id: str
    function: str
    trigger: Trigger


class FunctionInfo(Struct, frozen=True):
    """A function that the worker found: the bindings are those of a function.json. `retry` is its retry policy, if it has one."""

    name: str
    bindings: list[dict[str, Any]]
    retry: dict[str, str] = {}


class Indexed(Struct, frozen=True, tag=True):
    """The app was imported; these are its functions."""

    functions: list[FunctionInfo]


class IndexFailed(Struct, frozen=True, tag=True):
    """The app could not be imported or has a function that cannot be bound: on Azure no function would run."""

    error: str
    traceback: str = ""


class Finished(Struct, frozen=True, tag=True):
    """The end of an invocation; `error` is empty when the function returned. Outputs are by the name of their parameter."""

    id: str
    error: str = ""
    returned: Data | None = None
    outputs: dict[str, Data] = {}


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
