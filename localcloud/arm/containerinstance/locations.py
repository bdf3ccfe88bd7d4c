"""What ACI says of a region: its operations, quotas, capabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.containerinstance.identity import show_identity
from localcloud.arm.containerinstance.operations import Operations
from localcloud.arm.containerinstance.request import BOUNDS
from localcloud.arm.containerinstance.store import Groups
from localcloud.arm.containerinstance.usage import usage
from localcloud.arm.containerinstance.views import show
from localcloud.arm.errors import ArmError
from localcloud.arm.routing import Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_GROUPS = "Microsoft.ContainerInstance/containerGroups"
_PLACES = "Microsoft.ContainerInstance/locations"
_OPERATIONS = (
    *(f"{_GROUPS}/{verb}" for verb in ("read", "write", "delete", "restart/action", "stop/action", "start/action")),
    *(f"{_GROUPS}/containers/{verb}" for verb in ("exec/action", "attach/action", "logs/read")),
    f"{_GROUPS}/outboundNetworkDependenciesEndpoints/read",
    *(f"{_PLACES}/{kind}/read" for kind in ("operations", "operationResults", "usages", "capabilities", "cachedImages")),
)


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
            Route("GET", "/providers/Microsoft.ContainerInstance/operations", self.all_operations, action=""),
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
        if group.moving:
            return Reply(status=202, headers={"Location": call.address(call.path), "Retry-After": "10"})
        return Reply(body=show(group, show_identity(self._state, group.identity, group.life), call.version))

    def usages(self, _call: Call, location: str) -> Reply:
        """The lines that Azure has, in its order and spelling."""
        found = usage(self._groups, location, self._state.settings.quotas)
        base = f"/subscriptions/{self._state.settings.subscription}/providers/Microsoft.ContainerInstance/locations/{location}/usages"
        value = [
            {
                "id": f"{base}/{line.word}",
                "unit": "Count",
                "currentValue": line.current,
                "limit": line.limit,
                "name": {"value": line.name, "localizedValue": line.words},
            }
            for line in found
        ]
        return Reply(body={"value": value})

    def capabilities(self, _call: Call, location: str) -> Reply:
        """Linux without GPUs: that is what can be had here. Azure writes the region in capitals where it names a system."""
        most = {"maxMemoryInGB": BOUNDS["MemoryInGB"][1], "maxCpu": BOUNDS["Cpu"][1], "maxGpuCount": 0}
        value = [
            {
                "resourceType": "containerGroups",
                "osType": system,
                "location": place,
                "ipAddressType": kind,
                "gpu": "None",
                "capabilities": most,
            }
            for system, place in (("NotSpecified", location), ("Linux", location.upper()))
            for kind in ("Public", "Private")
        ]
        return Reply(body={"value": value})

    def cached_images(self, _call: Call, location: str) -> Reply:  # noqa: ARG002 - of no region
        """Azure keeps some of Microsoft's own at hand; nothing is kept here."""
        return Reply(body={"value": []})

    def all_operations(self, _call: Call) -> Reply:
        """What a role may allow; the words for people are the local cloud's own."""
        return Reply(body={"value": [_described(name) for name in _OPERATIONS]})


def _described(name: str) -> dict[str, Any]:
    kind, _, verb = name.removesuffix("/action").rpartition("/")
    resource = kind.partition("/")[2]
    words = f"{verb.capitalize()} {resource}"
    display = {"provider": "Microsoft Container Instance", "resource": resource, "operation": words, "description": f"{words}."}
    return {"name": name, "display": display, "origin": "User"}


def _unknown(operation: str, location: str) -> ArmError:
    return ArmError(404, "OperationNotFound", f"The operation '{operation}' in '{location}' does not exist.")
