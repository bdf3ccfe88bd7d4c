"""`python -m localcloud.host --app DIR`: run a function app on this machine."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud import ports

from .lifeline import end_with_parent
from .runtime_environment import find_python, make_environment
from .settings import HostError, HostSettings, read_settings
from .spawning import Spawned, spawn

if TYPE_CHECKING:  # it imports much, while the worker loads the app
    from .host import Host

RESTART_PAUSE = 1.0  # seconds: about what the platform takes to start a host that has shut down

log = logging.getLogger("host")


def main() -> int:
    """Run until SIGTERM or Ctrl-C; 1 when the app cannot be run, with the reason on standard error."""
    try:
        settings = _arguments()
        os.environ.update(settings.environment)  # the identity client reads IDENTITY_ENDPOINT from there
        logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("azure").setLevel(logging.WARNING)
        if settings.watch_parent:
            end_with_parent()
        with _listening(settings) as listening:
            asyncio.run(_serve(settings, listening, spawn(settings)))
    except HostError as error:
        print(f"host: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _arguments() -> HostSettings:
    parser = argparse.ArgumentParser(prog="localcloud.host", description="Run a function app on this machine.")
    parser.add_argument("--app", type=Path, default=Path(), help="folder of function_app.py")
    parser.add_argument("--port", type=int, help="0 takes a free one (default: local.settings.json's, or 7071)")
    parser.add_argument("--socket", type=int, metavar="DESCRIPTOR", help="an inherited socket that listens, instead of a port")
    parser.add_argument("--keys", type=Path, help="JSON file of the keys; written when it does not exist")
    parser.add_argument("--state", type=Path, help="folder for what outlives the host: the timers' status")
    parser.add_argument(
        "--engine", choices=("sdk", "runtime"), default="sdk", help="runtime: Microsoft's own worker library, on Python 3.13"
    )
    parser.add_argument("--engine-python", metavar="PYTHON", help="the Python 3.13 for --engine runtime (default: looked for)")
    parser.add_argument("--watch-parent", action="store_true", help="stop when standard input is closed")
    given = parser.parse_args()
    python = make_environment(find_python(given.engine_python), given.app) if given.engine == "runtime" else None
    return read_settings(
        given.app,
        os.environ,
        port=given.port,
        socket=given.socket,
        keys_file=given.keys,
        state=given.state,
        watch_parent=given.watch_parent,
        engine=given.engine,
        worker_python=python,
    )


async def _serve(settings: HostSettings, listening: socket.socket, spawned: Spawned) -> None:
    """Run the host, and again when it has shut down on an error, as the platform does; requests wait in the meantime."""
    from .host import Host, ShutDown

    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(32, thread_name_prefix="host"))
    stopping = asyncio.Event()
    first: Spawned | None = spawned
    while not stopping.is_set():
        try:
            await _run_once(Host(settings, listening.dup(), first), stopping)
        except ShutDown as error:
            log.error("An unhandled exception has occurred. Host is shutting down. %s", error)  # noqa: TRY400 - the host's last word
            await _pause(stopping)
        first = None


async def _run_once(host: Host, stopping: asyncio.Event) -> None:
    def stop() -> None:
        stopping.set()
        host.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await host.run()
    stopping.set()


async def _pause(stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RESTART_PAUSE):
            await stopping.wait()


def _listening(settings: HostSettings) -> socket.socket:
    """From now on requests wait instead of being refused."""
    if settings.socket is None:
        try:
            return ports.listen(settings.port)
        except OSError:
            raise HostError(f"port {settings.port} is taken: stop what listens there or choose another with --port") from None
    try:
        return socket.socket(fileno=settings.socket)
    except (OSError, ValueError) as error:
        raise HostError(f"--socket {settings.socket} is no socket that listens: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
