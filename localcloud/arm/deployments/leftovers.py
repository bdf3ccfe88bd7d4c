"""The resources of a resource group, and those of them that a template does not have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call
from localcloud.arm.deployments.planned import Plan
from localcloud.arm.deployments.targets import KIND, Target
from localcloud.arm.routing import GROUP

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_LIST = re.compile(re.escape(f"{GROUP}/providers/") + r"([^/{]+/[^/{]+)")
_EXTENSIONS = "microsoft.authorization/"  # the mode Complete leaves role assignments alone
VERSION = "2022-09-01"


@dataclass(frozen=True)
class Leftover:
    """A resource that exists, as its list shows it."""

    id: str
    kind: str
    name: str
    body: Mapping[str, Any]
    version: str = VERSION

    def named(self) -> dict[str, str]:
        return {"id": self.id, "resourceType": self.kind, "resourceName": self.name}


class Leftovers:
    def __init__(self, state: ArmState) -> None:
        self._state = state

    def of(self, plan: Plan, target: Target) -> list[Leftover]:
        """What the template does not have; a resource whose condition is false counts as not being there."""
        return self.without({resource.id.lower() for resource in plan.resources}, target)

    def without(self, ids: Iterable[str], target: Target) -> list[Leftover]:
        known = {key.lower() for key in ids}
        return [one for one in self._all(target) if one.id.lower() not in known]

    def _all(self, target: Target) -> Iterator[Leftover]:
        """Top-level resources only: children go with their parents."""
        if target.group is None:
            return
        for template, handler in self._state.router.lists():
            kind = _LIST.fullmatch(template)
            if kind is None or kind[1].lower() == KIND.lower() or kind[1].lower().startswith(_EXTENSIONS):
                continue
            call = Call(method="GET", path=f"{target.id}/providers/{kind[1]}", query={"api-version": VERSION}, by="deployment")
            for item in handler(call, group=str(target.group["name"])).body["value"]:
                yield Leftover(item["id"], item["type"], item["name"], item)
