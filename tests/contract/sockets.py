"""A client of WebSockets for tests, one call at a time.

The library's own synchronous client reads in a thread while another writes, which OpenSSL does not allow: now and then a handshake is
never answered.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedOK


class Socket:
    """A connection, until the end of the `with`. Raises InvalidStatus when it is refused."""

    def __init__(self, uri: str, ca: Path) -> None:
        async def opened() -> ClientConnection:
            return await connect(uri, ssl=ssl.create_default_context(cafile=str(ca)), proxy=None)

        self._loop = asyncio.Runner()
        try:
            self._socket = self._loop.run(opened())
        except BaseException:
            self._loop.close()
            raise

    def send(self, message: str | bytes) -> None:
        self._loop.run(self._socket.send(message))

    def recv(self, timeout: float = 60.0) -> str | bytes:
        """Raises TimeoutError, and ConnectionClosed at the end."""

        async def received() -> str | bytes:
            async with asyncio.timeout(timeout):
                return await self._socket.recv()

        return self._loop.run(received())

    def __iter__(self) -> Iterator[str | bytes]:
        """All that comes until the other side has closed it."""
        try:
            while True:
                yield self.recv()
        except ConnectionClosedOK:
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.run(self._socket.close())
        self._loop.close()
