"""The operations on container groups."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.group import ContainerGroup
from localcloud.arm.containerinstance.lifecycle import Lifecycle
from localcloud.arm.containerinstance.logs import readable_log
from localcloud.arm.containerinstance.operations import Operations
from localcloud.arm.containerinstance.request import read_group
from localcloud.arm.containerinstance.views import KIND, show
from localcloud.arm.errors import ArmError, bad_request, resource_not_found, wrong_location
from localcloud.arm.ids import guid, region, resource_id, stable_guid
from localcloud.arm.routing import GROUP, Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

OPERATION_VERSION = "2018-06-01"  # whatever version the request had


class ContainerInstance:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._groups: dict[str, ContainerGroup] = {}
        self._starts: Counter[str] = Counter()
        self._operations = Operations()
        self._lifecycle = Lifecycle(state, self._started)

    def routes(self) -> list[Route]:
        one = f"{GROUP}/providers/{KIND}/{{name}}"
        location = "/subscriptions/{subscription}/providers/Microsoft.ContainerInstance/locations/{location}"
        return [
            Route("PUT", one, self.put, resource="create"),
            Route("GET", one, self.get),
            Route("DELETE", one, self.delete, resource="delete"),
            Route("GET", f"{GROUP}/providers/{KIND}", self.list_group),
            Route("GET", f"/subscriptions/{{subscription}}/providers/{KIND}", self.list_all),
            Route("GET", f"{one}/containers/{{container}}/logs", self.logs),
            # Whoever was given its address may look: a role on the resource group does not reach to the region.
            Route("GET", f"{location}/operations/{{operation}}", self.operation, action=""),
            Route("GET", f"{location}/usages", self.usages),
        ]

    @property
    def lifecycle(self) -> Lifecycle:
        """What moves the groups along."""
        return self._lifecycle

    def abandon(self) -> None:
        """Kill all that runs."""
        for group in self._groups.values():
            self._lifecycle.abandon(group)

    def live(self, name: str) -> ContainerGroup | None:
        """The group of that name, in whatever resource group it is."""
        return next((found for found in self._groups.values() if found.name.lower() == name.lower()), None)

    def location(self, call: Call, group: str, name: str) -> str:
        """The region whose limits a PUT or a DELETE counts for."""
        found = self._find(group, name)
        return region(found.location if found else (call.object().get("location") or ""))

    def check_location(self, body: Mapping[str, Any]) -> None:
        """ARM's own check of a container group's region, before a deployment is accepted too."""
        known = self._state.settings.locations
        if body.get("location") and region(body["location"]) not in known:
            raise wrong_location(str(body["location"]), KIND, known)

    def put(self, call: Call, group: str, name: str) -> Reply:
        key = self._id(group, name)
        self.check_location(call.object())
        wanted = read_group(key, name, call.object())
        wanted.eviction, wanted.comes_back, wanted.hold = call.eviction, call.comes_back, call.hold
        self._check_links(call, wanted)
        known = self._groups.get(key.lower())
        if known is not None:
            self._check_update(known, wanted)
        self._check_quota(wanted, known)
        if known is not None:
            self._lifecycle.abandon(known)
        self._hide(wanted, known)
        self._groups[key.lower()] = wanted
        # Also remembers that the name was in use: its 404 is another one from now on.
        self._starts.setdefault(name, 0)
        self._lifecycle.provision(wanted, call.fate, call.slow)
        operation = self._operations.begin(wanted, guid(self._state.ids), self._state.clock.now())
        url = (
            f"{call.base}/subscriptions/{self._state.settings.subscription}/providers/Microsoft.ContainerInstance"
            f"/locations/{wanted.location}/operations/{operation}?api-version={OPERATION_VERSION}"
        )
        return Reply(status=200 if known else 201, body=self._show(wanted), headers={"Azure-AsyncOperation": url})

    def get(self, _call: Call, group: str, name: str) -> Reply:
        found = self._find(group, name)
        if found is None:
            # A name that was in use is still known to ACI itself; any other never gets past ARM.
            raise errors.not_found(name) if name in self._starts else resource_not_found(KIND, name, group)
        if found.hidden:
            raise resource_not_found(KIND, name, group)
        return Reply(body=self._show(found))

    def delete(self, _call: Call, group: str, name: str) -> Reply:
        found = self._find(group, name)
        if found is None:
            return Reply(status=204)
        if found.transitioning:
            raise errors.transitioning(name)
        # Azure answers with the group as it was, still running.
        body = self._show(found)
        self._lifecycle.abandon(found)
        del self._groups[found.id.lower()]
        return Reply(body=body)

    def list_group(self, _call: Call, group: str) -> Reply:
        scope = str(self._state.groups.need(group)["id"]).lower()
        return self._list([found for key, found in self._groups.items() if key.startswith(f"{scope}/")])

    def list_all(self, _call: Call) -> Reply:
        return self._list([*self._groups.values()])

    def logs(self, call: Call, group: str, name: str, container: str) -> Reply:
        found = self._find(group, name)
        if found is None:
            raise errors.not_found(name)
        status = found.container(container)
        if status is None:
            raise errors.no_such_container(name, container)
        if status.process is None:
            raise errors.transitioning(name) if found.transitioning else errors.no_log(name, container)
        tail = call.query.get("tail")
        if tail is not None and not tail.isdecimal():
            raise bad_request("InvalidTail", f"The value '{tail}' of the query parameter 'tail' is not a number.")
        stamps = call.query.get("timestamps", "").lower() == "true"
        content = readable_log(status.process.log(), ended=status.ended, tail=int(tail) if tail else None, stamps=stamps)
        return Reply(body={"content": content})

    def operation(self, _call: Call, location: str, operation: str) -> Reply:
        body = self._operations.show(operation)
        if body is None:
            raise ArmError(404, "OperationNotFound", f"The operation '{operation}' in '{location}' does not exist.")
        return Reply(body=body)

    def usages(self, _call: Call, location: str) -> Reply:
        quotas = self._state.settings.quotas
        here = self._in(location)
        rows = [
            ("ContainerGroups", "Container Groups", len(here), quotas.container_groups),
            ("StandardCores", "Standard Cores", math.ceil(_cores(here)), quotas.cores),
        ]
        value = [
            {"unit": "Count", "currentValue": current, "limit": limit, "name": {"value": name, "localizedValue": words}}
            for name, words, current, limit in rows
        ]
        return Reply(body={"value": value})

    def summary(self) -> dict[str, Any]:
        """For the side door: process starts and, where the group exists, its states, by every name ever used."""
        live = {found.name: found for found in self._groups.values()}
        return {
            name: {
                "starts": starts,
                "exists": name in live,
                "state": live[name].state if name in live else None,
                "provisioning_state": live[name].provisioning_state if name in live else None,
            }
            for name, starts in self._starts.items()
        }

    def identity_ids(self, name: str) -> list[str]:
        """The user-assigned identities of the group of that name, or of all when it is empty."""
        groups = [found for found in self._groups.values() if name in ("", found.name)]
        found = {key.lower(): key for group in groups for key in (group.identity or {}).get("userAssignedIdentities") or {}}
        return [*found.values()]

    def _id(self, group: str, name: str) -> str:
        return resource_id(self._state.groups.need(group)["id"], KIND, name)

    def _find(self, group: str, name: str) -> ContainerGroup | None:
        return self._groups.get(self._id(group, name).lower())

    def _started(self, group: ContainerGroup) -> None:
        self._starts[group.name] += 1

    def _in(self, location: str) -> list[ContainerGroup]:
        return [found for found in self._groups.values() if region(found.location) == region(location)]

    def _list(self, groups: list[ContainerGroup]) -> Reply:
        return Reply(body={"value": [show(group, self._identity(group), instance=False) for group in groups]})

    def _show(self, group: ContainerGroup) -> dict[str, Any]:
        return show(group, self._identity(group))

    def _identity(self, group: ContainerGroup) -> dict[str, Any] | None:
        """The identity block with the ids that Azure fills in."""
        if not group.identity or group.identity.get("type", "None") == "None":
            return None
        found = {key: self._state.identities.find(key) for key in group.identity.get("userAssignedIdentities") or {}}
        users = {key: {"principalId": one.principal_id, "clientId": one.client_id} for key, one in found.items() if one}
        system = "SystemAssigned" in group.identity["type"]
        own = {"principalId": stable_guid(group.id), "tenantId": self._state.settings.tenant} if system else {}
        return {**({"userAssignedIdentities": users} if users else {}), **own, "type": group.identity["type"]}

    def _check_links(self, call: Call, wanted: ContainerGroup) -> None:
        """What the group uses must be there, and its creator allowed to use it."""
        authorization = self._state.authorization
        for key in (wanted.identity or {}).get("userAssignedIdentities") or {}:
            authorization.check_link(call, "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", key)
            if self._state.identities.find(key) is None:
                raise resource_not_found("Microsoft.ManagedIdentity/userAssignedIdentities", key.rpartition("/")[2], _group_of(key))
        for subnet in wanted.subnets:
            authorization.check_link(call, "Microsoft.Network/virtualNetworks/subnets/join/action", subnet["id"])

    def _check_update(self, known: ContainerGroup, wanted: ContainerGroup) -> None:
        """A group that has ended is run anew; a live one can only be changed in part."""
        if known.transitioning:
            raise errors.transitioning(known.name)
        if known.provisioning_state == "Failed" or known.ended:
            return
        resources = [{item.name: item.requests for item in group.containers} for group in (known, wanted)]
        if known.restart_policy != wanted.restart_policy or resources[0] != resources[1]:
            raise errors.invalid_update(known.name)

    def _check_quota(self, wanted: ContainerGroup, known: ContainerGroup | None) -> None:
        quotas = self._state.settings.quotas
        others = [found for found in self._in(wanted.location) if found is not known]
        if len(others) + 1 > quotas.container_groups:
            raise errors.quota_reached("ContainerGroups", wanted.location, quotas.container_groups, len(others), 1)
        if _cores(others) + wanted.cores > quotas.cores:
            raise errors.quota_reached("StandardCores", wanted.location, quotas.cores, _cores(others), wanted.cores)

    def _hide(self, wanted: ContainerGroup, known: ContainerGroup | None) -> None:
        """A new group may be unknown to a GET for a moment."""
        if known is None and self._state.coincidences.happens("hidden", self._state.settings.hidden_probability):
            wanted.hidden = True
            self._state.clock.call_later(self._state.settings.latencies.hidden, wanted.appear)


def _group_of(resource: str) -> str:
    parts = resource.split("/")
    return parts[4] if len(parts) > 4 else ""


def _cores(groups: list[ContainerGroup]) -> float:
    return sum(group.cores for group in groups if not (group.provisioning_state == "Succeeded" and group.ended))
