"""Kills what the local cloud consists of, as the plan says, and starts again what does not come back by itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from localcloud.cloud import Cloud
from tests.chaos.plan import Strike

WATCH = 0.2  # seconds
WORKER_PATIENCE = 20.0  # a worker that was killed is there again after a second or two


class Monkey:
    """`strikes` are done one after the other on a thread of its own; `kills` counts them, by kind.

    `revived` counts the ends of the Functions host that were not a kill: it gives up when its worker dies while it loads the app, and a
    storage error that is no outage ends it too, here as on Azure, where the platform starts it again.
    """

    def __init__(self, cloud: Cloud, strikes: tuple[Strike, ...]) -> None:
        self.kills: Counter[str] = Counter()
        self.revived = 0
        self._cloud = cloud
        self._strikes = strikes
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monkey")

    @property
    def is_at_it(self) -> bool:
        """Whether there is more to come."""
        return self._thread.is_alive()

    def __enter__(self) -> Monkey:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error:  # whatever else went wrong may come of it
            raise self._error

    def revive(self) -> None:
        """Starts the host again if it has ended by itself. Not while the monkey is at it."""
        if self._cloud.host.exit_code is not None:
            self.revived += 1
            self._cloud.restart_host()

    def _run(self) -> None:
        try:
            for strike in self._strikes:
                self._wait(strike.pause)
                if self._stop.is_set():
                    return
                self._do(strike)
                self.kills[strike.kind] += 1
        except BaseException as error:  # told at the end
            self._error = error

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._stop.wait(WATCH):
            self.revive()

    def _do(self, strike: Strike) -> None:
        host, azurite = self._cloud.host, self._cloud.azurite
        if strike.kind == "worker":
            self._kill_worker()
            return
        if "storage" in strike.kind:
            azurite.crash()
        if "host" in strike.kind:
            host.kill()
        time.sleep(strike.down)
        if "host" in strike.kind:
            host.start()
        if "storage" in strike.kind:
            azurite.restart()

    def _kill_worker(self) -> None:
        """There is one, unless the one before was killed a moment ago."""
        deadline = time.monotonic() + WORKER_PATIENCE
        while not (workers := children(self._cloud.host.pid)):
            self.revive()
            if time.monotonic() > deadline:
                raise AssertionError("the Functions host has no worker process")
            time.sleep(WATCH)
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def children(parent: int | None) -> list[int]:
    """The processes that it started, from /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, its_parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(its_parent) == parent and state != "Z":
                found.append(int(entry.name))
    return found
