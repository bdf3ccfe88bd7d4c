"""The operations on container groups: create and update, read, list, tag, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from localcloud.arm.calls import Call, Reply
from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.actions import Actions
from localcloud.arm.containerinstance.group import ContainerGroup
from localcloud.arm.containerinstance.identity import show_identity
from localcloud.arm.containerinstance.lifecycle import Lifecycle
from localcloud.arm.containerinstance.locations import Locations
from localcloud.arm.containerinstance.looking import Looking
from localcloud.arm.containerinstance.operations import Operations
from localcloud.arm.containerinstance.reading import as_list
from localcloud.arm.containerinstance.request import read_group
from localcloud.arm.containerinstance.sessions import Sessions
from localcloud.arm.containerinstance.store import Groups
from localcloud.arm.containerinstance.updates import changes_nothing, check_label, check_links, check_update
from localcloud.arm.containerinstance.usage import check_quota
from localcloud.arm.containerinstance.views import KIND, show
from localcloud.arm.errors import not_supported, wrong_location
from localcloud.arm.ids import region
from localcloud.arm.routing import GROUP, Route
from localcloud.arm.tags import read_tags

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

PAGE = 100  # container groups of one answer to a list


class ContainerInstance:
    """All of the provider; this module has the groups themselves."""

    def __init__(self, state: ArmState) -> None:
        self._state = state
        self.groups = Groups(state)
        self.sessions = Sessions()
        self._operations = Operations(state)
        self._lifecycle = Lifecycle(state, self.groups.started)
        self._actions = Actions(state, self.groups, self._lifecycle, self._operations)
        self._looking = Looking(state, self.groups, self.sessions)
        self._locations = Locations(state, self.groups, self._operations)

    def routes(self) -> list[Route]:
        every = f"{GROUP}/providers/{KIND}"
        one = f"{every}/{{name}}"
        return [
            Route("PUT", one, self.put, resource="create"),
            Route("GET", one, self.get),
            Route("PATCH", one, self.patch),
            Route("DELETE", one, self.delete, resource="delete"),
            Route("GET", every, self.list_group),
            Route("GET", f"/subscriptions/{{subscription}}/providers/{KIND}", self.list_all),
            *self._actions.routes(one),
            *self._looking.routes(f"{one}/containers/{{container}}"),
            *self._locations.routes(),
        ]

    @property
    def lifecycle(self) -> Lifecycle:
        """What moves the groups along."""
        return self._lifecycle

    def abandon(self) -> None:
        """Kill all that runs."""
        for group in self.groups.by_id.values():
            self._lifecycle.abandon(group)

    def live(self, name: str) -> ContainerGroup | None:
        """The group of that name, or of `resourceGroup/name`. Raises ValueError when there are several."""
        return self.groups.live(name)

    def location(self, call: Call, group: str, name: str) -> str:
        """The region whose limits a PUT or a DELETE counts for."""
        found = self.groups.find(group, name)
        return region(found.location if found else (call.object().get("location") or ""))

    def check_location(self, body: Mapping[str, Any]) -> None:
        """ARM's own check of a container group's region, before a deployment is accepted too."""
        known = self._state.settings.locations
        if body.get("location") and region(body["location"]) not in known:
            raise wrong_location(str(body["location"]), KIND, known)

    def put(self, call: Call, group: str, name: str) -> Reply:
        self.check_location(call.object())
        wanted = self._read(call, group, name)
        known = self.groups.find(group, name)
        if known is not None:
            check_update(known, wanted, group)
        check_quota(self.groups, self._state.settings.quotas, wanted, known)
        check_label(self.groups, wanted, known)
        if known is not None and changes_nothing(known, wanted):
            known.tags, known.zones = wanted.tags, wanted.zones
            return self._accepted(call, known, 200)
        if known is not None:
            self._lifecycle.abandon(known)
        self._hide(wanted, known)
        self.groups.add(wanted)
        self._lifecycle.provision(wanted, call.fate, call.slow)
        return self._accepted(call, wanted, 200 if known else 201)

    def get(self, call: Call, group: str, name: str) -> Reply:
        return Reply(body=self._show(call, self.groups.need(group, name)))

    def patch(self, call: Call, group: str, name: str) -> Reply:
        """Tags and zones: nothing that runs notices."""
        found = self.groups.need(group, name)
        body = call.object()
        if others := sorted(body.keys() - {"tags", "zones", "location", "id", "name", "type"}):
            raise errors.only_tags(name, others)
        if body.get("tags") is not None:
            found.tags = read_tags(body["tags"])
        if body.get("zones") is not None:
            found.zones = [str(zone) for zone in as_list(body["zones"], "zones")]
        return Reply(body=self._show(call, found))

    def delete(self, call: Call, group: str, name: str) -> Reply:
        found = self.groups.find(group, name)
        if found is None:
            return Reply(status=204)
        if found.moving:
            raise errors.transitioning(name)
        # Azure answers with the group as it was, still running.
        body = self._show(call, found)
        self._lifecycle.abandon(found)
        self.groups.remove(found)
        return Reply(body=body)

    def list_group(self, call: Call, group: str) -> Reply:
        return self._list(call, self.groups.below(str(self._state.groups.need(group)["id"])))

    def list_all(self, call: Call) -> Reply:
        return self._list(call, [*self.groups.by_id.values()])

    def summary(self) -> dict[str, Any]:
        """For the side door: process starts and, where the group exists, its states, by every name ever used."""
        return self.groups.summary()

    def identity_ids(self, key: str) -> list[str]:
        """The user-assigned identities of the group with that key, or of all when it is empty."""
        return self.groups.identity_ids(key)

    def _read(self, call: Call, group: str, name: str) -> ContainerGroup:
        wanted = read_group(self.groups.id(group, name), name, call.object(), call.version, self._state.settings.tenant)
        wanted.eviction, wanted.comes_back, wanted.hold = call.eviction, call.comes_back, call.hold
        check_links(self._state, call, wanted)
        if not self._state.runtime.executes and any(item.liveness or item.readiness for item in wanted.containers):
            raise not_supported("A probe of a container, by what runs the containers here,")
        return wanted

    def _accepted(self, call: Call, group: ContainerGroup, status: int) -> Reply:
        return Reply(status=status, body=self._show(call, group), headers=self._operations.begin(call, group))

    def _list(self, call: Call, groups: list[ContainerGroup]) -> Reply:
        """By their ids: the next page begins after the last that was shown, whatever has come or gone meanwhile."""
        after = call.query.get("$skiptoken", "")
        left = sorted((one for one in groups if one.id.lower() > after), key=lambda one: one.id.lower())
        page = left[:PAGE]
        body: dict[str, Any] = {"value": [show(one, self._identity(one), call.version, instance=False) for one in page]}
        if len(left) > PAGE:
            query = urlencode({**call.query, "$skiptoken": page[-1].id.lower()})
            body["nextLink"] = f"{call.base}{call.path}?{query}"
        return Reply(body=body)

    def _show(self, call: Call, group: ContainerGroup) -> dict[str, Any]:
        return show(group, self._identity(group), call.version)

    def _identity(self, group: ContainerGroup) -> dict[str, Any] | None:
        return show_identity(self._state, group.identity, group.life)

    def _hide(self, wanted: ContainerGroup, known: ContainerGroup | None) -> None:
        """A new group may be unknown to a GET for a moment."""
        if known is None and self._state.coincidences.happens("hidden", self._state.settings.hidden_probability):
            wanted.hidden = True
            self._state.clock.call_later(self._state.settings.latencies.hidden, wanted.appear)
