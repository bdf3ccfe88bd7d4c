"""User-assigned identities. Their ids are derived from their names: the same after every start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.arm.ids import stable_guid
from localcloud.arm.routing import Route
from localcloud.arm.tracked import Draft, Resource, Rules, Tracked
from localcloud.tokens import Identity

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KIND = "Microsoft.ManagedIdentity/userAssignedIdentities"


class ManagedIdentity:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        # Azure wants three characters at least.
        self._tracked = Tracked(state, KIND, _fill, Rules(names=r"[A-Za-z0-9][\w-]{0,127}"))

    def routes(self) -> list[Route]:
        return self._tracked.routes()

    def find(self, identity_id: str) -> Identity | None:
        found = self._state.shelf.find(identity_id)
        return _identity(found) if found and found["type"] == KIND else None

    def principals(self) -> list[str]:
        """The object ids of them all."""
        return [identity.principal_id for identity in self.all()]

    def all(self) -> list[Identity]:
        return [_identity(one) for one in self._state.shelf.of(KIND, "")]


def _identity(found: Resource) -> Identity:
    properties = found["properties"]
    return Identity(found["name"], found["id"], properties["clientId"], properties["principalId"])


def _fill(draft: Draft) -> Mapping[str, Any]:
    ids = {"principalId": stable_guid(f"principal:{draft.id}"), "clientId": stable_guid(f"client:{draft.id}")}
    return {"properties": {"tenantId": draft.state.settings.tenant, **ids}}
