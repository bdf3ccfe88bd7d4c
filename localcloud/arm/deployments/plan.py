"""What a deployment will do: its template taken apart and judged, before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from localcloud.arm.deployments import errors
from localcloud.arm.deployments.names import Names
from localcloud.arm.deployments.outputs import Output, Outputs
from localcloud.arm.deployments.planned import Functions, PlannedResource
from localcloud.arm.deployments.references import referred
from localcloud.arm.deployments.rounds import Draft, drafts, loop_names
from localcloud.arm.deployments.scope import Scope
from localcloud.arm.deployments.targets import Target
from localcloud.arm.deployments.template import Template

_MAX_RESOURCES = 800


@dataclass(frozen=True)
class Plan:
    """`resources` are those to be PUT; `names` finds all that the template names."""

    parameters: Mapping[str, Any]
    resources: tuple[PlannedResource, ...]
    names: Names
    outputs: Callable[[Functions], Mapping[str, Output]]
    has_outputs: bool


def make_plan(template: Template, scope: Scope, target: Target) -> Plan:
    """Raises InvalidTemplate: what can be found wrong without asking any resource shows before the first is touched."""
    scope.resolve()
    made = list(drafts(template.resources, scope.evaluator, target))
    if len(made) > _MAX_RESOURCES:
        raise errors.too_many_resources(_MAX_RESOURCES, len(made))
    _refuse_doubles(draft.resource for draft in made)
    names = Names((draft.resource for draft in made), loop_names(template.resources, scope.evaluator))
    resources = _connected(made, names)
    outputs = Outputs(template.outputs, scope, names)
    outputs.check()
    return Plan(scope.parameters.shown(), resources, names, outputs.evaluate, bool(template.outputs))


def _refuse_doubles(resources: Iterable[PlannedResource]) -> None:
    seen: set[str] = set()
    for resource in resources:
        if resource.wanted and not resource.existing:
            if resource.id.lower() in seen:
                raise errors.defined_twice(resource.id)
            seen.add(resource.id.lower())


def _connected(made: list[Draft], names: Names) -> tuple[PlannedResource, ...]:
    """Those to be PUT, with the ids of what each of them needs."""
    direct = {id(draft.resource): _needs(draft, made, names) for draft in made}
    done = {draft.resource.id: draft.resource for draft in made if draft.resource.wanted and not draft.resource.existing}
    connected = []
    for resource in done.values():
        needs = frozenset(need.id for need in _real(direct, direct[id(resource)], set()))
        connected.append(replace(resource, needs=needs))
    _refuse_cycles(connected)
    return tuple(connected)


def _needs(draft: Draft, made: list[Draft], names: Names) -> list[PlannedResource]:
    found = []
    for wish in draft.wishes:
        if not names.knows(wish):
            raise errors.undefined_resource(wish)
        found.extend(names.find(wish))
    if draft.resource.wanted:
        found.extend(referred(draft.body.evaluated, draft.evaluator, names, draft.resource.name))
    loop, batch = draft.resource.loop, draft.batch
    found.extend(one.resource for one in made if batch and one.resource.loop == loop and one.resource.index in batch)
    return found


def _real(direct: Mapping[int, list[PlannedResource]], needs: list[PlannedResource], seen: set[int]) -> Iterator[PlannedResource]:
    """Who needs what is not PUT needs what that one does, if it is read only, and nothing, if its condition is false."""
    for need in needs:
        if need.wanted and not need.existing:
            yield need
        elif need.existing and id(need) not in seen:
            seen.add(id(need))
            yield from _real(direct, direct[id(need)], seen)


def _refuse_cycles(resources: list[PlannedResource]) -> None:
    left = list(resources)
    done: set[str] = set()
    while ready := [one for one in left if one.needs <= done]:
        done.update(one.id for one in ready)
        left = [one for one in left if one.id not in done]
    if left:
        names = ", ".join(one.name for one in left)
        raise errors.invalid_template(
            f"Circular dependency detected on resource: '{names}'. Please see https://aka.ms/arm-syntax-resources for usage details."
        )


def named(resource: PlannedResource) -> dict[str, Any]:
    """As dependencies and operations name a resource."""
    return {"id": resource.id, "resourceType": resource.kind, "resourceName": resource.name}
