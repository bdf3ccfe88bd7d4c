"""An ARM in memory, whose deployments and container groups do what a test tells them.

`deploy` creates at once a deployment that is Running and a group with one container of the same name, which has the tags of the
parameter `tags` and the location of `location`; `start`, `finish` and `fail_deployment` move them on. `errors` is raised first: the
next call of a method raises the next of its list.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from loadme.azure.resource_ids import parse_registry_id, parse_spec_id
from loadme.core.arm import ArmError, ContainerState, Deployment, Group, RegistryCredentials, TemplateParameter, Usage
from loadme.errors import Absent, LoadmeError

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LOCATION = "westeurope"  # of the resource group
FAILED = "At least one resource deployment operation failed. Please list deployment operations for details."
PARAMETERS = (TemplateParameter("name", "string", False), TemplateParameter("image", "string", False))


class Records(dict[str, Deployment]):
    """The deployments by name, for tests to look at and to change; called, the seam's `deployments`, the newest first."""

    def __init__(self, arm: FakeArm) -> None:
        super().__init__()
        self._arm = arm

    def __call__(self) -> Iterator[Deployment]:
        self._arm._called("deployments")
        return reversed(list(self.values()))


class FakeArm:
    """`starts` counts how often the work of each name was started, `parameters` is what it was last deployed with.

    `usage` is what `usages` gives, by location, and `registries` the admin accounts, by resource id.
    """

    def __init__(self, specs: Mapping[str, tuple[TemplateParameter, ...]] | None = None, now: Callable[[], datetime] = lambda: NOW) -> None:
        self.specs = None if specs is None else dict(specs)
        self.deployments = Records(self)
        self.usage: dict[str, dict[str, Usage]] = {}
        self.registries: dict[str, RegistryCredentials] = {}
        self._now = now
        self.container_groups: dict[str, Group] = {}
        self.contents: dict[str, str] = {}
        self.parameters: dict[str, dict[str, Any]] = {}
        self.starts: Counter[str] = Counter()
        self.errors: defaultdict[str, list[LoadmeError]] = defaultdict(list)

    def _called(self, method: str) -> None:
        if self.errors[method]:
            raise self.errors[method].pop(0)

    def template_parameters(self, spec_id: str) -> tuple[TemplateParameter, ...]:
        self._called("template_parameters")
        parse_spec_id(spec_id)
        if self.specs is None:
            return PARAMETERS
        if spec_id not in self.specs:
            raise Absent(f"There is no template spec {spec_id}.")
        return self.specs[spec_id]

    def deploy(self, name: str, spec_id: str, parameters: Mapping[str, Any]) -> None:
        self._called("deploy")
        if name in self.deployments and not self.deployments[name].is_over:
            return
        self.starts[name] += 1
        self.parameters[name] = dict(parameters)
        self._record(name, "Running")
        tags, location = dict(parameters.get("tags", {})), str(parameters.get("location", LOCATION))
        init, sidecars = (dict.fromkeys(self._names(parameters, key), ContainerState()) for key in ("init", "sidecars"))
        containers = {name: ContainerState()} | sidecars
        self.container_groups[name] = Group(name, "Pending", "Pending", containers, tags, location=location, init=init)

    def _names(self, parameters: Mapping[str, Any], key: str) -> list[str]:
        return [str(one["name"]) for one in parameters.get(key, ())]

    def deployment(self, name: str) -> Deployment | None:
        self._called("deployment")
        return self.deployments.get(name)

    def delete_deployment(self, name: str) -> None:
        self._called("delete_deployment")
        self.deployments.pop(name, None)

    def group(self, name: str) -> Group | None:
        self._called("group")
        return self.container_groups.get(name)

    def logs(self, name: str, container: str, tail: int | None = None) -> str | None:
        self._called("logs")
        found = self.container_groups.get(name)
        states = {**found.init, **found.containers} if found else {}
        if container not in states or not states[container].state:
            return None
        lines = self.contents.get(name if container == name else f"{name}/{container}", "").splitlines(keepends=True)
        return "".join(lines if tail is None else lines[-tail:])

    def delete_group(self, name: str) -> None:
        self._called("delete_group")
        self.container_groups.pop(name, None)
        self.contents = {key: text for key, text in self.contents.items() if key.partition("/")[0] != name}

    def groups(self) -> Iterator[Group]:
        self._called("groups")
        return iter([replace(found, state="", containers={}, init={}, events=()) for found in self.container_groups.values()])

    def usages(self, location: str) -> dict[str, Usage]:
        self._called("usages")
        return self.usage.get(location, {"ContainerGroups": Usage(self._count(location), 100), "StandardCores": Usage(0, 100)})

    def _count(self, location: str) -> int:
        return sum(found.location == location for found in self.container_groups.values())

    def registry_credentials(self, registry_id: str) -> RegistryCredentials:
        self._called("registry_credentials")
        parse_registry_id(registry_id)
        if registry_id not in self.registries:
            raise Absent(f"There is no registry {registry_id}.")
        return self.registries[registry_id]

    def start(self, name: str, at: datetime = NOW) -> None:
        """The container runs, and so the deployment has succeeded."""
        self._record(name, "Succeeded")
        self._set(name, "Running", ContainerState("Running", started_at=at))

    def finish(self, name: str, exit_code: int = 0, log: str = "", at: datetime = NOW) -> None:
        """The container has run and ended."""
        self.start(name, at)
        self.contents[name] = log
        status = "Error" if exit_code else "Completed"
        state = ContainerState("Terminated", exit_code, at, at, status)
        self._set(name, "Failed" if exit_code else "Succeeded", state)

    def set_container(self, name: str, container: str, state: ContainerState, log: str = "") -> None:
        """One container of the group, an init container or a sidecar, is in this state; nothing else of the group changes."""
        found = self.container_groups[name]
        self.contents[f"{name}/{container}"] = log
        which = "init" if container in found.init else "containers"
        changed = {**getattr(found, which), container: state}
        self.container_groups[name] = replace(found, **{which: changed})  # type: ignore[arg-type]

    def fail_deployment(self, name: str, code: str, message: str) -> None:
        """The group cannot be provisioned, as a late quota or image error says."""
        self._record(name, "Failed", ArmError("DeploymentFailed", FAILED, (ArmError(code, message),)))
        self.container_groups[name] = replace(self.container_groups[name], provisioning_state="Failed")

    def _record(self, name: str, state: str, error: ArmError | None = None) -> None:
        self.deployments[name] = Deployment(name, state, error, self._now())

    def _set(self, name: str, state: str, container: ContainerState) -> None:
        found = self.container_groups[name]
        sidecars = dict.fromkeys(found.containers, ContainerState("Running", started_at=container.started_at))
        containers = {**sidecars, next(iter(found.containers)): container}
        self.container_groups[name] = replace(found, provisioning_state="Succeeded", state=state, containers=containers)
