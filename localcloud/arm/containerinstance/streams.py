"""The WebSockets of exec and attach: the first message is the session's password, then what is typed; what comes back is the output.

Output is sent as text, which Azure's own command line writes to a terminal as it is.
"""

from __future__ import annotations

import asyncio
import codecs
import threading
from contextlib import suppress

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from localcloud.arm.containerinstance.sessions import Session, Sessions
from localcloud.containers import Terminal

PATHS = {"exec": "/execstream/sessionId/", "attach": "/logstream/sessionId/"}
AHEAD = 16  # pieces of output that may wait for the client
_REFUSED, _FAILED = 1008, 1011  # <RFC 6455>


def stream_routes(sessions: Sessions) -> list[WebSocketRoute]:
    async def stream(socket: WebSocket) -> None:
        session = sessions.take(socket.path_params["session"])
        if session is None:
            await socket.close(_REFUSED)  # before it was accepted: the client sees 403
            return
        await socket.accept()
        with suppress(WebSocketDisconnect):
            await _serve(socket, session)

    return [WebSocketRoute(f"{path}{{session}}", stream) for path in PATHS.values()]


async def _serve(socket: WebSocket, session: Session) -> None:
    if not session.admits((await _receive(socket)).decode(errors="replace")):
        await socket.close(_REFUSED)
        return
    try:
        terminal = await asyncio.to_thread(session.open)
    except OSError as error:
        await socket.send_text(f"{error}\r\n")
        await socket.close(_FAILED)
        return
    pump = _Pump(terminal)
    try:
        await _talk(socket, terminal, pump)
    finally:
        pump.stop()
        terminal.close()


async def _talk(socket: WebSocket, terminal: Terminal, pump: _Pump) -> None:
    """Until the command ends, which closes the socket, or the client goes."""
    tasks = [asyncio.create_task(_type(socket, terminal)), asyncio.create_task(_show(socket, pump))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        gone, over = (task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if over and not gone:
        await socket.close()


async def _type(socket: WebSocket, terminal: Terminal) -> None:
    while True:
        data = await _receive(socket)
        await asyncio.to_thread(terminal.write, data)


async def _show(socket: WebSocket, pump: _Pump) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while data := await pump.next():
        # A character may be cut in two.
        if text := decoder.decode(data):
            await socket.send_text(text)


async def _receive(socket: WebSocket) -> bytes:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text = message.get("text")
    return text.encode() if text is not None else message.get("bytes") or b""


class _Pump:
    """Reads a terminal on a thread of its own, and not much further than the client has got."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._loop = asyncio.get_running_loop()
        self._output: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = threading.Semaphore(AHEAD)
        self._stopped = False
        threading.Thread(target=self._run, name="terminal", daemon=True).start()

    async def next(self) -> bytes:
        """The next piece; nothing at the end."""
        data = await self._output.get()
        self._room.release()
        return data

    def stop(self) -> None:
        self._stopped = True
        self._room.release()

    def _run(self) -> None:
        data = b"more"
        while data and not self._stopped:
            data = self._terminal.read()
            self._room.acquire()
            with suppress(RuntimeError):  # the server is gone
                self._loop.call_soon_threadsafe(self._output.put_nowait, data)
