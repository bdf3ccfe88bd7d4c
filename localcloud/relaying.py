"""Handing on a connection, byte for byte: what one end says the other hears, also that it has no more to say."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

CHUNK = 64 * 1024


async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connect: Callable[[], socket.socket]) -> None:
    """Between a connection and the one that `connect` makes, on a thread, both ways, until both have ended."""
    try:
        there, back = await _connected(connect)
    except (OSError, asyncio.CancelledError):
        writer.transport.abort()
        return
    try:
        await both_ways(reader, writer, there, back)
    finally:
        for end in (writer, back):
            end.close()


async def _connected(connect: Callable[[], socket.socket]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """What `connect` makes, as streams; it is closed when nobody waits for it any more."""
    making = asyncio.get_running_loop().run_in_executor(None, connect)
    try:
        made = await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(_close)  # the thread goes on
        raise
    try:
        return await asyncio.open_connection(sock=made)
    except BaseException:
        made.close()
        raise


def _close(making: asyncio.Future[socket.socket]) -> None:
    if not making.cancelled() and making.exception() is None:
        making.result().close()


async def both_ways(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, there: asyncio.StreamReader, back: asyncio.StreamWriter
) -> None:
    """Between two connections, until both have ended: an end that has said all may still be answered."""
    await asyncio.gather(_pour(reader, back), _pour(there, writer))


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()  # an end is gone, and with it the other one: nobody waits for it
