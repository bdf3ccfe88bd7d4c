"""The asynchronous operations behind what takes its time: each follows the provisioning of one group."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call
from localcloud.arm.containerinstance.group import ContainerGroup
from localcloud.arm.ids import guid, timestamp

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KEPT = 1_000  # operations; far more than there can be containers at once
VERSION = "2018-06-01"  # of an operation's URL, whatever version the request had


@dataclass(frozen=True)
class _Operation:
    group: ContainerGroup
    started: datetime


class Operations:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._operations: dict[str, _Operation] = {}  # the oldest first

    def begin(self, call: Call, group: ContainerGroup) -> dict[str, str]:
        """The header that tells the client where to ask."""
        key = guid(self._state.ids)
        self._operations[key] = _Operation(group, self._state.clock.now())
        if len(self._operations) > KEPT:
            del self._operations[next(iter(self._operations))]
        path = f"/subscriptions/{self._state.settings.subscription}/providers/Microsoft.ContainerInstance/locations/{group.location}"
        return {"Azure-AsyncOperation": call.address(f"{path}/operations/{key}", VERSION)}

    def group(self, key: str) -> ContainerGroup | None:
        """The group that an operation is about."""
        operation = self._operations.get(key.lower())
        return operation.group if operation else None

    def show(self, key: str) -> dict[str, Any] | None:
        """`status` is the group's provisioning state."""
        operation = self._operations.get(key.lower())
        if operation is None:
            return None
        group = operation.group
        return {
            "id": group.id,
            "status": group.provisioning_state,
            "startTime": timestamp(operation.started),
            "properties": {"events": [*group.events, *(event for container in group.everything for event in container.events)]},
            **({"error": group.error.error()} if group.error else {}),
        }
