"""What a test is given: a cloud that is up for the whole session, clean for each test."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from localcloud.azure import Azure
from localcloud.azurite import Azurite
from localcloud.cloud import Cloud
from localcloud.controls import Controls
from localcloud.errors import CloudError
from localcloud.testing.api import Api
from localcloud.testing.images import Images
from localcloud.testing.run import Run

PATIENCE = 30.0  # seconds for container groups to be deleted: the app looks 2 s after a step's end
STOP_WITHIN = 10.0  # seconds for the runs that a test leaves behind to end
MOMENT = 0.05
OF_RUN = re.compile("lm-([0-9a-z]{20})-")
LEEWAY = 60.0  # seconds by which the clock may be ahead when the next test begins


class CloudUnderTest(Controls):
    """Starts runs, scripts faults, reads back calls. Faults, calls, images and the clock are those of one test."""

    def __init__(self, cloud: Cloud, images: Images) -> None:
        self.local = cloud
        self._images = images
        self._api = Api(cloud.host.url, cloud.key)
        self.runs: list[Run] = []
        self._before: Set[str] = frozenset()

    @property
    def azure(self) -> Azure:
        """ARM, vaults and identities."""
        return self.local.azure

    @property
    def azurite(self) -> Azurite:
        """Storage."""
        return self.local.azurite

    def start(self, workflow: str, **variables: Any) -> Run:
        """Start a run. Raises an AssertionError with the app's own words when it is refused."""
        run = Run(self._api, self._api.start(workflow, variables))
        self.runs.append(run)
        return run

    def run(self, workflow: str, *, timeout: float = 60.0, **variables: Any) -> Run:
        """Start a run and wait until it is over."""
        return self.start(workflow, **variables).wait(timeout=timeout)

    def image(
        self, name: str, made_of: Sequence[str] | Callable[..., Any], *, env: Mapping[str, str] | None = None, runner: bool = True
    ) -> None:
        """Until the end of the test this image is a command, or a function of a module that gets variables and returns outputs.

        A command runs under loadme's runner, so that it can give outputs back, or as it is without `runner`.
        """
        if self.local.settings.containers != "processes":
            raise CloudError(f"real containers run real images: push {name} to a registry instead of making it in a test")
        self._images.add(name, made_of, env or {}, runner=runner)

    def assert_nothing_left(self, timeout: float = PATIENCE) -> None:
        """Wait until all container groups are deleted. Raises an AssertionError that names those that are not."""
        deadline = time.monotonic() + timeout
        while left := sorted(name for name, group in self.groups().items() if group["exists"]):
            if time.monotonic() > deadline:
                raise AssertionError(f"container groups are left after {timeout:g} s: {', '.join(left)}")
            time.sleep(0.1)

    def begin(self) -> None:
        """Clean, for a test."""
        self.clear_faults()
        self.clear_calls()
        self._before = self.groups().keys()

    def end(self) -> None:
        """After a test: what it began is stopped, what it changed is taken back. A function app that does not answer is not waited for."""
        try:
            self._take_back()
            self._api.hurry()
            self._stop_runs()
        finally:
            self._api.close()
        # What is still called to clean up after this test is none of the next one's.
        self.azure.state.bygone.add(self._run_ids())
        if self.clock.state["ahead"] > LEEWAY:
            # The app believes in tokens of a time that the clock has left behind, and ARM has seen a later one.
            self.local.reset()

    def told(self) -> str:
        """What became of the test's runs, for a report: as last seen where the function app does not answer."""
        self._api.hurry()
        with suppress(AssertionError, httpx.HTTPError):
            for run in self.runs:
                run.refresh()
        return "\n".join(run.explain() for run in self.runs)

    def _run_ids(self) -> set[str]:
        """Of the test's runs, and of those that they began: container groups have them in their names."""
        found = (OF_RUN.match(name) for name in self.groups().keys() - self._before)
        return {run.id for run in self.runs} | {match[1] for match in found if match}

    def _take_back(self) -> None:
        self.clear_faults()
        for name in [name for name, group in self.groups().items() if group["exists"]]:
            with suppress(LookupError, ValueError):  # it has just gone
                self.release(name)
        self.clock.resume()
        self.clock.set_scale(self.local.settings.scale)
        self._images.clear()

    def _stop_runs(self) -> None:
        """Those that a test has left behind may hold container groups: their `finally` too is cut short."""
        deadline = time.monotonic() + STOP_WITHIN
        with suppress(httpx.HTTPError):
            left = [run for run in self.runs if _is_stopped_now(run)]
            while left and time.monotonic() < deadline:
                time.sleep(MOMENT)
                left = [run for run in left if not _is_over(run)]


def host_log(cloud: Cloud, count: int = 40) -> str:
    """The last lines of the Functions host's log, for a report."""
    return "\n".join(cloud.log_tail(count))


def _is_stopped_now(run: Run) -> bool:
    """Whether it was not over, and has been told to end."""
    if run.is_over or _is_over(run):
        return False
    with suppress(AssertionError):  # it has just ended
        run.cancel("the test is over", force=True)
    return True


def _is_over(run: Run) -> bool:
    """One that the app no longer knows is over, too."""
    try:
        return run.refresh().is_over
    except AssertionError:
        return True


def images_in(folder: Path) -> Images:
    """The images of a session's tests."""
    folder.mkdir(parents=True, exist_ok=True)
    return Images(folder / "test-images.yaml")
