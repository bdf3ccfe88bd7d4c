"""`up`: in the foreground until Ctrl-C, or in the background, which returns when the cloud is ready."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from localcloud.cli.errors import Trouble
from localcloud.settings import CloudSettings
from localcloud.statefile import StateFile, is_alive

if TYPE_CHECKING:  # what `up` alone needs takes long to import
    from localcloud.cloud import Cloud

MOMENT = 0.05  # seconds
READY_TIMEOUT = 150.0
DOWN_TIMEOUT = 40.0


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


def say(line: str) -> None:
    """Tell the user."""
    click.echo(f"localcloud: {line}")
    sys.stdout.flush()


def in_foreground(settings: CloudSettings) -> None:
    """Start, say how to use it, wait for Ctrl-C or SIGTERM, stop."""
    stop = StopRequest()
    sys.unraisablehook = stop.lost
    for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGINT):  # a shell has SIGINT ignored for what it starts in the background
        signal.signal(number, stop)
    cloud: Cloud | None = None
    try:
        with suppress(KeyboardInterrupt):
            from localcloud.cloud import Cloud

            cloud = Cloud(settings)
            _run(cloud, stop)
        say("stopping")
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        # Another Ctrl-C does not wait: the children follow this process.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _give_up)
        if cloud:
            cloud.stop()


def in_background(arguments: Sequence[str], folder: Path) -> dict[str, Any]:
    """Start another process with these arguments; what its state file says, when it is ready."""
    StateFile(folder).refuse_if_running()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = folder / "up.log"
    log.unlink(missing_ok=True)  # whoever could read that one
    with open(log, "xb", opener=_for_its_owner) as output:  # it says the key
        process = subprocess.Popen(
            [sys.executable, "-m", "localcloud", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return {**_until_ready(process, folder, log), "log": str(log)}
    except BaseException:
        process.terminate()
        raise


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _until_ready(process: subprocess.Popen[bytes], folder: Path, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + READY_TIMEOUT
    while not (found := _found(folder, process.pid)):
        if process.poll() is not None:
            raise Trouble(f"it did not start: {_last_line(log)} (the whole log: {log})")
        if time.monotonic() > deadline:
            raise Trouble(f"it was not ready after {READY_TIMEOUT:.0f} s: see {log}")
        time.sleep(MOMENT)
    return found


def end(pid: int) -> None:
    """Stop the supervisor and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_TIMEOUT
    while is_alive(pid):
        if time.monotonic() > deadline:
            raise Trouble(f"process {pid} does not stop: look at what it does, or kill it")
        time.sleep(MOMENT)


def _run(cloud: Cloud, stop: StopRequest) -> None:
    cloud.start()
    _introduce(cloud)
    while not stop.made:
        time.sleep(1.0)
        cloud.check()


def _introduce(cloud: Cloud) -> None:
    from localcloud.workflows import WorkflowApi

    say(f"address   {cloud.url}")
    say(f"key       {cloud.key}")
    if workflow := WorkflowApi(cloud.url, cloud.key).startable():
        click.echo(
            f"\nstart a run:\n  curl -X POST -H 'x-functions-key: {cloud.key}' -d '{{}}' {cloud.url}/api/workflows/{workflow}/runs\n"
        )
    click.echo("Ctrl-C stops it.")
    sys.stdout.flush()


def _found(folder: Path, pid: int) -> dict[str, Any] | None:
    found = StateFile(folder).read()
    return found if found and found["pid"] == pid else None


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("localcloud: ") if lines else "it said nothing"


def _give_up(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(1)
