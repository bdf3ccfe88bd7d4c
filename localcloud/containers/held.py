"""A tree of processes that `init` holds: with a log, an end that is told, and nothing left of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from localcloud.containers import init
from localcloud.containers.runtime import OOM_KILLED, Ended
from localcloud.containers.terminals import ProcessTerminal

KEPT_LOG = 4 * 1024 * 1024  # bytes of a log that are readable: ACI's limit for a running container
KILLED = 137


class Held:
    """Runs at once, in `work` below its folder, which goes when it has been stopped. `options` are `init`'s."""

    address: str = "127.0.0.1"  # a process listens on this machine

    def __init__(self, command: Sequence[str], env: Mapping[str, str], folder: Path, options: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self._env = dict(env)
        self._terminals: list[ProcessTerminal] = []
        self._log = folder / "log"
        self._stopped = False
        words = [str(folder / "work"), str(self._log), json.dumps(options or {}), *command]
        starter = [sys.executable, "-I", "-S", init.__file__, *words]
        self._process = subprocess.Popen(starter, env=self._env, stdin=subprocess.PIPE, start_new_session=True)
        self._thread: threading.Thread | None = None

    def watch(self, ended: Ended, gone: Callable[[Self], None]) -> None:
        """Report the end: to `gone` always, to `ended` unless it was stopped."""

        def wait() -> None:
            code = self._process.wait()
            self._cut()
            for terminal in self._terminals:
                terminal.kill()
            code, detail = self.settle(code)
            gone(self)
            if self._stopped:
                shutil.rmtree(self.folder, ignore_errors=True)
            else:
                ended(code, detail)

        self._thread = threading.Thread(target=wait, name=f"container-{self._process.pid}", daemon=True)
        self._thread.start()

    def settle(self, code: int) -> tuple[int, str]:
        """Called once it has ended: its exit code and more about it."""
        return code, OOM_KILLED if code == KILLED and (self.folder / "oom").exists() else ""

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Once it has ended."""
        return self._process.poll()

    def log(self) -> bytes:
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - KEPT_LOG))
                data = file.read()
        except FileNotFoundError:
            return b""
        return data if len(data) < KEPT_LOG else data[data.find(b"\n") + 1 :]

    def stop(self, grace: float) -> None:
        self._stopped = True
        if self._process.poll() is not None:
            # At the side: whoever stops it may hold a lock, and there may be many files.
            threading.Thread(target=shutil.rmtree, args=(self.folder,), kwargs={"ignore_errors": True}, daemon=True).start()
            return
        self._process.terminate()
        timer = threading.Timer(grace, self._cut)
        timer.daemon = True
        timer.start()

    def execute(self, command: Sequence[str], rows: int, cols: int) -> ProcessTerminal:
        if self._process.poll() is not None:
            raise ProcessLookupError("the container has ended")
        terminal = self.open_terminal(command, rows, cols)
        self._terminals = [*(one for one in self._terminals if one.runs), terminal]
        if self._process.poll() is not None:  # just now, and it may have been overlooked when all others were killed
            terminal.kill()
        return terminal

    def open_terminal(self, command: Sequence[str], rows: int, cols: int) -> ProcessTerminal:
        """A terminal with a further command."""
        return ProcessTerminal(command, self._env, self.folder / "work", rows, cols)

    def kill(self) -> None:
        """At once, with all its children."""
        self._stopped = True
        self._cut()

    def join(self, timeout: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout)

    def _cut(self) -> None:
        """Close the lifeline: `init` kills everything and ends."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
