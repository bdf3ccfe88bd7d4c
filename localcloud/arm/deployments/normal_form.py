"""ARM's own form of a stored template, as its export shows it: what its hash is taken of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.arm.deployments.types import TYPES

_TOP = (
    "$schema",
    "languageVersion",
    "contentVersion",
    "metadata",
    "definitions",
    "functions",
    "parameters",
    "variables",
    "resources",
    "outputs",
)
_PARAMETER = ("defaultValue", "allowedValues", "minValue", "maxValue", "minLength", "maxLength", "type", "metadata")
_RESOURCE = (
    "condition",
    "type",
    "apiVersion",
    "name",
    "location",
    "dependsOn",
    "tags",
    "sku",
    "kind",
    "identity",
    "properties",
    "resources",
)


def normal_form(source: Mapping[str, Any]) -> dict[str, Any]:
    """Verified for the keys of the one recorded export; the places of other keys are a guess."""
    parameters = {name: _ordered(_typed(declared), _PARAMETER) for name, declared in (source.get("parameters") or {}).items()}
    resources = _resources(source.get("resources") or [])
    outputs = {name: _ordered(_typed(declared), ("type", "value")) for name, declared in (source.get("outputs") or {}).items()}
    given = {**source, "parameters": parameters, "variables": source.get("variables") or {}, "resources": resources, "outputs": outputs}
    return _ordered({key: value for key, value in given.items() if key != "outputs" or outputs}, _TOP)


def _resources(given: Any) -> Any:
    """An array, or since languageVersion 2.0 an object by symbolic names; with those that are nested in them."""
    if isinstance(given, dict):
        return {symbol: _resource(resource) for symbol, resource in given.items()}
    return [_resource(resource) for resource in given]


def _resource(given: Mapping[str, Any]) -> dict[str, Any]:
    inner = {"resources": _resources(given["resources"])} if given.get("resources") else {}
    return _ordered({**given, **inner}, _RESOURCE)


def _typed(declared: Mapping[str, Any]) -> dict[str, Any]:
    if "type" not in declared:
        return dict(declared)
    kind = str(declared["type"])
    return {**declared, "type": TYPES.get(kind.lower(), (kind, ""))[0]}


def _ordered(given: Mapping[str, Any], order: tuple[str, ...]) -> dict[str, Any]:
    known = [key for key in order if key in given]
    return {key: given[key] for key in [*known, *(key for key in given if key not in order)]}
