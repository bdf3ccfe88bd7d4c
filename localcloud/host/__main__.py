"""`python -m localcloud.host --app DIR`: run a function app on this machine."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from .host import Host
from .lifeline import end_with_parent
from .settings import HostError, HostSettings, read_settings


def main() -> int:
    """Run until SIGTERM or Ctrl-C; 1 when the app cannot be run, with the reason on standard error."""
    try:
        settings = _arguments()
        os.environ.update(settings.environment)  # the identity client reads IDENTITY_ENDPOINT from there
        logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("azure").setLevel(logging.WARNING)
        asyncio.run(_serve(settings))
    except HostError as error:
        print(f"host: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _arguments() -> HostSettings:
    parser = argparse.ArgumentParser(prog="localcloud.host", description="Run a function app on this machine.")
    parser.add_argument("--app", type=Path, default=Path(), help="folder of function_app.py")
    parser.add_argument("--port", type=int, default=7071, help="0 takes a free one")
    parser.add_argument("--socket", type=int, metavar="DESCRIPTOR", help="an inherited socket that listens, instead of a port")
    parser.add_argument("--keys", type=Path, help="JSON file of the keys; written when it does not exist")
    parser.add_argument("--state", type=Path, help="folder for what outlives the host: the timers' status")
    parser.add_argument("--watch-parent", action="store_true", help="stop when standard input is closed")
    given = parser.parse_args()
    return read_settings(
        given.app,
        os.environ,
        port=given.port,
        socket=given.socket,
        keys_file=given.keys,
        state=given.state,
        watch_parent=given.watch_parent,
    )


async def _serve(settings: HostSettings) -> None:
    host = Host(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.stop)
    if settings.watch_parent:
        end_with_parent()
    await host.run()


if __name__ == "__main__":
    sys.exit(main())
