"""Who may look into which container: sessions that a POST opens and a WebSocket then takes, each once."""

from __future__ import annotations

import hmac
import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from localcloud.containers import Container, Terminal
from localcloud.containers.logs import STAMP, lines, unstamped

KEPT = 100  # sessions that nobody has taken yet
LOOK = 0.2  # seconds between looks at a container's log

Opening = Callable[[], Terminal]


@dataclass(frozen=True)
class Session:
    """`open` begins it. Raises OSError when the container cannot do that any more."""

    password: str
    open: Opening

    def admits(self, password: str) -> bool:
        return hmac.compare_digest(password.encode(), self.password.encode())


class Sessions:
    """Used by the handlers and by the WebSockets, on threads of their own."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}  # the oldest first
        self._lock = threading.Lock()

    def add(self, opening: Opening) -> tuple[str, str]:
        """The new session's id and password."""
        key, session = str(uuid.uuid4()), Session(secrets.token_urlsafe(24), opening)
        with self._lock:
            self._sessions[key] = session
            if len(self._sessions) > KEPT:
                del self._sessions[next(iter(self._sessions))]
        return key, session.password

    def take(self, key: str) -> Session | None:
        with self._lock:
            return self._sessions.pop(key, None)


class Following:
    """The output of a container from now on, line by line, until it ends."""

    def __init__(self, container: Container, runs: Callable[[], bool]) -> None:
        self._container = container
        self._runs = runs
        self._closed = threading.Event()
        self._seen = self._stamp(lines(container.log()))

    def read(self) -> bytes:
        while not self._closed.is_set():
            # Asked before the look: what an ended container wrote last is there by then.
            ended = not self._runs()
            if (new := self._new(whole=ended)) or ended:
                return new
            self._closed.wait(LOOK)
        return b""

    def write(self, data: bytes) -> None:
        """Nobody reads it: a container's input is not attached."""

    def close(self) -> int:
        self._closed.set()
        return 0

    def _new(self, *, whole: bool) -> bytes:
        every = lines(self._container.log())
        if every and not whole and not every[-1].endswith(b"\n"):
            every.pop()  # it is not over yet
        new = [line for line in every if line[:STAMP] > self._seen]
        self._seen = self._stamp(every)
        return unstamped(b"".join(new))

    def _stamp(self, every: list[bytes]) -> bytes:
        return every[-1][:STAMP] if every else b""
