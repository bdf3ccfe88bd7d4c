"""What ACI says of a region: its operations, quotas, capabilities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.containerinstance.identity import show_identity
from localcloud.arm.containerinstance.operations import Operations
from localcloud.arm.containerinstance.request import BOUNDS
from localcloud.arm.containerinstance.store import Groups, cores
from localcloud.arm.containerinstance.views import show
from localcloud.arm.errors import ArmError
from localcloud.arm.routing import Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState


class Locations:
    def __init__(self, state: ArmState, groups: Groups, operations: Operations) -> None:
        self._state = state
        self._groups = groups
        self._operations = operations

    def routes(self) -> list[Route]:
        location = "/subscriptions/{subscription}/providers/Microsoft.ContainerInstance/locations/{location}"
        return [
            # Whoever was given their address may look: a role on the resource group does not reach to the region.
            Route("GET", f"{location}/operations/{{operation}}", self.operation, action=""),
            Route("GET", f"{location}/operationResults/{{operation}}", self.result, action=""),
            Route("GET", f"{location}/usages", self.usages),
            Route("GET", f"{location}/capabilities", self.capabilities),
            Route("GET", f"{location}/cachedImages", self.cached_images),
        ]

    def operation(self, _call: Call, location: str, operation: str) -> Reply:
        body = self._operations.show(operation)
        if body is None:
            raise _unknown(operation, location)
        return Reply(body=body)

    def result(self, call: Call, location: str, operation: str) -> Reply:
        """The group itself, once the operation is over; that this is the form of it is a guess."""
        group = self._operations.group(operation)
        if group is None:
            raise _unknown(operation, location)
        if group.transitioning:
            url = f"{call.base}{call.path}?api-version={call.version}"
            return Reply(status=202, headers={"Location": url, "Retry-After": "10"})
        return Reply(body=show(group, show_identity(self._state, group.identity, group.id), call.version))

    def usages(self, _call: Call, location: str) -> Reply:
        quotas = self._state.settings.quotas
        here = self._groups.there(location)
        rows = [
            ("ContainerGroups", "Container Groups", len(here), quotas.container_groups),
            ("StandardCores", "Standard Cores", math.ceil(cores(here)), quotas.cores),
        ]
        value = [
            {"unit": "Count", "currentValue": current, "limit": limit, "name": {"value": name, "localizedValue": words}}
            for name, words, current, limit in rows
        ]
        return Reply(body={"value": value})

    def capabilities(self, _call: Call, location: str) -> Reply:
        """Linux without GPUs: that is what can be had here."""
        most = {"maxMemoryInGB": BOUNDS["MemoryInGB"][1], "maxCpu": BOUNDS["Cpu"][1], "maxGpuCount": 0.0}
        shared: dict[str, Any] = {"resourceType": "containerGroups", "osType": "Linux", "location": location, "gpu": "None"}
        return Reply(body={"value": [{**shared, "ipAddressType": kind, "capabilities": most} for kind in ("Public", "Private")]})

    def cached_images(self, _call: Call, location: str) -> Reply:  # noqa: ARG002 - of no region
        """Azure keeps some of Microsoft's own at hand; nothing is kept here."""
        return Reply(body={"value": []})


def _unknown(operation: str, location: str) -> ArmError:
    return ArmError(404, "OperationNotFound", f"The operation '{operation}' in '{location}' does not exist.")
