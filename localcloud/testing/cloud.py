"""What a test is given: a cloud that is up for the whole session, clean for each test."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from localcloud.azure import Azure
from localcloud.azurite import Azurite
from localcloud.cloud import Cloud
from localcloud.controls import Controls
from localcloud.errors import CloudError
from localcloud.testing.api import Api
from localcloud.testing.images import Images
from localcloud.testing.run import Run, RunFailed

PATIENCE = 30.0  # seconds for container groups to be deleted: the app looks 2 s after a step's end


class CloudUnderTest(Controls):
    """Starts runs, scripts faults, reads back calls. Faults, calls, images and the clock are those of one test."""

    def __init__(self, cloud: Cloud, images: Images) -> None:
        self.local = cloud
        self._images = images
        self._api = Api(cloud.host.url, cloud.key)
        self.runs: list[Run] = []

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

    def end(self) -> None:
        """After a test: what it began is stopped, what it changed is taken back."""
        self.clear_faults()
        self.clock.resume()
        self.clock.set_scale(self.local.settings.scale)
        self._images.clear()
        for run in self.runs:
            _stop(run)
        self._api.close()


def host_log(cloud: Cloud, count: int = 40) -> str:
    """The last lines of the Functions host's log, for a report."""
    return "\n".join(cloud.log_tail(count))


def _stop(run: Run) -> None:
    """One that a test has left behind may hold container groups: its `finally` too is cut short."""
    try:
        if not run.refresh().is_over:
            run.cancel("the test is over", force=True)
    except (AssertionError, RunFailed):
        return


def images_in(folder: Path) -> Images:
    """The images of a session's tests."""
    folder.mkdir(parents=True, exist_ok=True)
    return Images(folder / "test-images.yaml")
