"""Template specs and their versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import bad_request, invalid_content, not_supported, resource_not_found
from localcloud.arm.ids import resource_id, timestamp
from localcloud.arm.routing import GROUP, Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

SPEC = "Microsoft.Resources/templateSpecs"
_NAME = re.compile(r"[-\w.()]{1,90}(?<!\.)")
Resource = dict[str, Any]


class TemplateSpecs:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._specs: dict[str, Resource] = {}
        self._versions: dict[str, Resource] = {}

    def routes(self) -> list[Route]:
        spec = f"{GROUP}/providers/{SPEC}/{{spec}}"
        return [
            Route("PUT", spec, self.put_spec),
            Route("GET", spec, self.get_spec),
            Route("DELETE", spec, self.delete_spec),
            Route("GET", f"{spec}/versions", self.list_versions),
            Route("PUT", f"{spec}/versions/{{version}}", self.put_version),
            Route("GET", f"{spec}/versions/{{version}}", self.get_version),
            Route("DELETE", f"{spec}/versions/{{version}}", self.delete_version),
        ]

    def content(self, version_id: str) -> Resource | None:
        """The properties of a version, for a deployment; None when there is no such version."""
        version = self._versions.get(version_id.lower())
        return None if version is None else dict(version["properties"])

    def put_spec(self, call: Call, group: str, spec: str) -> Reply:
        key = self._id(group, spec)
        properties = call.object().get("properties") or {}
        return self._put(self._specs, key, call, kind=SPEC, name=spec, properties=properties)

    def get_spec(self, call: Call, group: str, spec: str) -> Reply:
        key = self._id(group, spec)
        found = self._need(self._specs, key, group, spec)
        if call.query.get("$expand") == "versions":
            versions = {item["name"]: {"timeModified": item["systemData"]["lastModifiedAt"]} for item in self._of(key)}
            return Reply(body={**found, "properties": {**found["properties"], "versions": versions}})
        return Reply(body=found)

    def delete_spec(self, _call: Call, group: str, spec: str) -> Reply:
        """With all its versions."""
        key = self._id(group, spec)
        for version in self._of(key):
            del self._versions[version["id"].lower()]
        return Reply(status=200 if self._specs.pop(key.lower(), None) else 204)

    def list_versions(self, _call: Call, group: str, spec: str) -> Reply:
        key = self._id(group, spec)
        self._need(self._specs, key, group, spec)
        return Reply(body={"value": self._of(key)})

    def put_version(self, call: Call, group: str, spec: str, version: str) -> Reply:
        key = self._id(group, spec)
        self._need(self._specs, key, group, spec)
        properties = dict(call.object().get("properties") or {})
        if not isinstance(properties.get("mainTemplate"), dict):
            raise invalid_content("Required property 'mainTemplate' not found in JSON. Path 'properties', line 1, position 1.")
        if properties.get("linkedTemplates"):
            raise not_supported("A template spec with linked templates")
        properties.pop("linkedTemplates", None)
        return self._put(self._versions, f"{key}/versions/{version}", call, kind=f"{SPEC}/versions", name=version, properties=properties)

    def get_version(self, _call: Call, group: str, spec: str, version: str) -> Reply:
        key = f"{self._id(group, spec)}/versions/{version}"
        return Reply(body=self._need(self._versions, key, group, f"{spec}/versions/{version}"))

    def delete_version(self, _call: Call, group: str, spec: str, version: str) -> Reply:
        key = f"{self._id(group, spec)}/versions/{version}"
        return Reply(status=200 if self._versions.pop(key.lower(), None) else 204)

    def _id(self, group: str, spec: str) -> str:
        return resource_id(self._state.groups.need(group)["id"], SPEC, spec)

    def _of(self, spec_id: str) -> list[Resource]:
        return [item for key, item in self._versions.items() if key.startswith(f"{spec_id.lower()}/versions/")]

    def _need(self, table: dict[str, Resource], key: str, group: str, name: str) -> Resource:
        if key.lower() not in table:
            raise resource_not_found(SPEC, name, group)
        return table[key.lower()]

    def _put(self, table: dict[str, Resource], key: str, call: Call, *, kind: str, name: str, properties: Resource) -> Reply:
        body = call.object()
        if not body.get("location"):
            raise bad_request("LocationRequired", "The location property is required for this definition.")
        if not _NAME.fullmatch(name):
            raise bad_request("InvalidResourceName", f"The resource name '{name}' is not valid: 1 to 90 letters, digits, _ - . ( ).")
        known = table.get(key.lower())
        table[key.lower()] = {
            "location": body["location"],
            "tags": body.get("tags") or {},
            "properties": properties,
            "systemData": self._system_data(call.actor, known),
            "id": key,
            "type": kind,
            "name": name,
        }
        return Reply(status=200 if known else 201, body=table[key.lower()])

    def _system_data(self, actor: str, known: Resource | None) -> Resource:
        now = timestamp(self._state.clock.now())
        created = known["systemData"] if known else {"createdBy": actor, "createdByType": "Application", "createdAt": now}
        changed = {"lastModifiedBy": actor, "lastModifiedByType": "Application", "lastModifiedAt": now}
        return {**{key: created[key] for key in ("createdBy", "createdByType", "createdAt")}, **changed}
