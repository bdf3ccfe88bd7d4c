"""A deployment in the history, and how it is shown."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localcloud.arm.deployments.plan import Plan, PlannedResource
from localcloud.arm.deployments.template import Template
from localcloud.arm.errors import ArmError
from localcloud.arm.ids import duration, stable_guid, timestamp

KIND = "Microsoft.Resources/deployments"
ACTIVE = ("Accepted", "Running")


@dataclass
class Operation:
    """One line of the operations list: a resource that was PUT."""

    id: str
    tracking: str
    resource: PlannedResource
    started: datetime
    state: str = "Running"
    ended: datetime | None = None
    status_code: str = "OK"
    error: ArmError | None = None
    poll: str = ""  # where its asynchronous operation is looked up


@dataclass
class Deployment:
    id: str
    name: str
    correlation: str
    status_id: str
    plan: Plan
    template: Template
    link: str  # the template spec version it was made from, if any
    mode: str
    tags: dict[str, str] | None
    started: datetime
    state: str = "Accepted"
    changed: datetime | None = None
    error: ArmError | None = None
    deleting: bool = False
    hold: str = ""  # the state in which it stays until it is released, if a fault says so
    held: bool = False
    operations: dict[str, Operation] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    def show(self) -> dict[str, Any]:
        tags = {"tags": self.tags} if self.tags else {}
        return {"id": self.id, "name": self.name, "type": KIND, **tags, "properties": self._properties()}

    def _properties(self) -> dict[str, Any]:
        changed = self.changed or self.started
        link = {"templateLink": {"id": self.link, "contentVersion": self.template.content_version}} if self.link else {}
        return {
            **link,
            "templateHash": self.template.hash,
            "parameters": self.plan.parameters,
            "mode": self.mode,
            "provisioningState": self.state,
            "timestamp": timestamp(changed),
            "duration": duration(changed - self.started) if self.changed else "PT0.0009848S",
            "correlationId": self.correlation,
            "providers": self._providers(),
            "dependencies": self._dependencies(),
            **({"error": self.error.error()} if self.error else {}),
            **self._results(),
        }

    def _results(self) -> dict[str, Any]:
        if self.state != "Succeeded":
            return {}
        outputs = {"outputs": self.plan.outputs} if self.plan.outputs else {}
        return {**outputs, "outputResources": [{"id": resource.id} for resource in self.plan.resources]}

    def _providers(self) -> list[dict[str, Any]]:
        types: dict[str, dict[str, list[str | None]]] = defaultdict(dict)
        for resource in self.plan.resources:
            namespace, _, kind = resource.kind.partition("/")
            locations = types[namespace].setdefault(kind, [])
            if resource.body.get("location") not in locations:
                locations.append(resource.body.get("location"))
        return [
            {"namespace": namespace, "resourceTypes": [{"resourceType": kind, "locations": where} for kind, where in kinds.items()]}
            for namespace, kinds in types.items()
        ]

    def _dependencies(self) -> list[dict[str, Any]]:
        by_id = {resource.id: resource for resource in self.plan.resources}
        return [
            {"dependsOn": [_named(by_id[need]) for need in sorted(resource.needs)], **_named(resource)}
            for resource in self.plan.resources
            if resource.needs
        ]

    def show_operations(self) -> list[dict[str, Any]]:
        return [*map(self._show_operation, self.operations.values()), *self._evaluation()]

    def _evaluation(self) -> list[dict[str, Any]]:
        """The outputs are an operation of their own, without a target."""
        if self.state != "Succeeded" or not self.plan.outputs or self.changed is None:
            return []
        properties = {
            "provisioningOperation": "EvaluateDeploymentOutput",
            "provisioningState": "Succeeded",
            "timestamp": timestamp(self.changed),
            "duration": duration(self.changed - self.started),
            "trackingId": stable_guid(f"outputs:{self.status_id}"),
            "statusCode": "OK",
        }
        return [{"id": f"{self.id}/operations/{self.status_id}", "operationId": self.status_id, "properties": properties}]

    def _show_operation(self, operation: Operation) -> dict[str, Any]:
        ended = operation.ended or operation.started
        error = {"statusMessage": {"status": "Failed", "error": operation.error.error()}} if operation.error else {}
        return {
            "id": f"{self.id}/operations/{operation.id}",
            "operationId": operation.id,
            "properties": {
                "provisioningOperation": "Create",
                "provisioningState": operation.state,
                "timestamp": timestamp(ended),
                "duration": duration(ended - operation.started),
                "trackingId": operation.tracking,
                "statusCode": operation.status_code,
                **error,
                "targetResource": _named(operation.resource),
            },
        }


def _named(resource: PlannedResource) -> dict[str, Any]:
    return {"id": resource.id, "resourceType": resource.kind, "resourceName": resource.name}
