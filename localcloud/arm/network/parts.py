"""Resources that are a part of another one: a subnet is in its network's own list, however it was put."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import ArmError
from localcloud.arm.ids import stable_guid, timestamp
from localcloud.arm.routing import GROUP, Route
from localcloud.arm.tracked import Resource, Tracked

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

Make = Callable[["ArmState", str, dict[str, Any], str], Resource]
"""A part of the resource with this id, from what was given, under an etag."""


@dataclass(frozen=True)
class Part:
    """The parts in the list of that name."""

    whole: Tracked
    word: str
    make: Make

    def routes(self) -> list[Route]:
        every = f"{GROUP}/providers/{self.whole.kind}/{{name0}}/{self.word}"
        one = f"{every}/{{part}}"
        return [
            Route("PUT", one, self.put),
            Route("GET", one, self.get),
            Route("DELETE", one, self.delete),
            Route("GET", every, self.list_parts),
        ]

    def put(self, call: Call, group: str, name0: str, part: str) -> Reply:
        whole = self.whole.need(group, {"name0": name0})
        parts = self._parts(whole)
        known = self._find(parts, part)
        now = timestamp(self.whole.state.clock.now())
        made = self.make(self.whole.state, whole["id"], {**call.object(), "name": part}, f'W/"{stable_guid(f"{part}:{now}")}"')
        if known is None:
            parts.append(made)
        else:
            parts[parts.index(known)] = made
        return Reply(status=200 if known else 201, body=made)

    def get(self, _call: Call, group: str, name0: str, part: str) -> Reply:
        found = self._find(self._parts(self.whole.need(group, {"name0": name0})), part)
        if found is None:
            raise ArmError(404, "NotFound", f"Resource {part} not found.")
        return Reply(body=found)

    def delete(self, _call: Call, group: str, name0: str, part: str) -> Reply:
        parts = self._parts(self.whole.need(group, {"name0": name0}))
        found = self._find(parts, part)
        if found is None:
            return Reply(status=204)
        parts.remove(found)
        return Reply(status=200)

    def list_parts(self, _call: Call, group: str, name0: str) -> Reply:
        return Reply(body={"value": self._parts(self.whole.need(group, {"name0": name0}))})

    def _parts(self, whole: Resource) -> list[Resource]:
        parts: list[Resource] = whole["properties"][self.word]
        return parts

    def _find(self, parts: list[Resource], name: str) -> Resource | None:
        return next((one for one in parts if one["name"].lower() == name.lower()), None)
