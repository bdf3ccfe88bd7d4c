"""Probes, kept: a look at a container every so often, and what follows from what is seen.

A container that is not alive any more is killed and, as its group's policy has it, started again. One that is not ready gets no traffic on
Azure; here nothing stands between it and whoever calls it, so that only the events tell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.arm.containerinstance.checks import check
from localcloud.arm.containerinstance.group import ContainerGroup, ContainerStatus
from localcloud.arm.containerinstance.probes import Probe

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KILLED = 137
Later = Callable[[ContainerGroup, float, Callable[[ContainerGroup], None]], None]
Kill = Callable[[ContainerGroup, ContainerStatus, int], None]


@dataclass
class _Watch:
    """One probe of one run of a container."""

    kind: str
    probe: Probe
    group: ContainerGroup
    container: ContainerStatus
    run: object
    failures: int = 0

    @property
    def over(self) -> bool:
        return self.container.run is not self.run or not self.container.running


def on_a_thread(job: Callable[[], None]) -> None:
    threading.Thread(target=job, name="probe", daemon=True).start()


class Probing:
    """Every method but the looks themselves is called with the state's lock held. `aside` runs a look, which takes its time."""

    def __init__(self, state: ArmState, later: Later, kill: Kill) -> None:
        self._state = state
        self._later = later
        self._kill = kill
        self.aside: Callable[[Callable[[], None]], None] = on_a_thread

    def begin(self, group: ContainerGroup, container: ContainerStatus) -> None:
        """For a container that has just been started."""
        for kind, probe in (("Liveness", container.liveness), ("Readiness", container.readiness)):
            if probe is not None:
                self._wait(_Watch(kind, probe, group, container, container.run), probe.delay)

    def _wait(self, watch: _Watch, seconds: float) -> None:
        self._later(watch.group, seconds, lambda _group: self._look(watch))

    def _look(self, watch: _Watch) -> None:
        process = watch.container.process
        if watch.over or process is None:
            return

        def look() -> None:
            why = check(process, watch.probe)
            with self._state.lock:
                if not watch.over:
                    self._seen(watch, why)

        self.aside(look)

    def _seen(self, watch: _Watch, why: str) -> None:
        watch.failures = watch.failures + 1 if why else 0
        if why:
            watch.container.event("Unhealthy", f"{watch.kind} probe failed: {why}", self._state.clock.now(), "Warning")
        if watch.kind == "Liveness" and watch.failures >= watch.probe.failures:
            self._give_up(watch)
        else:
            self._wait(watch, watch.probe.period)

    def _give_up(self, watch: _Watch) -> None:
        watch.container.killed(watch.group.id, self._state.clock.now())
        self._kill(watch.group, watch.container, KILLED)
