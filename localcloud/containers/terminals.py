"""Commands at terminals of their own, as plain processes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from localcloud.containers import login

LOOK = 0.1  # seconds between looks at whether the command has ended without closing its terminal
CHUNK = 65536  # bytes


class ProcessTerminal:
    """A command in a folder with an environment. What it starts belongs to its session and ends with it."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], folder: Path, rows: int, cols: int) -> None:
        self._master, slave = pty.openpty()
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
            starter = [sys.executable, "-I", "-S", login.__file__, *command]
            self._process = subprocess.Popen(
                starter, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env={"TERM": "xterm", **env}, close_fds=True
            )
        except OSError:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        self._using = threading.Lock()  # the terminal is not closed while somebody reads
        self._closed = False

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def read(self) -> bytes:
        """What was written; nothing when the command has ended, also if something that it has left behind goes on."""
        with self._using:
            while not self._closed:
                # Asked before the look: what an ended command wrote last is there by then.
                ended = not self.runs
                if select.select([self._master], [], [], 0 if ended else LOOK)[0]:
                    with suppress(OSError):  # nobody has the terminal open any more
                        return os.read(self._master, CHUNK)
                    return b""
                if ended:
                    return b""
        return b""

    def write(self, data: bytes) -> None:
        if not self._closed and self.runs:
            with suppress(OSError):
                os.write(self._master, data)

    def close(self) -> int:
        code = self.kill()
        self._closed = True
        with self._using:
            if self._master >= 0:
                os.close(self._master)
                self._master = -1
        return code

    def kill(self) -> int:
        """At once, with its session (which it may not have made yet) and with what it has left there; its exit code."""
        for send in (os.killpg, os.kill) if self.runs else (os.killpg,):
            with suppress(ProcessLookupError, PermissionError):
                send(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        return code if code >= 0 else 128 - code
