"""A proxy that leads Azure's names to the local cloud, for clients that build addresses from names: `https://{vault}.vault.azure.net`.

Such a name cannot be given a port, and without rights on the machine none can be made to resolve. `HTTPS_PROXY` is what every client
honours. It takes CONNECT alone, looks into nothing, and opens nothing that is not on this machine.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from localcloud import ports
from localcloud.names import LOOPBACK, part_of
from localcloud.relaying import both_ways

HEAD_LIMIT = 16 * 1024
HEAD_TIMEOUT = 10.0
HIGHEST_PORT = 65535
STOP_WITHIN = 10.0

PortOf = Callable[[str], int | None]
"""The port of a part of the local cloud, such as `arm`; None when it is not there."""


def destination(target: str, port_of: PortOf) -> int:
    """The local port that a CONNECT's target leads to. Raises ValueError, with words for the user, for anything that is not here."""
    host, _, port = target.rpartition(":")
    host = host.strip("[]")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) <= HIGHEST_PORT:
        raise ValueError(f"'{target}' is no target of CONNECT: host and port are needed.")
    if host.lower() in LOOPBACK:
        return int(port)
    part = part_of(host)
    found = port_of(part) if part else None
    if found is None:
        raise ValueError(
            f"{host} is not in the local cloud, and this proxy leads nowhere else: set NO_PROXY for what shall not go through it."
        )
    return found


class Proxy:
    """Serves from a thread at a socket that listens: started when `start` returns, gone when `stop` returns."""

    def __init__(self, listening: socket.socket, port_of: PortOf) -> None:
        self._socket = listening
        self._port_of = port_of
        self._writers: set[asyncio.StreamWriter] = set()
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        """For `HTTPS_PROXY`: the way to the proxy itself is not encrypted."""
        return f"http://127.0.0.1:{ports.number(self._socket)}"

    def start(self) -> Self:
        self._thread.start()
        self._started.wait(STOP_WITHIN)
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_WITHIN)
        self._socket.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._socket, limit=HEAD_LIMIT))
        self._started.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            self._loop.run_until_complete(self._end_all())
            self._loop.close()

    async def _end_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # aborted connections are closed a moment later

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._connect(reader, writer)
        except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
            pass  # whoever it was has gone, or does not speak HTTP
        finally:
            self._writers.discard(writer)
            await _close(writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_TIMEOUT)
        method, target, *_ = [*head.split(b"\r\n", 1)[0].decode("latin-1").split(" "), "", ""]
        if method != "CONNECT":
            _refuse(writer, 405, "This proxy of the local cloud takes CONNECT alone: set HTTPS_PROXY, and not HTTP_PROXY.")
            return
        try:
            port = destination(target, self._port_of)
        except ValueError as error:
            _refuse(writer, 403, str(error))
            return
        try:
            there, back = await asyncio.open_connection(ports.LOOPBACK, port)
        except OSError:
            _refuse(writer, 502, f"Nobody listens at port {port} of this machine, where {target} leads.")
            return
        self._writers.add(back)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await both_ways(reader, writer, there, back)
        finally:
            self._writers.discard(back)
            await _close(back)


def _refuse(writer: asyncio.StreamWriter, status: int, words: str) -> None:
    reason = {403: "Forbidden", 405: "Method Not Allowed", 502: "Bad Gateway"}[status]
    body = f"{words}\n".encode()
    # Some clients show nothing of a proxy's answer but the reason.
    head = f"HTTP/1.1 {status} {reason}: {words}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)


async def _close(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, RuntimeError):
        writer.close()
        await writer.wait_closed()
