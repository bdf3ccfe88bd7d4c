"""An ASGI application served from a thread: started when `start` returns, gone when `stop` returns."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp

from localcloud import ports

STOP_WITHIN = 10.0  # seconds


class _Server(uvicorn.Server):
    """Ends at once what is idle: a TLS connection would wait for the client's goodbye, and outlive the event loop."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is None or cycle.response_complete:
                self._abort(connection)
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            self._abort(connection)
        await asyncio.sleep(0)

    @staticmethod
    def _abort(connection: object) -> None:
        if transport := getattr(connection, "transport", None):
            transport.abort()


class ThreadedServer:
    """Serves on 127.0.0.1 only, at a socket that listens or at a free port; `url` says where. With a certificate and key it speaks TLS."""

    def __init__(
        self, app: ASGIApp, listening: socket.socket | None = None, *, ssl_cert: Path | None = None, ssl_key: Path | None = None
    ) -> None:
        files: dict[str, Any] = {"ssl_certfile": str(ssl_cert), "ssl_keyfile": str(ssl_key)} if ssl_cert else {}
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2, server_header=False, **files
        )
        self._server = _Server(config)
        self._scheme = "https" if ssl_cert else "http"
        self._socket = listening
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        if self._socket is None:
            raise RuntimeError("the server has not been started")
        return ports.number(self._socket)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Serve. Requests that come at once wait in the socket's backlog."""
        bound = self._socket = self._socket or ports.listen()
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [bound]}, name=f"server-{self.port}", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(STOP_WITHIN)
            self._thread = None
        if self._socket is not None:
            self._socket.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
