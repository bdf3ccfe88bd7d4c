"""Starting a worker process: it loads the app while the host still imports what it needs itself, which is most of a start's time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from .settings import HostSettings

CHECKOUT = Path(__file__).resolve().parents[2]
STANDARD_ERROR = 2
LOG_LEVELS = {
    "trace": "DEBUG",
    "debug": "DEBUG",
    "information": "INFO",
    "warning": "WARNING",
    "error": "ERROR",
    "critical": "CRITICAL",
    "none": "CRITICAL",
}


class Spawned(NamedTuple):
    """A worker process that has just been started, and the host's end of what they talk through."""

    process: subprocess.Popen[bytes]
    connection: socket.socket


def spawn(settings: HostSettings) -> Spawned:
    """Start a worker process; it ends when the connection is closed."""
    ours, theirs = socket.socketpair()
    with theirs:
        return Spawned(_start(settings, theirs.fileno()), ours)


def _start(settings: HostSettings, descriptor: int) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(part for part in (str(CHECKOUT), settings.environment.get("PYTHONPATH", "")) if part)
    level = LOG_LEVELS.get(settings.log_level.lower(), "INFO")
    python = settings.worker_python or sys.executable
    return subprocess.Popen(
        [str(python), "-m", "localcloud.host.worker", str(settings.app), str(descriptor), settings.engine],
        env={**settings.environment, "PYTHONPATH": path, "LOCALCLOUD_LOG_LEVEL": level},
        cwd=settings.app,
        pass_fds=[descriptor],
        stdin=subprocess.PIPE,
        stdout=STANDARD_ERROR,  # what the app prints belongs into the log; the host's own output has its ready line only
    )
