"""The asynchronous operations behind PUTs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localcloud.arm.containerinstance.group import ContainerGroup
from localcloud.arm.ids import timestamp

KEPT = 1_000  # operations; far more than there can be containers at once


@dataclass(frozen=True)
class _Operation:
    group: ContainerGroup
    started: datetime


class Operations:
    def __init__(self) -> None:
        self._operations: dict[str, _Operation] = {}  # the oldest first

    def begin(self, group: ContainerGroup, key: str, now: datetime) -> str:
        self._operations[key] = _Operation(group, now)
        if len(self._operations) > KEPT:
            del self._operations[next(iter(self._operations))]
        return key

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
            "properties": {"events": group.events},
            **({"error": group.error.error()} if group.error else {}),
        }
