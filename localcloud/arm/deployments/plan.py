"""What a deployment will do: its template with every expression evaluated, before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from localcloud.arm.deployments import errors
from localcloud.arm.deployments.scope import Scope, Surroundings
from localcloud.arm.deployments.template import Template
from localcloud.arm.deployments.types import TYPES
from localcloud.arm.expressions import Evaluator, ExpressionError
from localcloud.arm.expressions.values import is_of, type_name
from localcloud.arm.ids import resource_id

_NOT_SENT = {"type", "apiVersion", "name", "dependsOn", "condition", "comments", "metadata"}
T = TypeVar("T")


@dataclass(frozen=True)
class PlannedResource:
    """One PUT. `needs` are the ids of the planned resources that come first."""

    id: str
    kind: str
    name: str
    version: str
    body: Mapping[str, Any]
    needs: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Plan:
    parameters: Mapping[str, Any]
    resources: tuple[PlannedResource, ...]
    outputs: Mapping[str, Any]


def make_plan(template: Template, given: Mapping[str, Any], around: Surroundings) -> Plan:
    """Raises InvalidTemplate: all that can be wrong with a template shows before the first resource is touched."""
    names = Scope(template.source, given, around)
    names.resolve()
    made = names.evaluator
    scope = str((around.group or {})["id"])
    planned = [_plan_resource(source, made, scope) for source in template.resources]
    kept = [(resource, wishes) for resource, wishes in planned if resource is not None]
    # Who depends on a resource whose condition is false does not wait for it, and it is no unknown name.
    skipped = {name for resource, wishes in planned if resource is None for name in wishes}
    resources = tuple(_connect(resource, wishes, [one for one, _ in kept], skipped) for resource, wishes in kept)
    _refuse_cycles(resources)
    return Plan(names.parameters.shown(), resources, _outputs(template, made))


def _guard(where: str, evaluate: Callable[[], T]) -> T:
    try:
        return evaluate()
    except ExpressionError as error:
        raise errors.invalid_expression(where, str(error)) from None


def _plan_resource(source: Mapping[str, Any], made: Evaluator, scope: str) -> tuple[PlannedResource | None, list[str]]:
    """The resource and what it depends on; for one whose condition is false, None and the words by which others may name it."""
    kind = str(source["type"])
    name = str(_guard(f"resource '{source['name']}'", lambda: made.expand(source["name"])))
    if kind.count("/") != name.count("/") + 1:
        raise errors.invalid_template(f"The template resource '{name}' of type '{kind}' has an incorrect number of name segments")
    key = resource_id(scope, kind, name)
    where = f"resource '{key}'"
    if _guard(where, lambda: made.expand(source.get("condition", True))) is False:
        return None, [key.lower(), name.lower()]
    body = _guard(where, lambda: made.expand({name: value for name, value in source.items() if name not in _NOT_SENT}))
    wishes = _guard(where, lambda: made.expand(source.get("dependsOn") or []))
    return PlannedResource(key, kind, name, str(source["apiVersion"]), body), [str(wish).lower() for wish in wishes]


def _connect(resource: PlannedResource, wishes: list[str], all_: list[PlannedResource], skipped: set[str]) -> PlannedResource:
    """Turn what it depends on, ids or bare names, into ids."""
    needs = set()
    for wish in wishes:
        named = [one.id for one in all_ if wish in (one.id.lower(), one.name.lower(), f"{one.kind}/{one.name}".lower())]
        if not named and wish not in skipped:
            raise errors.undefined_resource(wish)
        needs.update(named)
    return PlannedResource(resource.id, resource.kind, resource.name, resource.version, resource.body, frozenset(needs))


def _refuse_cycles(resources: tuple[PlannedResource, ...]) -> None:
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


def _outputs(template: Template, made: Evaluator) -> dict[str, Any]:
    shown = {}
    for name, declared in template.outputs.items():
        label, kind = TYPES.get(str(declared.get("type", "")).lower(), ("", "any"))
        value = _guard(f"output '{name}'", partial(made.expand, declared.get("value")))
        if not label or not is_of(value, kind):
            raise errors.invalid_template(f"The type of the output '{name}' is not valid: the value is of type '{type_name(value)}'")
        shown[name[:1].lower() + name[1:]] = {"type": label} if label.startswith("Secure") else {"type": label, "value": value}
    return shown
