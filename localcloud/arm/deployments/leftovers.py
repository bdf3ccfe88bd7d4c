"""The resources of a resource group, and those of them that a template does not have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.arm.deployments.plan import Plan
from localcloud.arm.deployments.targets import Target
from localcloud.arm.providers.versions import API_VERSIONS

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState


@dataclass(frozen=True)
class Leftover:
    """A resource that exists, as its list shows it."""

    body: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def version(self) -> str:
        """An api-version to ask for it with: the newest that is no preview."""
        namespace, _, kind = str(self.body["type"]).partition("/")
        return max(version for version in API_VERSIONS[namespace][kind] if "-preview" not in version)

    def named(self) -> dict[str, str]:
        return {"id": self.id, "resourceType": str(self.body["type"]), "resourceName": str(self.body["name"])}


class Leftovers:
    """Top-level resources only: children go with their parents."""

    def __init__(self, state: ArmState) -> None:
        self._state = state

    def of(self, plan: Plan, target: Target) -> list[Leftover]:
        """What the template does not have; a resource whose condition is false counts as not being there."""
        return self.without((resource.id for resource in plan.resources), target)

    def without(self, ids: Iterable[str], target: Target) -> list[Leftover]:
        if target.group is None:
            return []
        known, scope = {key.lower() for key in ids}, f"{target.id}/".lower()
        here = [one for one in self._state.resources() if str(one["id"]).lower().startswith(scope)]
        return [Leftover(one) for one in here if str(one["id"]).lower() not in known]
