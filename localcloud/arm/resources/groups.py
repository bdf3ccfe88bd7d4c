"""Resource groups, and what is in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import GATEWAY, ArmError, bad_request, group_not_found, not_supported
from localcloud.arm.ids import group_id, region
from localcloud.arm.listing import page
from localcloud.arm.reading import as_text
from localcloud.arm.resources.removal import Removal
from localcloud.arm.routing import GROUP, Route
from localcloud.arm.tags import read_tags

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KIND = "Microsoft.Resources/subscriptions/resourceGroups"
_NOT_IN_NAMES = re.compile(r"[^-\w._()]")
_LONGEST = 90
_SHOWN = ("id", "name", "type", "kind", "location", "sku", "identity", "managedBy", "tags")


class ResourceGroups:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._groups: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Route]:
        subscription = "/subscriptions/{subscription}"
        return [
            Route("PUT", GROUP, self.put),
            Route("PATCH", GROUP, self.patch),
            Route("GET", GROUP, self.get),
            Route("HEAD", GROUP, self.head),
            Route("DELETE", GROUP, self.delete),
            # Lists show what the caller may read, and refuse nobody.
            Route("GET", f"{subscription}/resourceGroups", self.list, action=""),
            Route("GET", f"{GROUP}/resources", self.list_resources, action=""),
            Route("GET", f"{subscription}/resources", self.list_all_resources, action=""),
            Route("POST", f"{GROUP}/exportTemplate", self.export),
        ]

    def need(self, name: str) -> dict[str, Any]:
        """The group, whatever the case of its name. Raises 404."""
        found = self._groups.get(name.lower())
        if found is None:
            raise group_not_found(name)
        return found

    def check_open(self, call: Call) -> None:
        """That nothing is made in a group that is on its way out."""
        words = call.path.split("/")
        found = self._groups.get(words[4].lower()) if len(words) > 4 and words[3].lower() == "resourcegroups" else None
        if found and call.method in ("PUT", "PATCH") and found["properties"]["provisioningState"] == "Deleting":
            raise ArmError(
                409,
                "ResourceGroupBeingDeleted",
                f"The resource group '{found['name']}' is in deprovisioning state and cannot perform this operation.",
                headers=GATEWAY,
            )

    def put(self, call: Call, group: str) -> Reply:
        body = call.object()
        known = self._groups.get(group.lower())
        self._check(group, as_text(body.get("location"), "location"), known)
        manager = as_text(body.get("managedBy"), "managedBy")
        name = known["name"] if known else group
        self._groups[group.lower()] = {
            "id": group_id(self._state.settings.subscription, name),
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": region(body["location"]),
            **({"managedBy": manager} if manager else {}),
            **({"tags": read_tags(body["tags"])} if body.get("tags") is not None else {}),
            "properties": {"provisioningState": "Succeeded"},
        }
        return Reply(status=200 if known else 201, body=self._groups[group.lower()])

    def patch(self, call: Call, group: str) -> Reply:
        found = self.need(group)
        given = call.object()
        tags, manager = read_tags(given.get("tags")), as_text(given.get("managedBy"), "managedBy")
        found.update({"tags": tags} if given.get("tags") is not None else {})
        found.update({"managedBy": manager} if manager else {})
        return Reply(body=found)

    def get(self, _call: Call, group: str) -> Reply:
        return Reply(body=self.need(group))

    def head(self, _call: Call, group: str) -> Reply:
        return Reply(status=204 if group.lower() in self._groups else 404)

    def delete(self, call: Call, group: str) -> Reply:
        """With everything in it, a while later."""
        found = self.need(group)
        key = str(found["id"]).lower()
        if found["properties"]["provisioningState"] != "Deleting":
            found["properties"] = {"provisioningState": "Deleting"}
            Removal(self._state, found, self._forget).begin()

        def look() -> Reply | None:
            now = self._groups.get(key.rpartition("/")[2])
            return None if now is found else Reply(status=200)

        return self._state.results.begin(call, "RESOURCEGROUPDELETIONJOB", look)

    def list(self, call: Call) -> Reply:
        seen = [one for one in self._groups.values() if self._state.authorization.allows(call.actor, f"{KIND}/read", one["id"])]
        return Reply(body=page(call, seen))

    def list_resources(self, call: Call, group: str) -> Reply:
        within = f"{self.need(group)['id']}/".lower()
        return self._list_resources(call, within)

    def list_all_resources(self, call: Call) -> Reply:
        return self._list_resources(call, "")

    def export(self, _call: Call, group: str) -> Reply:
        raise not_supported(f"The export of the resource group '{group}' as a template")

    def _list_resources(self, call: Call, within: str) -> Reply:
        allows = self._state.authorization.allows
        seen = [
            {key: one[key] for key in _SHOWN if one.get(key) is not None}
            for one in self._state.resources()
            if one["id"].lower().startswith(within) and allows(call.actor, f"{one['type']}/read", one["id"])
        ]
        return Reply(body=page(call, seen))

    def _forget(self, group: dict[str, Any]) -> None:
        if self._groups.get(group["name"].lower()) is group:
            del self._groups[group["name"].lower()]
            self._state.authorization.assignments.drop_within(group["id"])

    def _check(self, name: str, location: str, known: dict[str, Any] | None) -> None:
        if not location:
            raise bad_request("LocationRequired", "The location property is required for this definition.")
        if wrong := sorted({*_NOT_IN_NAMES.findall(name), *(name[-1:] if name.endswith(".") else "")}):
            raise bad_request(
                "InvalidResourceGroup",
                f"The provided resource group name '{name}' has these invalid characters: '{''.join(wrong)}'. The name can only be a "
                "letter, digit, '-', '.', '(', ')' or '_'.",
            )
        if len(name) > _LONGEST:
            # The local cloud's own words: Azure's are not known.
            raise bad_request("InvalidResourceGroup", f"The provided resource group name '{name}' is longer than {_LONGEST} characters.")
        if region(location) not in self._state.settings.locations:
            places = ",".join(self._state.settings.locations)
            message = f"The provided location '{location}' is not available for resource group. List of available regions is '{places}'."
            raise bad_request("LocationNotAvailableForResourceGroup", message, headers=GATEWAY)
        if known and known["location"] != region(location):
            raise ArmError(
                409,
                "InvalidResourceGroupLocation",
                f"Invalid resource group location '{location}'. The Resource group already exists in location '{known['location']}'.",
                headers=GATEWAY,
            )
