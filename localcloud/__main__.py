"""`python -m localcloud up`: the Azure that loadme needs, on this machine, until Ctrl-C. `down` ends it, `status` looks."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from localcloud.errors import CloudError
from localcloud.settings import CloudSettings
from localcloud.statefile import StateFile, is_alive

if TYPE_CHECKING:  # what `up` alone needs takes two seconds to import
    from localcloud.cloud import Cloud

STATE = Path(".localcloud")
DOWN_TIMEOUT = 40.0
MOMENT = 0.05  # seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 1 with one line on standard error when it cannot be done."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.command(given))
    except CloudError as error:
        print(f"localcloud: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def up(given: argparse.Namespace) -> int:
    """Start, say how to use it, wait for Ctrl-C or SIGTERM, stop."""
    from localcloud.cloud import Cloud

    stop = StopRequest()
    sys.unraisablehook = stop.lost
    for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGINT):  # a shell has SIGINT ignored for what it starts in the background
        signal.signal(number, stop)
    cloud = Cloud(_settings(given))
    try:
        with suppress(KeyboardInterrupt):
            _run(cloud, stop)
        _say("stopping")
        return 0
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        # Another Ctrl-C does not wait: the children follow this process.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _give_up)
        cloud.stop()


class StopRequest:
    """Handles a signal as Ctrl-C, and remembers it: raised in a finaliser or a callback, the exception is lost."""

    def __init__(self) -> None:
        self.made = False

    def __call__(self, _number: int, _frame: FrameType | None) -> NoReturn:
        self.made = True
        raise KeyboardInterrupt

    def lost(self, unraisable: sys.UnraisableHookArgs) -> None:
        """For `sys.unraisablehook`: when the exception got lost so, it is raised once more a moment later."""
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, MOMENT)
        else:
            sys.__unraisablehook__(unraisable)


def _run(cloud: Cloud, stop: StopRequest) -> None:
    cloud.start()
    _introduce(cloud)
    while not stop.made:
        time.sleep(1.0)
        cloud.check()


def down(_given: argparse.Namespace) -> int:
    """Stop the one that is up in this folder, and wait until it is gone."""
    found = StateFile(STATE).read()
    if not found:
        _say("none is up in this folder")
        return 0
    pid = int(found["pid"])
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_TIMEOUT
    while is_alive(pid):
        if time.monotonic() > deadline:
            raise CloudError(f"process {pid} does not stop: look at what it does, or kill it")
        time.sleep(0.1)
    _say("stopped")
    return 0


def status(_given: argparse.Namespace) -> int:
    """Say whether one is up in this folder; exit code 3 when none is."""
    found = StateFile(STATE).read()
    _say(f"up at {found['url']} (process {found['pid']}), ARM at {found['arm']}" if found else "none is up in this folder")
    return 0 if found else 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="localcloud", description="The Azure that loadme needs, on this machine.")
    commands = parser.add_subparsers(required=True, metavar="up | down | status")
    start = commands.add_parser("up", help="start it and wait for Ctrl-C")
    start.set_defaults(command=up)
    start.add_argument("--app", type=Path, default=Path(), help="folder of function_app.py (default: this one)")
    start.add_argument("--images", type=Path, action="append", default=[], metavar="FILE", help="another image map; may be repeated")
    start.add_argument("--workflows", type=Path, help="folder of workflow files (default: the app's)")
    start.add_argument("--port", type=_port, help="port of the function app (default: 7071, or a free one)")
    start.add_argument("--scale", type=_scale, default=0.05, help="1 makes provisioning as slow as Azure's (default: 0.05)")
    start.add_argument("--seed", type=int, default=0, help="decides which unpleasant coincidences happen")
    start.add_argument("--secrets", type=_secrets, default={}, metavar="FILE", help="YAML with secrets for vaults: {vault: {name: value}}")
    start.add_argument("--keep", action="store_true", help="keep storage from one start to the next")
    start.add_argument(
        "--set", type=_setting, action="append", default=[], metavar="NAME=VALUE", help="a setting of the app; may be repeated"
    )
    for name, command, text in (("down", down, "stop the one that is up here"), ("status", status, "say whether one is up here")):
        commands.add_parser(name, help=text).set_defaults(command=command)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port: give a number from 1 to 65535")
    return int(text)


def _setting(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"{text} is not a setting: give NAME=VALUE, such as LOADME_EVENTS=runs,steps")
    return name, value


def _secrets(text: str) -> dict[str, dict[str, str]]:
    import yaml

    try:
        found = yaml.safe_load(Path(text).read_text())
        return {str(vault): {str(name): str(value) for name, value in of.items()} for vault, of in (found or {}).items()}
    except (OSError, UnicodeError, AttributeError, yaml.YAMLError) as error:
        raise argparse.ArgumentTypeError(f"{text} is no file of secrets, like {{vault: {{name: value}}}}: {error}") from None


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not a scale: give a number above 0, such as 0.05")
    return scale


def _settings(given: argparse.Namespace) -> CloudSettings:
    return CloudSettings(
        app=given.app,
        folder=STATE,
        images=tuple(given.images),
        workflows=given.workflows,
        port=given.port,
        scale=given.scale,
        arm=dataclasses.replace(CloudSettings().arm, seed=given.seed),
        keep=given.keep,
        environment=dict(given.set),
        secrets=given.secrets,
        watch=True,
        say=_say,
    )


def _introduce(cloud: Cloud) -> None:
    from localcloud.workflows import WorkflowApi

    _say(f"address   {cloud.url}")
    _say(f"key       {cloud.key}")
    if workflow := WorkflowApi(cloud.url, cloud.key).startable():
        print(f"\nstart a run:\n  curl -X POST -H 'x-functions-key: {cloud.key}' -d '{{}}' {cloud.url}/api/workflows/{workflow}/runs\n")
    print("Ctrl-C stops it.", flush=True)


def _say(line: str) -> None:
    print(f"localcloud: {line}", flush=True)


def _give_up(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
