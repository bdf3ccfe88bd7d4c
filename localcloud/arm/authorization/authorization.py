"""Who may do what: the roles that are assigned to a principal, at a scope or above it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from localcloud.arm.authorization import errors
from localcloud.arm.authorization.actions import has, is_within, needed
from localcloud.arm.authorization.assignments import Assignment, RoleAssignments
from localcloud.arm.authorization.definitions import RoleDefinitions
from localcloud.arm.authorization.roles import OWNER
from localcloud.arm.calls import Call, Reply
from localcloud.arm.ids import stable_guid
from localcloud.arm.routing import Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState


class Authorization:
    """An actor without an object id is the local cloud itself: it may do everything. The owners of the settings are real Owners."""

    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._clients: dict[str, str] = {}
        self.definitions = RoleDefinitions(state)
        self.assignments = RoleAssignments(state)
        scope = f"/subscriptions/{state.settings.subscription}"
        for owner in state.settings.owners:
            self.assignments.add(Assignment(stable_guid(f"owner:{owner}"), scope, OWNER, owner, "ServicePrincipal"))

    def routes(self) -> list[Route]:
        mine = Route("GET", "{*scope}/providers/Microsoft.Authorization/permissions", self.list_permissions, action="")
        return [mine, *self.definitions.routes(), *self.assignments.routes()]

    def list_permissions(self, call: Call, scope: str) -> Reply:
        """What the caller may do at the scope."""
        return Reply(body={"value": [dict(one) for one in self._permissions(call.actor, self._state.scope(scope))]})

    def meet(self, actor: str, client: str) -> None:
        """Remember by what name a caller's token calls it: refusals say it."""
        self._clients[actor] = client

    def knows(self, principal: str) -> bool:
        """Whether there is such a principal in the directory, as far as there is one here."""
        seen = (*self._clients, *self._state.settings.owners, *self._state.principals())
        return principal.lower() in {one.lower() for one in seen}

    def allows(self, actor: str, action: str, scope: str, *, data: bool = False) -> bool:
        """Whether the actor may do this here; `data` asks for an action on what is in a resource, such as a vault's secrets."""
        if not actor or not action:
            return True
        kind = "dataActions" if data else "actions"
        return any(
            has(permission[kind], action) and not has(permission[f"not{kind[0].upper()}{kind[1:]}"], action)
            for permission in self._permissions(actor, scope)
        )

    def check(self, actor: str, action: str, scope: str) -> None:
        """Raises AuthorizationFailed."""
        if not self.allows(actor, action, scope):
            raise errors.forbidden(self.client(actor), actor, action, scope)

    def check_call(self, call: Call, action: str | None) -> None:
        """That of a call before its handler; the action is derived from the path unless its route names one, or none with an empty one."""
        derived, scope = needed(call.method, call.path)
        self.check(call.actor, derived if action is None else action, scope)

    def check_link(self, call: Call, linked_action: str, linked_scope: str) -> None:
        """Raises LinkedAuthorizationFailed when the caller may not use what the resource that it PUTs refers to."""
        if not self.allows(call.actor, linked_action, linked_scope):
            action, scope = needed(call.method, call.path)
            raise errors.link_forbidden(self.client(call.actor), call.actor, action, scope, linked_action, linked_scope)

    def check_deployment(self, actor: str, resources: Iterable[tuple[str, str, str]]) -> None:
        """Raises the refusal of a deployment before it begins; the resources by their ids, types and names."""
        client = self.client(actor)
        refused = [
            errors.resource_forbidden(client, actor, f"{kind}/write", scope, kind, name)
            for scope, kind, name in resources
            if not self.allows(actor, f"{kind}/write", scope)
        ]
        if refused:
            raise errors.deployment_forbidden(refused)

    def sees_any(self, actor: str, scope: str) -> bool:
        """Whether the actor has a role on the scope, above it or on anything in it: what decides whether a list shows it."""
        mine = (one for one in self.assignments.all() if one.principal.lower() == actor.lower())
        return not actor or any(is_within(scope, one.scope) or is_within(one.scope, scope) for one in mine)

    def client(self, actor: str) -> str:
        """The name by which refusals call the actor: the application id, or the object id once more."""
        return self._clients.get(actor, actor)

    def _permissions(self, actor: str, scope: str) -> Iterator[Mapping[str, list[str]]]:
        for one in self.assignments.all():
            if one.principal.lower() == actor.lower() and is_within(scope, one.scope):
                role = self.definitions.find(one.role)
                yield from role.permissions if role else ()
