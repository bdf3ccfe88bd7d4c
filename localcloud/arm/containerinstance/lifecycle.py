"""How a container group comes to life and ends, on the clock: Pending, Creating, Succeeded or Failed; pulling, running, terminated.

Its init containers run one after the other while the group is still Creating. One that fails is the end: the others never start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.group import ContainerGroup, ContainerStatus, add_event
from localcloud.arm.containerinstance.launching import launch_of, next_delay
from localcloud.arm.containerinstance.probing import Probing
from localcloud.arm.containerinstance.pulling import Pulling
from localcloud.arm.containerinstance.remains import Remains
from localcloud.arm.ids import go_duration, milliseconds, timestamp

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState


EVICTED = 7147  # what ACI says of a container that it stopped for its own ends
STOPPED = "Container stopped per client request"


class Lifecycle:
    """Moves container groups along. Every method is called with the state's lock held."""

    def __init__(self, state: ArmState, started: Callable[[ContainerGroup], None]) -> None:
        self._state = state
        self._started = started
        self._latencies = state.settings.latencies
        self.probing = Probing(state, self._later, self.end)

    def provision(self, group: ContainerGroup, fate: str, slow: float = 0.0) -> None:
        """Begin; with a fate, which says why, it comes to nothing. A slow one is still Pending for so many seconds more."""
        if slow:
            group.hold = "Pending"
            self._state.clock.call_later(slow, lambda: self._release_later(group))
        self._later(group, self._latencies.creating, lambda group: self._find_no_room(group, fate) if fate else self._create(group))

    def _release_later(self, group: ContainerGroup) -> None:
        with self._state.lock:
            self.release(group)

    def _find_no_room(self, group: ContainerGroup, why: str) -> None:
        group.provisioning_state = "Failed"
        add_event(group.events, "InsufficientCapacity.", why, self._state.clock.now(), "Warning")

    def abandon(self, group: ContainerGroup) -> None:
        """Kill what runs and forget what it wrote; timers that were set for the group do nothing from now on.

        Nothing brings the group to its end then: whoever follows an operation of it must not wait for ever.
        """
        if group.moving:
            group.provisioning_state = "Canceled"
        self._end_life(group)
        self._state.runtime.forget(group.key)

    def stop_group(self, group: ContainerGroup) -> None:
        """At the client's wish: a container that has not ended by itself shows that, and no exit code."""
        now = timestamp(self._state.clock.now())
        for container in group.everything:
            if not container.ended:
                container.previous = container.current or container.previous
                container.current = {"state": "Terminated", "finishTime": now, "detailStatus": STOPPED}
        group.stopped = True
        if group.provisioning_state == "Updating":
            group.provisioning_state = "Succeeded"
        self.abandon(group)

    def start_group(self, group: ContainerGroup) -> None:
        """Anew, as after a PUT."""
        self.abandon(group)
        self._begin_again(group)

    def restart_group(self, group: ContainerGroup) -> None:
        """In place, as recorded: no image is pulled, the volumes stay, no restart is counted, and all is shown as before for a moment."""
        if group.provisioning_state != "Updating":
            group.provisioning_state = "Updating"
            self._later(group, self._latencies.restart, self._run_again)

    def _run_again(self, group: ContainerGroup) -> None:
        group.provisioning_state = "Succeeded"
        self._started(group)
        for container in group.containers:
            if container.running:
                container.event("Killing", f"Killing container {container.name} (platform initiated).", self._state.clock.now())
                self._kill(container)
            self._start(group, container)

    def _begin_again(self, group: ContainerGroup) -> None:
        group.stopped, group.provisioning_state, group.error, group.events = False, "Pending", None, []
        for container in group.everything:
            container.current = container.previous = container.process = None
            container.restarts, container.failures, container.events = 0, 0, []
        self.provision(group, "")

    def _end_life(self, group: ContainerGroup) -> None:
        group.incarnation = object()
        for container in group.everything:
            self._kill(container)

    def _kill(self, container: ContainerStatus) -> None:
        container.run = None
        if container.process is not None:
            container.process.stop(self._latencies.stop_grace)

    def _later(self, group: ContainerGroup, delay: float, step: Callable[[ContainerGroup], None]) -> None:
        incarnation = group.incarnation

        def go() -> None:
            with self._state.lock:
                if group.incarnation is incarnation:
                    self._go_on(group, step)

        self._state.clock.call_later(delay, go)

    def _go_on(self, group: ContainerGroup, step: Callable[[ContainerGroup], None]) -> None:
        """Unless the group is being held where it is."""
        if group.hold and group.hold == group.provisioning_state:
            group.held = step
        else:
            step(group)

    def release(self, group: ContainerGroup) -> None:
        """What was held goes on, and is not held again."""
        step, group.hold, group.held = group.held, "", None
        if step is not None:
            step(group)

    def end(self, group: ContainerGroup, container: ContainerStatus, code: int, detail: str = "") -> None:
        """What runs has ended, with this code, whatever it did: its log stays."""
        remains = Remains(container.process.log() if container.process else b"")
        self._kill(container)
        container.process = remains
        self._end(group, container, code, detail)

    def restart(self, group: ContainerGroup, container: ContainerStatus) -> None:
        """Start it once more, as ACI does after an end, whether it runs or not."""
        if container.current and container.current["state"] == "Running":
            self._kill(container)
            self._terminate(container, EVICTED)
        self._back_off(group, container)

    def evict(self, group: ContainerGroup, *, comes_back: bool) -> None:
        """Azure wants its machine back, now."""
        group.comes_back = comes_back
        self._evict(group)

    def _create(self, group: ContainerGroup) -> None:
        group.provisioning_state = "Creating"
        for container in group.everything:
            container.current = {"state": "Waiting", "detailStatus": "ContainerCreating"}
        self._later(group, self._latencies.pulling, self._pull)

    def _pull(self, group: ContainerGroup) -> None:
        pulling = Pulling(self._state, group, lambda: self._later(group, self._latencies.pull, lambda group: self._pulled(group, pulling)))
        pulling.begin()

    def _pulled(self, group: ContainerGroup, pulling: Pulling) -> None:
        pulling.tell()
        group.error = pulling.error()
        if group.error:
            group.provisioning_state = "Failed"
            return
        self._later(group, self._latencies.start, self._begin)

    def _begin(self, group: ContainerGroup) -> None:
        """The next init container that has not succeeded yet; without one all others."""
        waiting = next((container for container in group.init if not container.succeeded), None)
        if waiting is not None:
            self._start(group, waiting)
            return
        group.provisioning_state = "Succeeded"
        self._started(group)
        for container in group.containers:
            self._start(group, container)
        if group.eviction > 0:
            self._later(group, group.eviction, self._evict)

    def _evict(self, group: ContainerGroup) -> None:
        """Azure wants its machine back: all that runs is killed, and started again, unless the group is to stay away."""
        now = self._state.clock.now()
        for container in group.containers:
            if container.current is None or container.current["state"] != "Running":
                continue
            self._kill(container)
            container.event("Killing", f"Killing container {container.name} (platform initiated).", now)
            self._terminate(container, EVICTED)
            if group.comes_back:
                self._back_off(group, container)

    def _start(self, group: ContainerGroup, container: ContainerStatus) -> None:
        now = self._state.clock.now()
        if container.process is not None:
            container.process.stop(0)  # it has ended: only its files are left
        run = container.run = object()
        container.since = now
        container.event("Started", "Started container", now)
        container.current = {"state": "Running", "startTime": milliseconds(now), "detailStatus": ""}

        def ended(code: int, detail: str = "") -> None:
            with self._state.lock:
                if container.run is run:
                    self._end(group, container, code, detail)

        try:
            container.process = self._state.runtime.start(launch_of(group, container), ended)
        except (OSError, LookupError, ValueError) as error:
            container.event("Failed", f"Error: failed to start container: {error}", now, "Warning")
            self._end(group, container, 128)
            return
        self.probing.begin(group, container)

    def _end(self, group: ContainerGroup, container: ContainerStatus, code: int, detail: str = "") -> None:
        self._terminate(container, code, detail)
        if container in group.init:
            self._end_init(group, container, code)
        elif self._restarts(group, code):
            self._back_off(group, container)
        else:
            # Recorded of a container that had ended by itself: ACI takes its remains away.
            container.killed(group.id, self._state.clock.now())

    def _end_init(self, group: ContainerGroup, container: ContainerStatus, code: int) -> None:
        if code == 0:
            self._begin(group)
        elif group.restart_policy != "Never":
            self._back_off(group, container)
        else:
            group.provisioning_state = "Failed"
            group.error = errors.init_failed(container.name, group.name, code)

    def _terminate(self, container: ContainerStatus, code: int, detail: str = "") -> None:
        # Without a start time only if the very start failed.
        begun = container.current or {}
        container.current = {
            "state": "Terminated",
            "startTime": begun.get("startTime", ""),
            "exitCode": code,
            "finishTime": milliseconds(self._state.clock.now()),
            "detailStatus": detail or ("Error" if code else "Completed"),
        }

    def _restarts(self, group: ContainerGroup, code: int) -> bool:
        """ACI may restart after a non-zero exit even under Never: its documentation says so."""
        if group.restart_policy == "Never":
            return code != 0 and self._state.coincidences.happens("restart", self._state.settings.restart_probability)
        return code != 0 or group.restart_policy != "OnFailure"

    def _back_off(self, group: ContainerGroup, container: ContainerStatus) -> None:
        now = self._state.clock.now()
        delay = next_delay(container, now, self._latencies)
        container.previous = container.current
        container.current = {"state": "Waiting", "detailStatus": f"CrashLoopBackOff: Back-off {go_duration(delay)} restarting failed"}
        container.event("BackOff", "Back-off restarting failed container", now, "Warning")

        waiting = container.current

        def again(group: ContainerGroup) -> None:
            # Unless it was started meanwhile, with the whole group.
            if container.current is waiting:
                container.restarts += 1
                if container is group.containers[0]:
                    self._started(group)
                self._start(group, container)

        self._later(group, delay, again)
