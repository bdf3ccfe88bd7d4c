"""The Functions host as a child process, which ends when its parent does, even one that was killed."""

from __future__ import annotations

import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from localcloud.errors import CloudError

READY = re.compile(r"host: ready on (http://\S+)")
START_TIMEOUT = 120.0  # a few seconds on an idle machine
STOP_TIMEOUT = 25.0  # the host gives running functions 10 s, and its server as much
FOREIGN = ("AzureWebJobs", "AzureFunctionsJobHost", "AZURE_", "IDENTITY_", "MSI_", "LOADME_", "WEBSITE_")
CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True)
class HostCommand:
    """How the host is started; `folder` keeps its keys, its timers' status and its log.

    `socket` is the descriptor of one that listens at `port`: whoever calls while the host is being restarted waits.
    `kept_log` is where a copy of the log goes that somebody is told to read: the folder may be gone by then.
    """

    app: Path
    port: int
    folder: Path
    environment: Mapping[str, str]
    kept_log: Path | None = None
    socket: int | None = None
    engine: str = "sdk"
    engine_python: str | None = None

    @property
    def keys(self) -> Path:
        """The file of the app's keys."""
        return self.folder / "keys.json"

    @property
    def log(self) -> Path:
        """What the host and the app log."""
        return self.folder / "host.log"

    @property
    def words(self) -> list[str]:
        """The command line."""
        place = ["--port", self.port] if self.socket is None else ["--socket", self.socket]
        files = ["--app", self.app, "--keys", self.keys, "--state", self.folder]
        engine = ["--engine", self.engine, *(["--engine-python", self.engine_python] if self.engine_python else [])]
        return [str(word) for word in [sys.executable, "-m", "localcloud.host", *place, *files, *engine, "--watch-parent"]]


class HostChild:
    """One running host. `start` returns when it is ready."""

    def __init__(self, command: HostCommand) -> None:
        self.command = command
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        """The host's process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """How it ended, if it did without being told to."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it; raises CloudError with the app's own error when it cannot be loaded."""
        self.command.folder.mkdir(parents=True, exist_ok=True)
        with self.command.log.open("ab") as log:
            began = log.tell()
            self._process = self._spawn(log)
        try:
            self.url = _await_ready(self._process)
        except BaseException as error:
            self.stop()
            if isinstance(error, CloudError):
                raise CloudError(f"{error}: {self._explanation(began)}") from None
            raise

    def stop(self) -> None:
        """Stop it gracefully; kill it when it does not."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None  # only now: a Ctrl-C in between leaves it to the next who stops it
        # Standard output is closed by the thread that reads it: closing it here would wait for whoever else may have it open.
        if process.stdin:
            with suppress(OSError):
                process.stdin.close()

    def kill(self) -> None:
        """Kill it, as a crash of the machine would."""
        if self._process:
            self._process.kill()
            self.stop()

    def keep_log(self) -> Path:
        """Where the log can be read even when the host's folder is gone."""
        if self.command.kept_log is None:
            return self.command.log
        return Path(shutil.copyfile(self.command.log, self.command.kept_log))

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[str]:
        path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH", ""))))
        environment = {**_machine(os.environ), **self.command.environment, "PYTHONPATH": path}
        # A process group of its own keeps the terminal's Ctrl-C from it: the supervisor decides in which order things end.
        return subprocess.Popen(
            self.command.words,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            process_group=0,
            pass_fds=() if self.command.socket is None else (self.command.socket,),
        )

    def _explanation(self, began: int) -> str:
        with self.command.log.open("rb") as log:
            log.seek(began)
            lines = log.read().decode(errors="replace").splitlines()
        reasons = [line.removeprefix("host: ") for line in lines if line.startswith("host: ")]
        return f"{reasons[-1] if reasons else 'it said nothing'} (the whole log: {self.keep_log()})"


def _machine(environment: Mapping[str, str]) -> dict[str, str]:
    """This machine's environment without settings of Azure's, which are some other app's; its proxies know nothing of what is here."""
    own = {name: value for name, value in environment.items() if not name.startswith(FOREIGN)}
    return {**own, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


def _await_ready(process: subprocess.Popen[str]) -> str:
    """The address of its ready line. Reading goes on in a thread, so that the child never blocks on a full pipe."""
    found: queue.Queue[str] = queue.Queue()

    def read() -> None:
        with process.stdout or nullcontext(()) as lines:
            for line in lines:
                if match := READY.match(line):
                    found.put(match.group(1))
        found.put("")

    threading.Thread(target=read, daemon=True, name="host-output").start()
    try:
        url = found.get(timeout=START_TIMEOUT)
    except queue.Empty:
        raise CloudError(f"the Functions host was not ready after {START_TIMEOUT:.0f} s") from None
    if not url:
        raise CloudError("the Functions host did not start")
    return url
