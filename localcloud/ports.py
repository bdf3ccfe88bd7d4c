"""Ports on this machine: the usual ones where they are free. Who gets one holds it from then on, so that nobody can come between."""

from __future__ import annotations

import socket
from collections.abc import Callable

from localcloud.errors import CloudError

LOOPBACK = "127.0.0.1"


def listen(port: int = 0) -> socket.socket:
    """A socket that listens, at any free port for 0: whoever connects waits until it is served. Raises OSError when it is taken."""
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
        # Two may have bound it, for the first did not listen yet: this is what one of them fails at.
        listening.listen(512)
    except OSError:
        listening.close()
        raise
    return listening


def usual_or_free(usual: int, say: Callable[[str], None]) -> socket.socket:
    """Listens at the usual port, or at any other when somebody has taken it."""
    try:
        return listen(usual)
    except OSError:
        say(f"port {usual} is taken: using another one")
        return listen()


def insist(port: int) -> socket.socket:
    """Listens at the port that the user asked for; raises CloudError when it is taken."""
    try:
        return listen(port)
    except OSError:
        raise CloudError(f"port {port} is taken by another program: stop it, or choose another port with --port") from None


def number(listening: socket.socket) -> int:
    """The port at which it listens."""
    return int(listening.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with listen() as probe:
        return number(probe)
