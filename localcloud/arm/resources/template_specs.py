"""Template specs and their versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import ArmError, bad_request, not_supported, resource_not_found, wrong_location
from localcloud.arm.ids import region, resource_id, timestamp
from localcloud.arm.resources.spec_content import read_spec, read_version
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
        every = f"{GROUP}/providers/{SPEC}"
        spec = f"{every}/{{spec}}"
        version = f"{spec}/versions/{{version}}"
        return [
            Route("PUT", spec, self.put_spec),
            Route("GET", spec, self.get_spec),
            Route("PATCH", spec, self.patch_spec),
            Route("DELETE", spec, self.delete_spec),
            Route("GET", every, self.list_group),
            Route("GET", f"/subscriptions/{{subscription}}/providers/{SPEC}", self.list_all),
            Route("GET", f"{spec}/versions", self.list_versions),
            Route("PUT", version, self.put_version),
            Route("GET", version, self.get_version),
            Route("PATCH", version, self.patch_version),
            Route("DELETE", version, self.delete_version),
        ]

    def content(self, version_id: str) -> Resource | None:
        """The properties of a version, for a deployment; None when there is no such version."""
        version = self._versions.get(version_id.lower())
        return None if version is None else dict(version["properties"])

    def put_spec(self, call: Call, group: str, spec: str) -> Reply:
        body = call.object()
        properties = read_spec(body.get("properties"))
        return self._put(self._specs, self._id(group, spec), call, kind=SPEC, name=spec, properties=properties)

    def get_spec(self, call: Call, group: str, spec: str) -> Reply:
        return Reply(body=self._show(self._need(self._specs, self._id(group, spec), group, spec), call))

    def patch_spec(self, call: Call, group: str, spec: str) -> Reply:
        return self._patch(self._specs, self._id(group, spec), call, group, spec)

    def delete_spec(self, _call: Call, group: str, spec: str) -> Reply:
        """With all its versions."""
        key = self._id(group, spec)
        for version in self._of(key):
            del self._versions[version["id"].lower()]
        return Reply(status=200 if self._specs.pop(key.lower(), None) else 204)

    def list_group(self, call: Call, group: str) -> Reply:
        scope = str(self._state.groups.need(group)["id"]).lower()
        return self._list(call, [spec for key, spec in self._specs.items() if key.startswith(f"{scope}/")])

    def list_all(self, call: Call) -> Reply:
        return self._list(call, self._specs.values())

    def list_versions(self, _call: Call, group: str, spec: str) -> Reply:
        key = self._id(group, spec)
        self._need(self._specs, key, group, spec)
        return Reply(body={"value": self._of(key)})

    def put_version(self, call: Call, group: str, spec: str, version: str) -> Reply:
        key = self._id(group, spec)
        parent = self._need(self._specs, key, group, spec)
        body = call.object()
        properties = read_version(body.get("properties"))
        location = str(body.get("location") or "")
        if location and region(location) != region(parent["location"]):
            raise _elsewhere(version, location, spec, parent["location"])
        return self._put(self._versions, f"{key}/versions/{version}", call, kind=f"{SPEC}/versions", name=version, properties=properties)

    def get_version(self, _call: Call, group: str, spec: str, version: str) -> Reply:
        key = f"{self._id(group, spec)}/versions/{version}"
        return Reply(body=self._need(self._versions, key, group, f"{spec}/versions/{version}"))

    def patch_version(self, call: Call, group: str, spec: str, version: str) -> Reply:
        key = f"{self._id(group, spec)}/versions/{version}"
        return self._patch(self._versions, key, call, group, f"{spec}/versions/{version}")

    def delete_version(self, _call: Call, group: str, spec: str, version: str) -> Reply:
        key = f"{self._id(group, spec)}/versions/{version}"
        return Reply(status=200 if self._versions.pop(key.lower(), None) else 204)

    def _id(self, group: str, spec: str) -> str:
        return resource_id(self._state.groups.need(group)["id"], SPEC, spec)

    def _of(self, spec_id: str) -> list[Resource]:
        return [item for key, item in self._versions.items() if key.startswith(f"{spec_id.lower()}/versions/")]

    def _list(self, call: Call, specs: Iterable[Resource]) -> Reply:
        if call.query.get("$filter"):
            raise not_supported(f"The $filter '{call.query['$filter']}'")
        return Reply(body={"value": [self._show(spec, call) for spec in specs]})

    def _show(self, spec: Resource, call: Call) -> Resource:
        """With `$expand=versions` it lists its versions, without their templates."""
        if call.query.get("$expand", "").lower() != "versions":
            return spec
        versions = {item["name"]: _summary(item) for item in self._of(spec["id"])}
        return {**spec, "properties": {**spec["properties"], "versions": versions}}

    def _need(self, table: dict[str, Resource], key: str, group: str, name: str) -> Resource:
        if key.lower() not in table:
            raise resource_not_found(SPEC, name, group)
        return table[key.lower()]

    def _put(self, table: dict[str, Resource], key: str, call: Call, *, kind: str, name: str, properties: Resource) -> Reply:
        body = call.object()
        known = table.get(key.lower())
        self._check(body, kind, name, known)
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

    def _check(self, body: Mapping[str, Any], kind: str, name: str, known: Resource | None) -> None:
        location = body.get("location")
        if not location:
            raise bad_request("LocationRequired", "The location property is required for this definition.")
        if not _NAME.fullmatch(name):
            raise bad_request("InvalidResourceName", f"The resource name '{name}' is not valid: 1 to 90 letters, digits, _ - . ( ).")
        if region(location) not in self._state.settings.locations:
            raise wrong_location(str(location), kind, self._state.settings.locations)
        if known is not None and region(known["location"]) != region(location):
            raise _moved(known, str(location))

    def _patch(self, table: dict[str, Resource], key: str, call: Call, group: str, name: str) -> Reply:
        """Tags, and nothing else."""
        found = self._need(table, key, group, name)
        unknown = call.object().keys() - {"tags"}
        if unknown:
            raise bad_request("InvalidRequestContent", f"Only tags can be changed, not '{min(unknown)}': PUT the resource instead.")
        table[key.lower()] = {**found, "tags": call.object().get("tags") or {}, "systemData": self._system_data(call.actor, found)}
        return Reply(body=table[key.lower()])

    def _system_data(self, actor: str, known: Resource | None) -> Resource:
        """A person is known by the user's name in the token, an application by its client id."""
        now = timestamp(self._state.clock.now())
        who = self._state.authorization.client(actor)
        kind = "User" if "@" in who else "Application"
        created = known["systemData"] if known else {"createdBy": who, "createdByType": kind, "createdAt": now}
        changed = {"lastModifiedBy": who, "lastModifiedByType": kind, "lastModifiedAt": now}
        return {**{key: created[key] for key in ("createdBy", "createdByType", "createdAt")}, **changed}


def _summary(version: Resource) -> Resource:
    times = version["systemData"]
    description = version["properties"].get("description")
    more = {"description": description} if description else {}
    return {**more, "timeCreated": times["createdAt"], "timeModified": times["lastModifiedAt"]}


def _moved(known: Resource, location: str) -> ArmError:
    group = known["id"].split("/")[4]
    return ArmError(
        409,
        "InvalidResourceLocation",
        f"The resource '{known['name']}' already exists in location '{known['location']}' in resource group '{group}'. "
        f"A resource with the same name cannot be created in location '{location}'. Please select a new resource name.",
    )


def _elsewhere(version: str, location: str, spec: str, known: str) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request(
        "InvalidTemplateSpecVersionLocation",
        f"The template spec version '{version}' cannot be created in location '{location}': its template spec '{spec}' is in '{known}'.",
    )
