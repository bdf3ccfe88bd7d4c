"""What a PUT may do to a container group that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.arm.calls import Call
from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.group import ContainerGroup
from localcloud.arm.containerinstance.identity import user_assigned
from localcloud.arm.containerinstance.store import Groups
from localcloud.arm.errors import resource_not_found
from localcloud.arm.ids import region

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"


def is_over(group: ContainerGroup) -> bool:
    """Nothing of it runs or will run: a PUT or a start makes it anew."""
    return group.stopped or group.provisioning_state == "Failed" or group.ended


def check_update(known: ContainerGroup, wanted: ContainerGroup, resource_group: str) -> None:
    """A group that has ended is run anew; a live one can only be changed in part. Raises 409 and 400."""
    if region(known.location) != region(wanted.location):
        raise errors.elsewhere(known.name, resource_group, known.location, wanted.location)
    if known.moving:
        raise errors.transitioning(known.name)
    if is_over(known):
        return
    fixed = [
        ({item.name: (item.requests, item.limits) for item in group.containers}, group.restart_policy, group.subnets)
        for group in (known, wanted)
    ]
    if fixed[0] != fixed[1]:
        raise errors.invalid_update(known.name)


def changes_nothing(known: ContainerGroup, wanted: ContainerGroup) -> bool:
    """Azure's documentation: a live group is restarted by an update if at least one property is another one."""
    return not is_over(known) and known.spec == wanted.spec


def check_links(state: ArmState, call: Call, wanted: ContainerGroup) -> None:
    """What the group uses must be there, and its creator allowed to use it. Raises 403 and 404."""
    for key in user_assigned(wanted.identity):
        state.authorization.check_link(call, f"{IDENTITIES}/assign/action", key)
        if state.identities.find(key) is None:
            parts = key.split("/")
            raise resource_not_found(IDENTITIES, parts[-1], parts[4] if len(parts) > 4 else "")
    for subnet in wanted.subnets:
        state.authorization.check_link(call, "Microsoft.Network/virtualNetworks/subnets/join/action", subnet["id"])


def check_label(groups: Groups, wanted: ContainerGroup, known: ContainerGroup | None) -> None:
    """A name in the DNS belongs to one group. Raises 400."""
    fqdn = wanted.address.fqdn if wanted.address else ""
    others = [found.address.fqdn for found in groups.by_id.values() if found is not known and found.address]
    if wanted.address and fqdn and fqdn in others:
        raise errors.label_taken(wanted.address.label, wanted.name)
