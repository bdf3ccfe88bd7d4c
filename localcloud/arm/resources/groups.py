"""Resource groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import bad_request, group_not_found
from localcloud.arm.ids import group_id
from localcloud.arm.routing import GROUP, Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_NAME = re.compile(r"[-\w._()]{1,90}(?<!\.)")


class ResourceGroups:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._groups: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Route]:
        return [
            Route("PUT", GROUP, self.put),
            Route("GET", GROUP, self.get),
            Route("HEAD", GROUP, self.head),
            Route("GET", "/subscriptions/{subscription}/resourceGroups", self.list),
        ]

    def need(self, name: str) -> dict[str, Any]:
        """The group, whatever the case of its name. Raises 404."""
        found = self._groups.get(name.lower())
        if found is None:
            raise group_not_found(name)
        return found

    def put(self, call: Call, group: str) -> Reply:
        body = call.object()
        if not body.get("location"):
            raise bad_request("LocationRequired", "The location property is required for this definition.")
        if not _NAME.fullmatch(group):
            raise bad_request("InvalidResourceGroup", f"The provided resource group name '{group}' has invalid characters or length.")
        known = self._groups.get(group.lower())
        name = known["name"] if known else group
        self._groups[group.lower()] = {
            "id": group_id(self._state.settings.subscription, name),
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": body["location"],
            **({"tags": body["tags"]} if body.get("tags") is not None else {}),
            "properties": {"provisioningState": "Succeeded"},
        }
        return Reply(status=200 if known else 201, body=self._groups[group.lower()])

    def get(self, _call: Call, group: str) -> Reply:
        return Reply(body=self.need(group))

    def head(self, _call: Call, group: str) -> Reply:
        return Reply(status=204 if group.lower() in self._groups else 404)

    def list(self, _call: Call) -> Reply:
        return Reply(body={"value": [*self._groups.values()]})
