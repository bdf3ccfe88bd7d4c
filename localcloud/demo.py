"""`make demo`: start the local cloud, run the sample workflow in front of the user, stop everything, and say in one line how it went.

The line is the last one on standard output, whatever happens: `demo: succeeded in …` (exit code 0) or `demo: failed: …` (1).
"""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Protocol

import httpx

WORKFLOW = "weather-report"
REPORT = "report.md"
REPORT_LINES = 14
DEADLINE = 55.0  # seconds for all of it: `make demo` promises less than a minute
LAST_WORDS = 8.0  # seconds on top of it in which everything is stopped


class Failed(Exception):
    """The demo did not succeed; the message is one line."""


class Overdue(BaseException):
    """The time is up. No Exception, so that nothing on the way takes it for a fault that it may try again."""


class LocalCloud(Protocol):
    """What the demo uses of `localcloud.cloud.Cloud`."""

    @property
    def url(self) -> str:
        """The function app's address."""

    @property
    def key(self) -> str:
        """Its function key."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The function app's settings."""

    def start(self) -> None:
        """Start everything."""

    def stop(self) -> None:
        """Stop everything."""

    def log_tail(self) -> Sequence[str]:
        """The last lines of the Functions host's log."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the last line reports."""

    run: str
    steps: int
    groups: int


