"""Role definitions: the built-in ones and a user's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.arm.authorization import errors
from localcloud.arm.authorization.actions import is_within
from localcloud.arm.authorization.roles import BUILT_IN, KIND, Role, permission
from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import not_supported
from localcloud.arm.ids import is_guid, timestamp
from localcloud.arm.reading import as_object, as_objects, as_text, as_texts, need_text
from localcloud.arm.routing import Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_FILTER = re.compile(r"(roleName|type) eq '([^']+)'|atScopeAndBelow\(\)", re.IGNORECASE)


class RoleDefinitions:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._roles = {role.id: role for role in BUILT_IN}

    def routes(self) -> list[Route]:
        every = f"{{*scope}}/providers/{KIND}"
        one = f"{every}/{{name}}"
        return [
            Route("PUT", one, self.put),
            # Every principal may look at what a role is: without it nobody could tell what it has.
            Route("GET", one, self.get, action=""),
            Route("DELETE", one, self.delete),
            Route("GET", every, self.list, action=""),
        ]

    def find(self, guid: str) -> Role | None:
        """The role definition whose id this GUID ends."""
        return self._roles.get(guid.lower())

    def need_assignable(self, guid: str, scope: str) -> None:
        """Raises for a role that there is not, or that cannot be assigned at the scope."""
        role = self.find(guid)
        if role is None:
            raise errors.no_role(guid)
        if not any(is_within(scope, one) for one in role.assignable):
            raise errors.not_assignable(guid, scope)

    def put(self, call: Call, scope: str, name: str) -> Reply:
        if not is_guid(name):
            raise errors.no_guid("definition", name)
        known = self.find(name)
        if known is not None and known.built_in:
            raise errors.built_in(name)
        wanted = self._read(call, name.lower(), known)
        self._refuse_same_name(wanted)
        for one in wanted.assignable:
            self._state.authorization.check_link(call, f"{KIND}/write", one)
        self._roles[wanted.id] = wanted
        return Reply(status=201, body=wanted.show(scope))

    def get(self, _call: Call, scope: str, name: str) -> Reply:
        found = self.find(name)
        if found is None:
            raise errors.no_role(name)
        return Reply(body=found.show(scope))

    def delete(self, _call: Call, scope: str, name: str) -> Reply:
        found = self.find(name)
        if found is None:
            return Reply(status=204)
        if found.built_in:
            raise errors.built_in(name)
        if any(one.role == found.id for one in self._state.authorization.assignments.all()):
            raise errors.role_in_use()
        del self._roles[found.id]
        return Reply(body=found.show(scope))

    def list(self, call: Call, scope: str) -> Reply:
        """Those that can be assigned at the scope."""
        scope = self._state.scope(scope)
        wanted = _FILTER.fullmatch(call.query.get("$filter", "").strip() or "atScopeAndBelow()")
        if wanted is None:
            raise not_supported(f"The $filter '{call.query['$filter']}' of role definitions")
        found = [role for role in self._roles.values() if any(is_within(scope, one) for one in role.assignable)]
        shown = [role.show(scope) for role in found]
        key, value = wanted.groups()
        name = "roleName" if (key or "").lower() == "rolename" else "type"
        return Reply(body={"value": [one for one in shown if not key or one["properties"][name].lower() == value.lower()]})

    def _read(self, call: Call, name: str, known: Role | None) -> Role:
        properties = as_object(call.object().get("properties"), "properties")
        role = need_text(properties, "roleName", "properties")
        assignable = as_texts(properties.get("assignableScopes"), "properties.assignableScopes")
        if not assignable:
            raise errors.invalid_scopes(name)
        now = timestamp(self._state.clock.now())
        created: dict[str, Any] = {"createdOn": now, "createdBy": call.actor} if known is None else dict(known.stamps)
        return Role(
            id=name,
            name=role,
            description=as_text(properties.get("description"), "properties.description"),
            permissions=[_read_permission(one) for one in as_objects(properties.get("permissions"), "properties.permissions")],
            assignable=assignable,
            built_in=False,
            stamps={**created, "updatedOn": now, "updatedBy": call.actor},
        )

    def _refuse_same_name(self, wanted: Role) -> None:
        if any(role.name.lower() == wanted.name.lower() and role.id != wanted.id for role in self._roles.values()):
            raise errors.role_name_taken(wanted.name)


def _read_permission(given: dict[str, Any]) -> dict[str, list[str]]:
    kinds = ("actions", "notActions", "dataActions", "notDataActions")
    return permission(*(as_texts(given.get(key), f"properties.permissions.{key}") for key in kinds))
