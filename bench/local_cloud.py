"""The local cloud: how long it takes to start and to reset, part by part, and a run of three steps in a test's cloud.

Seconds of the wall and of processors: the former depend on what else the machine does. Containers are processes.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from examples.testing import steps
from localcloud.azure import Azure
from localcloud.azurite import Azurite
from localcloud.child import HostChild
from localcloud.cloud import Cloud
from localcloud.testing.cloud import CloudUnderTest, images_in
from localcloud.testing.settings import quick_settings

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = ROOT / "examples" / "testing" / "workflows"
PARTS = ((Azurite, "start", "storage"), (Azure, "start", "ARM, vaults, identities"), (HostChild, "start", "functions"))
RUNS = 7


def measure() -> Iterator[str]:
    """Starting, by the command line and by part; resetting; running."""
    yield f"imports: {_imports():.2f} s"
    yield f"python -m localcloud up -d: {_up():.2f} s"
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        images = images_in(folder)
        spent: dict[str, float] = {}
        for kind, method, part in PARTS:
            stack.enter_context(_timed(kind, method, part, spent))
        began, cpu = time.monotonic(), _cpu()
        cloud = stack.enter_context(Cloud(_settings(folder, images.file)))
        yield f"start: {time.monotonic() - began:.2f} s, {_cpu() - cpu:.2f} s of this process's processor"
        yield "  of which, partly at once: " + ", ".join(f"{part} {seconds:.2f} s" for part, seconds in spent.items())
        under_test = CloudUnderTest(cloud, images)
        yield from _runs(under_test)
        under_test.assert_nothing_left()
        began = time.monotonic()
        cloud.reset()
        yield f"reset: {time.monotonic() - began:.2f} s"


def _runs(cloud: CloudUnderTest) -> Iterator[str]:
    for step in (steps.split, steps.count, steps.report):
        cloud.image(f"example.azurecr.io/words/{step.__name__}:1", step)
    taken = []
    for _ in range(RUNS):
        began = time.monotonic()
        cloud.run("count-words", text="a b a").wait("succeeded")
        taken.append(time.monotonic() - began)
    rest = sorted(taken[1:])
    yield f"a run of three steps: first {taken[0]:.2f} s, then median {statistics.median(rest):.2f} s, fastest {rest[0]:.2f} s"


def _settings(folder: Path, images: Path) -> Any:
    return replace(quick_settings(folder / "cloud", app=ROOT, workflows=WORKFLOWS), images=(images,))


@contextmanager
def _timed(kind: type, method: str, part: str, spent: dict[str, float]) -> Iterator[None]:
    original: Callable[..., Any] = getattr(kind, method)

    def timed(*arguments: Any, **options: Any) -> Any:
        began = time.monotonic()
        try:
            return original(*arguments, **options)
        finally:
            spent.setdefault(part, time.monotonic() - began)

    with patch.object(kind, method, timed):
        yield


def _imports() -> float:
    return _command_of("-c", "import localcloud.cloud")


def _up() -> float:
    with tempfile.TemporaryDirectory() as folder:
        spent = _command_of("-m", "localcloud", "up", "-d", "--app", str(ROOT), folder=folder)
        _command_of("-m", "localcloud", "down", folder=folder)
    return spent


def _command_of(*words: str, folder: str | None = None) -> float:
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, *words], check=True, cwd=folder or ROOT, env=environment, capture_output=True)
    return time.monotonic() - began


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