class Client:
    """Talks to a running local cloud as a user (the function app's API) and as the app (its identity, ARM and storage)."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._settings = cloud.environment
        self._app = httpx.Client(base_url=f"{cloud.url}/api/", headers={"x-functions-key": cloud.key}, timeout=20, trust_env=False)
        self._azure = httpx.Client(verify=ssl.create_default_context(cafile=self._settings["LOADME_CA_FILE"]), timeout=20, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._app.close()
        self._azure.close()

    def start(self, workflow: str) -> str:
        """Start a run and answer its id."""
        answer = self._app.post(f"workflows/{workflow}/runs", json={})
        if answer.status_code != httpx.codes.ACCEPTED:
            raise Failed(f"starting {workflow} answered HTTP {answer.status_code}: {one_line(answer.text)}")
        return str(answer.json()["id"])

    def run(self, run: str) -> dict[str, Any]:
        """The run as the function app shows it."""
        found: dict[str, Any] = self._app.get(f"runs/{run}").raise_for_status().json()
        return found

    def groups(self) -> int:
        """How many container groups ARM lists in the deployment resource group."""
        scope = f"subscriptions/{self._settings['LOADME_SUBSCRIPTION_ID']}/resourceGroups/{self._settings['LOADME_RESOURCE_GROUP']}"
        url = f"{self._settings['LOADME_ARM_ENDPOINT']}/{scope}/providers/Microsoft.ContainerInstance/containerGroups"
        answer = self._azure.get(url, params={"api-version": "2023-05-01"}, headers=self._bearer("https://management.azure.com/"))
        return len(answer.raise_for_status().json()["value"])

    def file(self, run: str, name: str) -> str:
        """A text file of the run's folder in Blob storage."""
        answer = self._azure.get(
            f"{self.files(run)}/{name}", headers=self._bearer("https://storage.azure.com/") | {"x-ms-version": "2021-12-02"}
        )
        return answer.raise_for_status().text

    def files(self, run: str) -> str:
        """The address of the run's folder."""
        blobs = self._settings["AzureWebJobsStorage__blobServiceUri"].rstrip("/")
        return f"{blobs}/{self._settings.get('LOADME_FILES_CONTAINER', 'loadme-files')}/{run}"

    def _bearer(self, resource: str) -> dict[str, str]:
        answer = self._azure.get(
            self._settings["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-08-01", "resource": resource},
            headers={"x-identity-header": self._settings["IDENTITY_HEADER"]},
        )
        return {"authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}


def say(line: str) -> None:
    """A line for the user, at once, also into a pipe."""
    print(line, flush=True)


def one_line(text: object) -> str:
    """Any text on one line that is not too long for a verdict."""
    joined = " ".join(str(text).split())
    return joined if len(joined) <= 300 else joined[:299] + "…"


def show(cloud: LocalCloud, run: str, seconds: float) -> None:
    """Let the command line show the run, live on a terminal and line by line anywhere else."""
    command = [sys.executable, "-m", "loadme.cli", "show", run, "--watch"]
    sys.stdout.flush()
    code = subprocess.run(command, env={**os.environ, "LOADME_URL": cloud.url, "LOADME_KEY": cloud.key}, timeout=max(seconds, 1)).returncode
    if code not in (0, 1):
        raise Failed(f"`loadme show {run} --watch` ended with exit code {code}")


def check(run: dict[str, Any]) -> None:
    """Raises Failed with the run's own explanation unless it succeeded."""
    if run["status"] == "succeeded":
        return
    error = run.get("error") or {}
    step = f"step {error['step']}: " if error.get("step") else ""
    raise Failed(f"run {run['id']} {run['status']}: {step}{error.get('message') or 'without an error'}")


def wait_until_gone(count: Callable[[], int], seconds: float, pause: float = 0.25) -> int:
    """Wait until no container group is left. Raises Failed when some still are there at the end."""
    end = time.monotonic() + seconds
    while left := count():
        if time.monotonic() > end:
            raise Failed(f"{left} container {'group is' if left == 1 else 'groups are'} left")
        time.sleep(pause)
    return 0


def demonstrate(cloud: LocalCloud, client: Client, left: Callable[[], float]) -> Verdict:
    """Run the workflow and show all there is to see. `left` is how many seconds remain."""
    run_id = client.start(WORKFLOW)
    print(f"\nstarted {WORKFLOW}: POST {cloud.url}/api/workflows/{WORKFLOW}/runs\n")
    show(cloud, run_id, left())
    run = client.run(run_id)
    check(run)
    report = client.file(run_id, REPORT).splitlines()
    print(f"\nthe report, {REPORT} in the run's folder of Blob storage:\n")
    print("\n".join(f"  {line}" for line in report[:REPORT_LINES]))
    if len(report) > REPORT_LINES:
        print(f"  … {len(report) - REPORT_LINES} more lines")
    print("\nStorage, with this report and every attempt's log in it, goes away with the demo; make cloud keeps one up.")
    return Verdict(run=run_id, steps=len(run["steps"]), groups=wait_until_gone(client.groups, left()))


def show_log(cloud: LocalCloud) -> None:
    """What the function app logged last: the whole log goes away with the demo."""
    if tail := cloud.log_tail():
        print("\nthe last lines of the function app's log:\n" + "\n".join(f"  {line}" for line in tail), flush=True)


def with_cloud(cloud: LocalCloud, left: Callable[[], float]) -> Verdict:
    """Start the cloud, run the demo, and stop the cloud whatever happened."""
    try:
        cloud.start()
        client = Client(cloud)
        try:
            return demonstrate(cloud, client, left)
        finally:
            client.close()
    except (Exception, Overdue):
        show_log(cloud)
        raise
    finally:
        # From here on the alarm must not break in: what was started has to be stopped.
        alarm(LAST_WORDS, give_up)
        cloud.stop()


def alarm(seconds: float, ring: Callable[[int, FrameType | None], None]) -> None:
    """Have `ring` called in the main thread, whatever it waits for by then. 0 seconds: never."""
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def overdue(_number: int, _frame: FrameType | None) -> NoReturn:
    """The demo takes too long."""
    raise Overdue(f"it was not over after {DEADLINE:.0f} s")


def give_up(_number: int, _frame: FrameType | None) -> NoReturn:
    """Even stopping takes too long: what is left of the local cloud ends with this process."""
    print("demo: failed: the local cloud could not be stopped in time", flush=True)
    os._exit(1)


def interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    """Ctrl-C and SIGTERM are the same."""
    raise KeyboardInterrupt


def last_line(demo: Callable[[], Verdict], seconds: Callable[[], float]) -> tuple[int, str]:
    """The exit code and the verdict, whatever `demo` does."""
    try:
        verdict = demo()
    except KeyboardInterrupt:
        return 1, "demo: failed: it was interrupted"
    except BaseException as error:
        return 1, f"demo: failed: {one_line(error) or type(error).__name__}"
    counts = f"{verdict.steps} steps, {verdict.groups} container groups left"
    return 0, f"demo: succeeded in {seconds():.1f} s, run {verdict.run}, {counts}"


def main() -> int:
    """Run the demo with the real local cloud."""
    began = time.monotonic()

    def seconds() -> float:
        return time.monotonic() - began

    def demo() -> Verdict:
        from localcloud.cloud import Cloud, CloudSettings

        # Everything in a place of its own: a local cloud that is up already, or another demo, is left alone.
        with tempfile.TemporaryDirectory(prefix="loadme-demo-", ignore_cleanup_errors=True) as folder:
            settings = CloudSettings(folder=Path(folder), fixed_ports=False, say=say)
            return with_cloud(Cloud(settings), lambda: DEADLINE - seconds())

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupted)
    alarm(DEADLINE, overdue)
    code, line = last_line(demo, seconds)
    alarm(0, overdue)
    print(line, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
