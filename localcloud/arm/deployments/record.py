"""A deployment in the history, and how it is shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localcloud.arm.deployments.outputs import Output
from localcloud.arm.deployments.plan import Plan, named
from localcloud.arm.deployments.planned import PlannedResource
from localcloud.arm.deployments.preparation import Prepared
from localcloud.arm.deployments.targets import KIND, Target
from localcloud.arm.deployments.template import Template
from localcloud.arm.errors import ArmError
from localcloud.arm.ids import duration, stable_guid, timestamp

ACTIVE = ("Accepted", "Running")


@dataclass
class Operation:
    """One line of the operations list: a resource that was PUT, or deleted by the mode Complete."""

    id: str
    tracking: str
    resource: Mapping[str, Any]  # id, resourceType, resourceName
    started: datetime
    version: str = ""
    kind: str = "Create"
    nested: bool = False
    state: str = "Running"
    ended: datetime | None = None
    status_code: str = "OK"
    error: ArmError | None = None
    poll: str = ""  # where its asynchronous operation is looked up


@dataclass
class Deployment:
    """`actor` is in whose name it does what it does."""

    id: str
    prepared: Prepared
    correlation: str
    status_id: str
    actor: str
    started: datetime
    state: str = "Accepted"
    changed: datetime | None = None
    error: ArmError | None = None
    deleting: bool = False
    hold: str = ""  # the state in which it stays until it is released, if a fault says so
    held: bool = False
    operations: dict[str, Operation] = field(default_factory=dict)
    outputs: Mapping[str, Output] | None = None
    output_resources: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.prepared.name

    @property
    def target(self) -> Target:
        return self.prepared.target

    @property
    def plan(self) -> Plan:
        return self.prepared.plan

    @property
    def template(self) -> Template:
        return self.prepared.template

    @property
    def location(self) -> str:
        return self.prepared.request.location

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    def show(self) -> dict[str, Any]:
        changed = self.changed or self.started
        # The duration of an accepted one is that of its acceptance.
        took = duration(changed - self.started) if self.changed else "PT0.0009848S"
        return show(self.prepared, self.id, self._state(timestamp(changed), took), self._results())

    def _state(self, moment: str, took: str) -> dict[str, Any]:
        return {"provisioningState": self.state, "timestamp": moment, "duration": took, "correlationId": self.correlation}

    def _results(self) -> dict[str, Any]:
        error = {"error": self.error.error()} if self.error else {}
        if self.state != "Succeeded":
            return error
        outputs = {"outputs": {name: output.show() for name, output in self.outputs.items()}} if self.outputs else {}
        return {**outputs, "outputResources": [{"id": key} for key in self.output_resources]}

    def show_operations(self) -> list[dict[str, Any]]:
        return [*map(self._show_operation, self.operations.values()), *self._evaluation()]

    def _evaluation(self) -> list[dict[str, Any]]:
        """The outputs are an operation of their own, without a target."""
        if self.active or not self.plan.has_outputs or self.changed is None or (self.outputs is None and self.error is None):
            return []
        failed = self.error if self.outputs is None else None
        if failed is not None and failed.code != "DeploymentOutputEvaluationFailed":
            return []
        return [self._operation("EvaluateDeploymentOutput", self.status_id, stable_guid(f"outputs:{self.status_id}"), self.started, failed)]

    def _show_operation(self, operation: Operation) -> dict[str, Any]:
        shown = self._operation(operation.kind, operation.id, operation.tracking, operation.started, operation.error)
        ended = operation.ended or operation.started
        shown["properties"].update(
            provisioningState=operation.state,
            timestamp=timestamp(ended),
            duration=duration(ended - operation.started),
            statusCode=operation.status_code,
        )
        shown["properties"]["targetResource"] = dict(operation.resource)
        return shown

    def _operation(self, kind: str, name: str, tracking: str, started: datetime, error: ArmError | None) -> dict[str, Any]:
        ended = self.changed or started
        message = {"statusMessage": {"status": "Failed", "error": error.error()}} if error else {}
        properties = {
            "provisioningOperation": kind,
            "provisioningState": "Failed" if error else "Succeeded",
            "timestamp": timestamp(ended),
            "duration": duration(ended - started),
            "trackingId": tracking,
            "statusCode": "BadRequest" if error else "OK",
            **message,
        }
        return {"id": f"{self.id}/operations/{name}", "operationId": name, "properties": properties}


def show(prepared: Prepared, key: str, state: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """A deployment, or one that is only validated, in ARM's order of keys."""
    request = prepared.request
    return {
        "id": key,
        "name": prepared.name,
        "type": KIND,
        **({"location": request.location} if request.location else {}),
        **({"tags": request.tags} if request.tags else {}),
        "properties": {
            **({"templateLink": prepared.link} if prepared.link else {}),
            "templateHash": prepared.template.hash,
            "parameters": prepared.plan.parameters,
            "mode": request.mode,
            **state,
            "providers": _providers(prepared.plan.resources),
            "dependencies": _dependencies(prepared.plan.resources),
            **results,
        },
    }


def _providers(resources: Iterable[PlannedResource]) -> list[dict[str, Any]]:
    types: dict[str, dict[str, list[str | None]]] = defaultdict(dict)
    for resource in resources:
        namespace, _, kind = resource.kind.partition("/")
        locations = types[namespace].setdefault(kind, [])
        if resource.body.get("location") not in locations:
            locations.append(resource.body.get("location"))
    return [
        {"namespace": namespace, "resourceTypes": [{"resourceType": kind, "locations": where} for kind, where in kinds.items()]}
        for namespace, kinds in types.items()
    ]


def _dependencies(resources: Iterable[PlannedResource]) -> list[dict[str, Any]]:
    by_id = {resource.id: resource for resource in resources}
    return [
        {"dependsOn": [named(by_id[need]) for need in sorted(resource.needs)], **named(resource)}
        for resource in by_id.values()
        if resource.needs
    ]
