"""The identity of a container group: what may be asked for, and what ACI adds when it shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.reading import as_object, only
from localcloud.arm.ids import stable_guid
from localcloud.tokens import Identity

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_KINDS = {kind.replace(" ", "").lower(): kind for kind in ("None", "SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned")}


def read_identity(given: Any, group: str) -> dict[str, Any] | None:
    """The block as it was sent, with the type in ACI's spelling; nothing for none. Raises a 400."""
    if given is None:
        return None
    entry = as_object(given, "identity")
    only(entry, {"type", "userAssignedIdentities", "principalId", "tenantId"}, (), "ContainerGroupIdentity", "identity.")
    kind = _KINDS.get(str(entry.get("type") or "None").replace(" ", "").lower())
    users = as_object(entry.get("userAssignedIdentities"), "identity.userAssignedIdentities")
    if kind is None:
        raise errors.invalid_identity(f"its type '{entry['type']}' is not one of '{','.join(_KINDS.values())}'", group)
    if bool(users) != ("UserAssigned" in kind):
        raise errors.invalid_identity("user-assigned identities must be given if its type names them, and only then", group)
    return {"type": kind, **({"userAssignedIdentities": dict(users)} if users else {})} if kind != "None" else None


def user_assigned(identity: Mapping[str, Any] | None) -> list[str]:
    """The resource ids."""
    return [*((identity or {}).get("userAssignedIdentities") or {})]


def own_identity(life: str, group_id: str, name: str) -> Identity:
    """The system-assigned identity of a container group: another one in each of its lives."""
    return Identity(name, group_id, stable_guid(f"client:{life}"), stable_guid(life))


def show_identity(state: ArmState, identity: Mapping[str, Any] | None, life: str) -> dict[str, Any] | None:
    """The block with the ids that Azure fills in; `life` is the group's."""
    if not identity:
        return None
    found = {key: state.identities.find(key) for key in user_assigned(identity)}
    users = {key: {"principalId": one.principal_id, "clientId": one.client_id} for key, one in found.items() if one}
    own = {"principalId": own_identity(life, "", "").principal_id} if "SystemAssigned" in identity["type"] else {}
    # The tenant is shown for both kinds, as recorded.
    return {**({"userAssignedIdentities": users} if users else {}), **own, "tenantId": state.settings.tenant, "type": identity["type"]}
