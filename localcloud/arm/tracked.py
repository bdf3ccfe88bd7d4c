"""Resources that are what was put, and what their provider makes of it: most types have nothing that runs behind them here.

A provider gives each of its types a `Fill`: from a draft, the parts of the resource that are its own. The rest is the same for all: create
or replace, get, change, delete with all that is in it, and list.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import GATEWAY, ArmError, bad_request, resource_not_found, wrong_location
from localcloud.arm.ids import read_target, region, resource_id, stable_guid, timestamp
from localcloud.arm.reading import as_object, as_text
from localcloud.arm.routing import GROUP, Route
from localcloud.arm.tags import read_tags

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

Resource = dict[str, Any]


class Shelf:
    """All of these resources by their ids, whatever the case."""

    def __init__(self) -> None:
        self._resources: dict[str, Resource] = {}

    def find(self, key: str) -> Resource | None:
        return self._resources.get(key.lower())

    def put(self, resource: Resource) -> Resource:
        self._resources[str(resource["id"]).lower()] = resource
        return resource

    def drop(self, key: str) -> None:
        """The resource and all that is in it."""
        within = f"{key.lower()}/"
        self._resources = {name: one for name, one in self._resources.items() if name != key.lower() and not name.startswith(within)}

    def of(self, kind: str, scope: str) -> list[Resource]:
        """Those of a type in a scope."""
        within = f"{scope.lower().rstrip('/')}/"
        return [one for name, one in self._resources.items() if name.startswith(within) and one["type"].lower() == kind.lower()]

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources.values())


@dataclass(frozen=True)
class Draft:
    """What a PUT or a PATCH asks for; `known` is the resource as it has been until now."""

    state: ArmState
    call: Call
    id: str
    name: str
    body: Mapping[str, Any]
    known: Resource | None

    @property
    def properties(self) -> dict[str, Any]:
        return as_object(self.body.get("properties"), "properties")

    @property
    def location(self) -> str:
        return region(self.body.get("location") or "")

    def kept(self, key: str, made: Callable[[], Any]) -> Any:
        """A computed property that stays what it was first."""
        known = self.known["properties"].get(key) if self.known else None
        return made() if known is None else known

    def now(self) -> str:
        return timestamp(self.state.clock.now())

    def identity(self) -> dict[str, Any]:
        """The identity block with the ids that Azure fills in, as a part of the resource; its user-assigned ones must be usable."""
        given = as_object(self.body.get("identity"), "identity")
        kind = as_text(given.get("type"), "identity.type") or "None"
        if kind == "None":
            return {}
        users = {key: self._assigned(key) for key in as_object(given.get("userAssignedIdentities"), "identity.userAssignedIdentities")}
        own = {"principalId": self._own_principal(given), "tenantId": self.state.settings.tenant}
        system = own if "systemassigned" in kind.lower() else {}
        return {"identity": {"type": kind, **system, **({"userAssignedIdentities": users} if users else {})}}

    def _own_principal(self, given: Mapping[str, Any]) -> str:
        known = (self.known or {}).get("identity", {}).get("principalId")
        return str(known or self.new_id("principal", given.get("principalId")))

    def new_id(self, kind: str, was: Any) -> str:
        """Of an identity that is being made: somebody new each time, even under a name that one has had before.

        Only what the local cloud makes for itself is always the same, or what it was at the last start.
        """
        return str(uuid.uuid4()) if self.call.actor else str(was or stable_guid(f"{kind}:{self.id}"))

    def _assigned(self, key: str) -> dict[str, str]:
        self.state.authorization.check_link(self.call, "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", key)
        found = self.state.identities.find(key)
        if found is None:
            target = read_target(key)
            raise resource_not_found(target.kind, target.names[-1] if target.names else "", target.scope.rpartition("/")[2])
        return {"principalId": found.principal_id, "clientId": found.client_id}


Fill = Callable[[Draft], Mapping[str, Any]]
"""Pure: what-if asks for it too. What has to be done beside is the business of `Done`, when the resource is in its place."""
Done = Callable[[Draft], None]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """`names` is what a name may be and `refuse` the error for another one; `created` the status of a PUT that makes something.

    What is not `located` has no region and no tags: most of what is in another resource.
    """

    names: str = r".+"
    refuse: Callable[[str], ArmError] | None = None
    created: int = 201
    located: bool = True


@dataclass(frozen=True)
class Tracked:
    """The resources of one type."""

    state: ArmState
    kind: str
    fill: Fill
    rules: Rules = field(default_factory=Rules)
    done: Done | None = None

    def routes(self) -> list[Route]:
        namespace, *types = self.kind.split("/")
        every = f"{GROUP}/providers/{namespace}"
        for at, kind in enumerate(types):
            every += f"/{kind}" if at == len(types) - 1 else f"/{kind}/{{name{at}}}"
        one = f"{every}/{{name{len(types) - 1}}}"
        whole = [Route("GET", f"/subscriptions/{{subscription}}/providers/{self.kind}", self.list_all)] if len(types) == 1 else []
        return [
            Route("PUT", one, self.put),
            Route("GET", one, self.get),
            Route("PATCH", one, self.patch),
            Route("DELETE", one, self.delete),
            Route("HEAD", one, self.head),
            Route("GET", every, self.list),
            *whole,
        ]

    def put(self, call: Call, group: str, **names: str) -> Reply:
        key, name = self._key(group, names)
        known = self.state.shelf.find(key)
        as_object(call.object().get("properties"), "properties")
        if self.rules.located:
            self._check_location(call.object(), known, group)
        if known is None:
            self._check_new(key, name)
        resource = self.make(call, key, call.object(), known)
        return Reply(status=200 if known else self.rules.created, body=resource)

    def make(self, call: Call, key: str, body: Mapping[str, Any], known: Resource | None) -> Resource:
        """Put it in its place, without the checks of a request."""
        key, name = (known["id"], known["name"]) if known else (key, key.rpartition("/")[2])
        place = {"location": region(body.get("location") or ""), "tags": read_tags(body.get("tags"))} if self.rules.located else {}
        draft = Draft(self.state, call, key, name, body, known)
        resource = {"id": key, "name": name, "type": self.kind, **place, **self.fill(draft)}
        self.state.shelf.put(resource)
        if self.done is not None:
            self.done(draft)
        return resource

    def get(self, _call: Call, group: str, **names: str) -> Reply:
        return Reply(body=self.need(group, names))

    def head(self, _call: Call, group: str, **names: str) -> Reply:
        return Reply(status=204 if self.state.shelf.find(self._key(group, names)[0]) else 404)

    def patch(self, call: Call, group: str, **names: str) -> Reply:
        """Tags are replaced as a whole, properties one by one."""
        known = self.need(group, names)
        given = call.object()
        if self.rules.located:
            self._check_location({"location": known["location"], **given}, known, group)
        properties = {**known["properties"], **as_object(given.get("properties"), "properties")}
        return Reply(body=self.make(call, known["id"], {**known, **given, "properties": properties}, known))

    def delete(self, _call: Call, group: str, **names: str) -> Reply:
        key, _ = self._key(group, names)
        known = self.state.shelf.find(key)
        if known is None:
            return Reply(status=204)
        self.state.drop(known["id"])
        return Reply(status=200)

    def list(self, _call: Call, group: str, **names: str) -> Reply:
        return Reply(body={"value": self.state.shelf.of(self.kind, self._parent(group, names))})

    def list_all(self, _call: Call) -> Reply:
        return Reply(body={"value": self.state.shelf.of(self.kind, f"/subscriptions/{self.state.settings.subscription}")})

    def need(self, group: str, names: Mapping[str, str]) -> Resource:
        """The resource. Raises ARM's 404."""
        key, name = self._key(group, names)
        found = self.state.shelf.find(key)
        if found is None:
            raise resource_not_found(self.kind, name, group)
        return found

    def _key(self, group: str, names: Mapping[str, str]) -> tuple[str, str]:
        name = "/".join(names.values())
        return resource_id(self.state.groups.need(group)["id"], self.kind, name), name

    def _parent(self, group: str, names: Mapping[str, str]) -> str:
        """The scope of a list: the resource group, or the resource whose children are listed."""
        scope = str(self.state.groups.need(group)["id"])
        if not names:
            return scope
        parent = resource_id(scope, self.kind.rpartition("/")[0], "/".join(names.values()))
        return str(self._need_parent(parent)["id"])

    def _need_parent(self, key: str) -> Resource:
        found = self.state.shelf.find(key)
        if found is None:
            raise ArmError(
                404,
                "ParentResourceNotFound",
                f"Failed to perform 'write' on resource(s) of type '{self.kind.partition('/')[2]}', because the parent resource '{key}' "
                "could not be found.",
                headers=GATEWAY,
            )
        return found

    def _check_new(self, key: str, name: str) -> None:
        own = name.rpartition("/")[2]
        if not re.fullmatch(self.rules.names, own):
            raise self.rules.refuse(own) if self.rules.refuse else _no_name(own, self.kind)
        if "/" in name:
            self._need_parent("/".join(key.split("/")[:-2]))

    def _check_location(self, body: Mapping[str, Any], known: Resource | None, group: str) -> None:
        place = as_text(body.get("location"), "location")
        if not place:
            raise bad_request("LocationRequired", "The location property is required for this definition.")
        if region(place) not in (*self.state.settings.locations, "global"):
            raise wrong_location(place, self.kind, self.state.settings.locations)
        if known and known["location"] != region(place):
            raise ArmError(
                409,
                "InvalidResourceLocation",
                f"The resource '{known['name']}' already exists in location '{known['location']}' in resource group '{group}'. A resource "
                f"with the same name cannot be created in location '{place}'. Please select a new resource name.",
                headers=GATEWAY,
            )


def _no_name(name: str, kind: str) -> ArmError:
    return bad_request("InvalidResourceName", f"Resource name {name} is invalid for a resource of type '{kind}'.")
