"""What of a planned body is a secret, so that what-if does not show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from localcloud.arm.deployments.requests import Request
from localcloud.arm.deployments.template import Template

MASK = "*******"
_SECRET_KEYS = {"securevalue", "password", "adminpassword", "storageaccountkey", "workspacekey", "connectionstring"}
CHANGED = "\0changed"


def scrambled(request: Request, template: Template) -> tuple[Request, Template]:
    """The same request with other secrets: whatever comes out differently is made of them."""
    declared = template.source.get("parameters") or {}
    secure = {name.lower() for name, one in declared.items() if _is_secure(one)}
    parameters = {
        name: {**entry, "value": _scramble(entry.get("value"))} if name.lower() in secure and "value" in entry else entry
        for name, entry in request.parameters.items()
    }
    open_ = {name: _without_bounds(one) if name.lower() in secure else one for name, one in declared.items()}
    return replace(request, parameters=parameters), replace(template, source={**template.source, "parameters": open_})


def masked(body: Any, other: Any) -> Any:
    """The body with a mask wherever it differs from the one made of other secrets, and where a key says that it is secret."""
    if isinstance(body, dict) and isinstance(other, dict):
        return {key: _entry(key, value, other.get(key)) for key, value in body.items()}
    if isinstance(body, list) and isinstance(other, list) and len(body) == len(other):
        return [masked(*pair) for pair in zip(body, other, strict=True)]
    return body if body == other else MASK


def _entry(key: str, value: Any, other: Any) -> Any:
    if key.lower() in _SECRET_KEYS and isinstance(value, str):
        return MASK
    if key == "secret" and isinstance(value, dict):  # the files of a secret volume
        return dict.fromkeys(value, MASK)
    return masked(value, other)


def _is_secure(declared: Mapping[str, Any]) -> bool:
    return str(declared.get("type", "")).lower().startswith("secure")


def _without_bounds(declared: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in declared.items() if key in ("type", "defaultValue", "nullable", "metadata")}
    default = kept.get("defaultValue")
    # A default that is an expression is evaluated as it is: what it is made of stands in the template for all to read.
    return {**kept, **({"defaultValue": _scramble(default)} if default is not None else {})}


def _scramble(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.startswith("[") else value + CHANGED
    if isinstance(value, list):
        return [_scramble(item) for item in value]
    if isinstance(value, dict):
        return {key: _scramble(item) for key, item in value.items()}
    return value
