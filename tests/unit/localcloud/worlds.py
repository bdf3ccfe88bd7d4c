"""A local ARM without a network, on a clock that stands still, with containers that end when they are told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localcloud.arm import ArmSettings, ArmState
from localcloud.arm.calls import Call, Reply
from localcloud.clock import ManualClock
from localcloud.containers import Launch, Problem, Pull
from localcloud.containers.runtime import Ended

SUBSCRIPTION = ArmSettings().subscription
GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups"
DEPLOYMENTS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Resources/deployments"
DIGEST = f"sha256:{'0' * 64}"
STAMP = b"2026-01-01T00:00:00.000000000Z "


@dataclass
class FakeTerminal:
    """Says what it is and ends."""

    command: tuple[str, ...]
    rows: int
    cols: int
    said: bool = False
    typed: bytes = b""
    code: int = 0

    def read(self) -> bytes:
        said, self.said = self.said, True
        return b"" if said else b"%s at %d x %d" % (" ".join(self.command).encode(), self.cols, self.rows)

    def write(self, data: bytes) -> None:
        self.typed += data

    def close(self) -> int:
        return self.code


@dataclass
class FakeContainer:
    launch: Launch
    ended: Ended
    lines: list[bytes] = field(default_factory=list)
    stopped: bool = False
    address: str = "127.0.0.1"
    codes: list[int] = field(default_factory=list)  # of the commands to come; 0 when there is none
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def log(self) -> bytes:
        return b"".join(STAMP + line + b"\n" for line in self.lines)

    def stop(self, grace: float) -> None:
        self.stopped = True

    def execute(self, command: Sequence[str], rows: int, cols: int) -> FakeTerminal:
        self.commands.append(tuple(command))
        return FakeTerminal(tuple(command), rows, cols, code=self.codes.pop(0) if self.codes else 0)


@dataclass
class FakeRuntime:
    """Has every image that is not called absent."""

    started: list[FakeContainer] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    pulled: list[Pull] = field(default_factory=list)
    executes: bool = True

    def pull(self, order: Pull, found: Callable[[str], None], done: Callable[[Problem | None], None]) -> None:
        self.pulled.append(order)
        found(DIGEST)
        why = order.refusal or ("absent" in order.image and f"{order.image} is not in images.yaml")
        done(Problem(why) if why else None)

    def start(self, launch: Launch, ended: Ended) -> FakeContainer:
        self.started.append(FakeContainer(launch, ended))
        return self.started[-1]

    def forget(self, group: str) -> None:
        self.forgotten.append(group)

    def close(self) -> None:
        pass


@dataclass
class World:
    state: ArmState
    clock: ManualClock
    runtime: FakeRuntime

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Reply:
        call = Call(method=method, path=path, body=body, query={"api-version": "2023-05-01", **query})
        return self.state.answer(call)[0]

    def put_group(self, name: str = "g", **changes: Any) -> Reply:
        return self.call("PUT", f"{GROUPS}/{name}", group_body(**changes))

    def view(self, name: str = "g") -> dict[str, Any]:
        """A group's properties."""
        return dict(self.call("GET", f"{GROUPS}/{name}").body["properties"])

    def container(self, name: str = "g") -> dict[str, Any]:
        """The instance view of a group's first container."""
        return dict(self.view(name)["containers"][0]["properties"]["instanceView"])


def make_world(**settings: Any) -> World:
    """Without unpleasant coincidences, unless they are asked for."""
    clock, runtime = ManualClock(), FakeRuntime()
    chosen = ArmSettings(**{"hidden_probability": 0.0, "restart_probability": 0.0, **settings})
    world = World(ArmState(chosen, clock, runtime), clock, runtime)
    world.call("PUT", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg", {"location": "westeurope"})
    return world


def group_body(
    *,
    image: str = "busybox",
    policy: str | None = "Never",
    variables: list[Mapping[str, Any]] | None = None,
    cpu: float = 1.0,
    memory: float = 1.5,
    container: str = "main",
    location: str = "westeurope",
    **properties: Any,
) -> dict[str, Any]:
    requests = {"memoryInGB": memory, "cpu": cpu}
    inner = {"image": image, "environmentVariables": variables or [], "resources": {"requests": requests}}
    shown = {"containers": [{"name": container, "properties": inner}], "osType": "Linux", "restartPolicy": policy}
    return {"location": location, "properties": {**shown, **properties}}


def template(resources: list[dict[str, Any]] | None = None, **sections: Any) -> dict[str, Any]:
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    return {"$schema": schema, "contentVersion": "1.0.0.0", "resources": resources or [], **sections}


def group_resource(name: str = "g", **more: Any) -> dict[str, Any]:
    return {"type": "Microsoft.ContainerInstance/containerGroups", "apiVersion": "2023-05-01", "name": name, **group_body(), **more}


def deployment(source: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    given = {name: {"value": value} for name, value in parameters.items()}
    return {"properties": {"mode": "Incremental", "template": source, "parameters": given}}
