"""Ports on this machine: the usual ones where they are free."""

from __future__ import annotations

import socket
from collections.abc import Callable

from localcloud.errors import CloudError


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def usual_or_free(usual: int, say: Callable[[str], None]) -> int:
    """The usual port, or any other when somebody has taken it."""
    if is_free(usual):
        return usual
    say(f"port {usual} is taken: using another one")
    return free_port()


def insist(port: int) -> int:
    """The port that the user asked for; raises CloudError when it is taken."""
    if not is_free(port):
        raise CloudError(f"port {port} is taken by another program: stop it, or choose another port with --port")
    return port
