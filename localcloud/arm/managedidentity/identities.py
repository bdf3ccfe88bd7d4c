"""User-assigned identities. Their ids are derived from their names: the same after every start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import bad_request, resource_not_found
from localcloud.arm.ids import resource_id, stable_guid
from localcloud.arm.routing import GROUP, Route
from localcloud.tokens import Identity

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KIND = "Microsoft.ManagedIdentity/userAssignedIdentities"


class ManagedIdentity:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._identities: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Route]:
        one = f"{GROUP}/providers/{KIND}/{{name}}"
        return [Route("PUT", one, self.put), Route("GET", one, self.get)]

    def find(self, identity_id: str) -> Identity | None:
        found = self._identities.get(identity_id.lower())
        if found is None:
            return None
        properties = found["properties"]
        return Identity(found["name"], found["id"], properties["clientId"], properties["principalId"])

    def principals(self) -> list[str]:
        """The object ids of them all."""
        return [str(one["properties"]["principalId"]) for one in self._identities.values()]

    def all(self) -> list[Identity]:
        return [identity for one in self._identities if (identity := self.find(one))]

    def put(self, call: Call, group: str, name: str) -> Reply:
        body = call.object()
        if not body.get("location"):
            raise bad_request("LocationRequired", "The location property is required for this definition.")
        key = resource_id(self._state.groups.need(group)["id"], KIND, name)
        known = self._identities.get(key.lower())
        self._identities[key.lower()] = {
            "location": body["location"],
            "tags": body.get("tags") or {},
            "id": key,
            "name": name,
            "type": KIND,
            "properties": {
                "tenantId": self._state.settings.tenant,
                "principalId": stable_guid(f"principal:{key}"),
                "clientId": stable_guid(f"client:{key}"),
            },
        }
        return Reply(status=200 if known else 201, body=self._identities[key.lower()])

    def get(self, _call: Call, group: str, name: str) -> Reply:
        key = resource_id(self._state.groups.need(group)["id"], KIND, name)
        if key.lower() not in self._identities:
            raise resource_not_found(KIND, name, group)
        return Reply(body=self._identities[key.lower()])
