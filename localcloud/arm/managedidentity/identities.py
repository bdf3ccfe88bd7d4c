"""User-assigned identities and whose tokens are as good as theirs.

The ids of those that the local cloud makes for itself are derived from their names: they are the same after every start. Whatever a client
makes is somebody new, also under the name of one that was deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from localcloud.arm.errors import bad_request
from localcloud.arm.routing import Route
from localcloud.arm.tracked import Draft, Resource, Rules, Tracked
from localcloud.tokens import Identity

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KIND = "Microsoft.ManagedIdentity/userAssignedIdentities"
FEDERATED = f"{KIND}/federatedIdentityCredentials"


class ManagedIdentity:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        # Azure wants three characters at least.
        self._tracked = Tracked(state, KIND, _fill, Rules(names=r"[A-Za-z0-9][\w-]{0,127}"))
        self._federated = Tracked(state, FEDERATED, _fill_federated, Rules(names=r"[A-Za-z0-9][\w-]{2,119}", located=False))

    def routes(self) -> list[Route]:
        return [*self._tracked.routes(), *self._federated.routes()]

    def find(self, identity_id: str) -> Identity | None:
        found = self._state.shelf.find(identity_id)
        return _identity(found) if found and found["type"] == KIND else None

    def principals(self) -> list[str]:
        """The object ids of them all."""
        return [identity.principal_id for identity in self.all()]

    def all(self) -> list[Identity]:
        return [_identity(one) for one in self._state.shelf.of(KIND, "")]

    def federated(self, identity: Identity) -> list[Mapping[str, Any]]:
        """Its federated credentials: issuer, subject, audiences."""
        return [one["properties"] for one in self._state.shelf.of(FEDERATED, identity.resource_id)]


def _identity(found: Resource) -> Identity:
    properties = found["properties"]
    return Identity(found["name"], found["id"], properties["clientId"], properties["principalId"])


def _fill(draft: Draft) -> Mapping[str, Any]:
    given = draft.properties
    ids = {f"{kind}Id": draft.kept(f"{kind}Id", partial(draft.new_id, kind, given.get(f"{kind}Id"))) for kind in ("principal", "client")}
    return {"properties": {"tenantId": draft.state.settings.tenant, **ids}}


def _fill_federated(draft: Draft) -> Mapping[str, Any]:
    given = draft.properties
    audiences = given.get("audiences")
    if not (given.get("issuer") and given.get("subject") and isinstance(audiences, list) and len(audiences) == 1):
        # The local cloud's own words: Azure's are not known.
        raise bad_request("BadRequest", "A federated identity credential needs an issuer, a subject and exactly one audience.")
    return {"properties": {"issuer": given["issuer"], "subject": given["subject"], "audiences": audiences}}
