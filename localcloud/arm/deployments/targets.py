"""Where a deployment goes: into a resource group, or to the subscription itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.arm.ids import group_id, resource_id

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KIND = "Microsoft.Resources/deployments"
GROUPS = "Microsoft.Resources/resourceGroups"


_LONG = re.compile(rf"(/subscriptions/[^/]+)/providers/{re.escape(GROUPS)}/([^/]+)", re.IGNORECASE)


def canonical(key: str) -> str:
    """The id itself; of a resource group, `subscriptionResourceId` makes another one, which ARM takes as well."""
    return _LONG.sub(r"\1/resourceGroups/\2", key)


@dataclass(frozen=True)
class Target:
    """`id` is the scope's resource id; `group` is the resource group as ARM shows it, None at subscription scope."""

    id: str
    subscription: str
    group: Mapping[str, Any] | None = None

    def key(self, name: str) -> str:
        """The id of a deployment here."""
        return resource_id(self.id, KIND, name)

    def holds(self, key: str) -> bool:
        """Whether a deployment's id is one of this very scope, not of one below it."""
        return key.lower().startswith(f"{self.id}/providers/".lower())


def target_of(state: ArmState, group: str | None) -> Target:
    """Raises ARM's 404 for a resource group that is not there."""
    subscription = state.settings.subscription
    if group is None:
        return Target(f"/subscriptions/{subscription}", subscription)
    found = state.groups.need(group)
    return Target(str(found["id"]), subscription, found)


def planned_group(subscription: str, name: str, body: Mapping[str, Any]) -> Target:
    """A resource group that the deployment itself is going to make."""
    key = group_id(subscription, name)
    group = {"id": key, "name": name, "type": GROUPS, **body, "properties": {"provisioningState": "Succeeded"}}
    return Target(key, subscription, group)
