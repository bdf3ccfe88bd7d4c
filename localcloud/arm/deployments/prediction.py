"""What a resource would be shown as after a PUT, where its type can say so without making it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call
from localcloud.arm.deployments.planned import PlannedResource
from localcloud.arm.tracked import Draft, Tracked

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_MISSING = object()


def predicted(state: ArmState, call: Call, resource: PlannedResource, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Empty where nobody knows. `known` is the resource as it is."""
    put = Call(method="PUT", path=resource.id, query={"api-version": resource.version}, body=resource.body, actor=call.actor)
    # The route that shows it: some providers look at a PUT themselves before they let their type make it.
    route, _ = state.router.find(replace(put, method="GET"))
    kind = getattr(route.handler, "__self__", None)
    if not isinstance(kind, Tracked):
        return {}
    try:
        return {**known, **kind.fill(Draft(state, put, resource.id, str(known["name"]), resource.body, dict(known)))}
    except Exception:
        # What is not known yet stands in the body as it is: a type need not understand that.
        return {}


def has_effect(path: str, before: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """Whether the value at a path will be another one, as far as one can say."""
    if not then or path.startswith("tags"):
        return True
    new = _at(path, then)
    return new is _MISSING or new != _at(path, before)


def _at(path: str, tree: Any) -> Any:
    for key in path.split("."):
        if not isinstance(tree, Mapping) or key not in tree:
            return _MISSING
        tree = tree[key]
    return tree
