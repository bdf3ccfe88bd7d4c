"""Role assignments: made and listed at every scope."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from localcloud.arm.authorization import errors
from localcloud.arm.authorization.actions import is_within
from localcloud.arm.authorization.roles import KIND as ROLES
from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import not_supported
from localcloud.arm.ids import is_guid, timestamp
from localcloud.arm.reading import as_object, as_text, need_text
from localcloud.arm.routing import Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KIND = "Microsoft.Authorization/roleAssignments"
_FILTER = re.compile(r"\s*(?:(atScope)\(\)|assignedTo\('([^']+)'\)|principalId eq '?([^' ]+)'?)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Assignment:
    """`role` is the GUID of a role definition."""

    name: str
    scope: str
    role: str
    principal: str
    principal_type: str
    stamps: dict[str, Any] = field(default_factory=dict)
    description: str | None = None

    @property
    def id(self) -> str:
        return f"{self.scope.rstrip('/')}/providers/{KIND}/{self.name}"

    def show(self, subscription: str) -> dict[str, Any]:
        """As ARM shows it."""
        return {
            "properties": {
                "roleDefinitionId": f"/subscriptions/{subscription}/providers/{ROLES}/{self.role}",
                "principalId": self.principal,
                "principalType": self.principal_type,
                "scope": self.scope,
                "condition": None,
                "conditionVersion": None,
                **self.stamps,
                "delegatedManagedIdentityResourceId": None,
                "description": self.description,
            },
            "id": self.id,
            "type": KIND,
            "name": self.name,
        }


class RoleAssignments:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._assignments: dict[str, Assignment] = {}

    def routes(self) -> list[Route]:
        every = f"{{*scope}}/providers/{KIND}"
        one = f"{every}/{{name}}"
        return [
            Route("PUT", one, self.put),
            Route("GET", one, self.get),
            Route("DELETE", one, self.delete),
            Route("GET", every, self.list),
        ]

    def all(self) -> Iterable[Assignment]:
        """All of them, wherever they hold."""
        return self._assignments.values()

    def add(self, assignment: Assignment) -> None:
        """Put it in place without any checks."""
        now = timestamp(self._state.clock.now())
        stamps = {"createdOn": now, "updatedOn": now, "createdBy": "", "updatedBy": ""}
        self._assignments[assignment.id.lower()] = replace(assignment, stamps=assignment.stamps or stamps)

    def drop_within(self, scope: str) -> None:
        """Those on what has been deleted, and on all that was in it."""
        self._assignments = {key: one for key, one in self._assignments.items() if not is_within(one.scope, scope)}

    def put(self, call: Call, scope: str, name: str) -> Reply:
        if not is_guid(name):
            raise errors.no_guid("assignment", name)
        self._state.need_resource(scope)
        wanted = self._read(call, self._state.scope(scope), name)
        known = self._assignments.get(wanted.id.lower())
        if known is not None and (known.role, known.principal.lower()) != (wanted.role, wanted.principal.lower()):
            raise errors.assignment_is_fixed()
        self._refuse_twice(wanted)
        now = timestamp(self._state.clock.now())
        created = {"createdOn": now, "createdBy": call.actor} if known is None else known.stamps
        self.add(replace(wanted, stamps={**created, "updatedOn": now, "updatedBy": call.actor}))
        return Reply(status=200 if known else 201, body=self._show(self._assignments[wanted.id.lower()]))

    def get(self, _call: Call, scope: str, name: str) -> Reply:
        found = self._assignments.get(self._key(scope, name))
        if found is None:
            raise errors.no_assignment(name)
        return Reply(body=self._show(found))

    def delete(self, _call: Call, scope: str, name: str) -> Reply:
        gone = self._assignments.pop(self._key(scope, name), None)
        return Reply(body=self._show(gone)) if gone else Reply(status=204)

    def list(self, call: Call, scope: str) -> Reply:
        """Those that hold at the scope and those below it; `atScope()` leaves out those below."""
        scope = self._state.scope(scope)
        narrowed = _read_filter(call.query.get("$filter", ""))
        found = [one for one in self.all() if is_within(scope, one.scope) or is_within(one.scope, scope)]
        return Reply(body={"value": [self._show(one) for one in found if all(passes(one, scope) for passes in narrowed)]})

    def _read(self, call: Call, scope: str, name: str) -> Assignment:
        properties = as_object(call.object().get("properties"), "properties")
        given, principal = (need_text(properties, key, "properties") for key in ("roleDefinitionId", "principalId"))
        kind, description = (as_text(properties.get(key), f"properties.{key}") for key in ("principalType", "description"))
        if properties.get("condition"):
            raise not_supported("A condition of a role assignment")
        role = given.rpartition("/")[2].lower()
        self._state.authorization.definitions.need_assignable(role, scope)
        # Azure looks a principal up only if it is not told what it is: one may be so new that nobody has heard of it yet.
        if not kind and not self._state.authorization.knows(principal):
            raise errors.no_principal(principal, self._state.settings.tenant)
        return Assignment(name, scope, role, principal, kind or "ServicePrincipal", description=description or None)

    def _refuse_twice(self, wanted: Assignment) -> None:
        for one in self.all():
            same = (one.scope.lower(), one.role, one.principal.lower()) == (wanted.scope.lower(), wanted.role, wanted.principal.lower())
            if same and one.name.lower() != wanted.name.lower():
                raise errors.assigned_already(one.name)

    def _show(self, assignment: Assignment) -> dict[str, Any]:
        return assignment.show(self._state.settings.subscription)

    def _key(self, scope: str, name: str) -> str:
        return f"{scope.rstrip('/')}/providers/{KIND}/{name}".lower()


def _read_filter(text: str) -> list[Callable[[Assignment, str], bool]]:
    """One predicate for each part of `atScope() and assignedTo('...')`."""
    parts = re.split(r"\s+and\s+", text) if text else []
    read = [_FILTER.fullmatch(part) for part in parts]
    if not all(read):
        raise not_supported(f"The $filter '{text}' of role assignments")
    return [_predicate(*match.groups()) for match in read if match]


def _predicate(at_scope: str | None, *principals: str | None) -> Callable[[Assignment, str], bool]:
    if at_scope:
        return lambda one, scope: is_within(scope, one.scope)
    principal = next(filter(None, principals), "").lower()
    return lambda one, _scope: one.principal.lower() == principal
