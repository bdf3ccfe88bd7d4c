"""A container group and its containers: what was asked for, and what has become of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localcloud.arm.containerinstance.network import Address
from localcloud.arm.containerinstance.probes import Probe
from localcloud.arm.errors import ArmError
from localcloud.arm.ids import seconds
from localcloud.containers import Container, Mount, Volume

State = dict[str, Any]


def add_event(events: list[State], name: str, message: str, now: datetime, kind: str = "Normal") -> None:
    """Count an event that is there already, or add it."""
    moment = seconds(now)
    known = next((event for event in events if event["name"] == name and event["message"] == message), None)
    if known is not None:
        known["count"] += 1
        known["lastTimestamp"] = moment
        return
    events.append({"count": 1, "firstTimestamp": moment, "lastTimestamp": moment, "name": name, "message": message, "type": kind})


@dataclass(kw_only=True)
class ContainerStatus:
    """`current` and `previous` are container states as ACI shows them; `process` is what runs or has run last.

    `requests` is empty for an init container: it has all that the group has.
    """

    name: str
    image: str
    command: list[str]
    ports: list[State]
    variables: list[dict[str, str]]
    requests: dict[str, float]
    limits: dict[str, float] | None = None
    mounts: tuple[Mount, ...] = ()
    security: State | None = None
    config: State | None = None
    liveness: Probe | None = None
    readiness: Probe | None = None
    current: State | None = None
    previous: State | None = None
    restarts: int = 0
    failures: int = 0  # ends in a row, without a long run between them
    since: datetime | None = None  # the latest start
    events: list[State] = field(default_factory=list)
    process: Container | None = None
    run: object = None  # the identity of the latest start: an end that is reported for another one is stale

    @property
    def environment(self) -> dict[str, str]:
        return {item["name"]: item.get("value", item.get("secureValue", "")) for item in self.variables}

    @property
    def ended(self) -> bool:
        return self.current is not None and self.current["state"] == "Terminated"

    @property
    def succeeded(self) -> bool:
        return self.ended and self.current is not None and self.current.get("exitCode") == 0

    @property
    def running(self) -> bool:
        return self.current is not None and self.current["state"] == "Running"

    def killed(self, group: str, now: datetime) -> None:
        """Tell once of each start that what it started is taken away."""
        key = hashlib.sha256(f"{group}/{self.name}/{self.restarts}".encode()).hexdigest()
        message = f"Killing container with id {key}."
        if all(event["message"] != message for event in self.events):
            self.event("Killing", message, now)

    def event(self, name: str, message: str, now: datetime, kind: str = "Normal") -> None:
        add_event(self.events, name, message, now, kind)


@dataclass(kw_only=True)
class ContainerGroup:
    id: str
    name: str
    location: str
    key: str = ""  # its name for whatever runs the containers: no other group's, also not that of one of this name elsewhere
    life: str = ""  # another one when it was deleted and made again
    tags: dict[str, str] | None
    identity: dict[str, Any] | None
    registries: list[dict[str, Any]]
    logins: list[tuple[str, str, str]]  # server, username, password: kept from sight
    restart_policy: str  # "" when the creator sent none: ACI then behaves as `Always` and does not show it
    address: Address | None
    containers: list[ContainerStatus]
    init: list[ContainerStatus] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    subnets: list[dict[str, str]] = field(default_factory=list)
    sku: str = "Standard"
    zones: list[str] | None = None
    extras: State = field(default_factory=dict)  # properties that change nothing here, as they are shown
    spec: State = field(default_factory=dict)  # what was asked for: an update that asks for the same restarts nothing
    eviction: float = 0.0  # seconds after its start, if a fault says so
    comes_back: bool = True  # whether it is started again then
    priority: str = ""  # "" when the creator sent none: ACI does not show it then
    hold: str = ""  # the provisioning state in which it stays until it is released, if a fault says so
    held: Callable[[ContainerGroup], None] | None = None  # what comes next then
    provisioning_state: str = "Pending"
    error: ArmError | None = None
    stopped: bool = False
    events: list[State] = field(default_factory=list)
    hidden: bool = False  # a GET does not find it yet
    incarnation: object = field(default_factory=object)  # changes with every PUT and DELETE: timers of an old one do nothing

    def appear(self) -> None:
        self.hidden = False

    @property
    def cores(self) -> float:
        return sum(container.requests["cpu"] for container in self.containers)

    @property
    def everything(self) -> list[ContainerStatus]:
        return [*self.init, *self.containers]

    @property
    def prepares(self) -> bool:
        """Whether an init container runs."""
        return any(container.current is not None and container.current["state"] == "Running" for container in self.init)

    @property
    def transitioning(self) -> bool:
        return self.provisioning_state in {"Pending", "Creating"}

    @property
    def moving(self) -> bool:
        """Also while it is restarted: all is shown as before then, but nobody else may change it. That ACI refuses this is a guess."""
        return self.transitioning or self.provisioning_state == "Updating"

    @property
    def ended(self) -> bool:
        return all(container.ended for container in self.containers)

    @property
    def at_rest(self) -> bool:
        """It takes no cores: it is stopped, or has ended."""
        return self.stopped or (self.provisioning_state == "Succeeded" and self.ended)

    @property
    def state(self) -> str:
        """The instance view's state."""
        if self.stopped:
            return "Stopped"
        if any(container.ended and not container.succeeded for container in self.init):
            return "Failed"
        # A failed provisioning is still pending to the instance view: nothing has run, and ACI may go on trying.
        if self.provisioning_state not in {"Succeeded", "Updating"}:
            return "Pending"
        if not self.ended:
            return "Running"
        return "Succeeded" if all(container.succeeded for container in self.containers) else "Failed"

    def container(self, name: str) -> ContainerStatus | None:
        return next((container for container in self.everything if container.name == name), None)
