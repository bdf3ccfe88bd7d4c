"""Takes a template apart and refuses what is in it that the local cloud would not honour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.arm.deployments.errors import invalid_template
from localcloud.arm.deployments.normal_form import normal_form
from localcloud.arm.errors import not_supported
from localcloud.arm.expressions.hashing import template_hash

_TOP = {"$schema", "contentVersion", "apiProfile", "metadata", "parameters", "variables", "resources", "outputs"}
_TOP_UNSUPPORTED = {"functions", "languageVersion", "definitions", "imports", "extensions"}
_PARAMETER = {"type", "defaultValue", "allowedValues", "minValue", "maxValue", "minLength", "maxLength", "metadata", "nullable"}
_RESOURCE_UNSUPPORTED = {
    "copy",
    "resources",
    "scope",
    "resourceGroup",
    "subscriptionId",
    "existing",
    "import",
    "asserts",
    "deploymentScope",
}
_OUTPUT = {"type", "value", "metadata"}
_MAX_RESOURCES, _MAX_PARAMETERS, _MAX_VARIABLES, _MAX_OUTPUTS = 800, 256, 256, 64


@dataclass(frozen=True)
class Template:
    content_version: str
    parameters: Mapping[str, Mapping[str, Any]]
    variables: Mapping[str, Any]
    resources: tuple[Mapping[str, Any], ...]
    outputs: Mapping[str, Mapping[str, Any]]
    hash: str
    source: Mapping[str, Any]


def read_template(source: Mapping[str, Any], *, stored: bool = False) -> Template:
    """Raises InvalidTemplate, or what says that the local cloud does not do it yet.

    `stored` is for a template spec's: ARM hashes its own form of that, and an inline one as it was sent.
    """
    _keys(source, _TOP, _TOP_UNSUPPORTED, "the template")
    if not source.get("$schema") or not source.get("contentVersion"):
        raise invalid_template("The template must have a '$schema' and a 'contentVersion'")
    parameters = _section(source, "parameters", _MAX_PARAMETERS)
    for name, declared in parameters.items():
        _keys(declared, _PARAMETER, {"$ref", "items", "properties"}, f"the parameter '{name}'")
    outputs = _section(source, "outputs", _MAX_OUTPUTS)
    for name, declared in outputs.items():
        _keys(declared, _OUTPUT, {"copy", "condition"}, f"the output '{name}'")
    variables = _section(source, "variables", _MAX_VARIABLES)
    if "copy" in {name.lower() for name in variables}:
        raise not_supported("A 'copy' in the variables of a template")
    return Template(
        content_version=str(source["contentVersion"]),
        parameters=parameters,
        variables=variables,
        resources=_resources(source.get("resources")),
        outputs=outputs,
        hash=template_hash(normal_form(source) if stored else source),
        source=source,
    )


def _section(source: Mapping[str, Any], name: str, most: int) -> Mapping[str, Any]:
    section = source.get(name) or {}
    if not isinstance(section, dict):
        raise invalid_template(f"The template's '{name}' must be an object")
    if len(section) > most:
        raise invalid_template(f"The template has {len(section)} {name}; the limit is {most}")
    return section


def _resources(given: Any) -> tuple[Mapping[str, Any], ...]:
    if isinstance(given, dict):
        raise not_supported("A template whose resources are an object (languageVersion 2.0)")
    if not isinstance(given, list) or len(given) > _MAX_RESOURCES:
        raise invalid_template(f"The template's 'resources' must be an array of at most {_MAX_RESOURCES} items")
    for resource in given:
        _keys(resource, None, _RESOURCE_UNSUPPORTED, "a resource")
        missing = [key for key in ("type", "apiVersion", "name") if not resource.get(key)]
        if missing:
            raise invalid_template(f"A resource of the template lacks '{missing[0]}'", "properties.template.resources")
        _refuse_copies(resource.get("properties"))
    return tuple(given)


def _refuse_copies(value: Any) -> None:
    """A property `copy` is a loop, not data."""
    if isinstance(value, dict):
        if isinstance(value.get("copy"), list):
            raise not_supported("A 'copy' in the properties of a resource")
        for item in value.values():
            _refuse_copies(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_copies(item)


def _keys(given: Any, known: Iterable[str] | None, unsupported: Iterable[str], where: str) -> None:
    if not isinstance(given, dict):
        raise invalid_template(f"{where[0].upper()}{where[1:]} must be an object")
    for key, value in given.items():
        if key in unsupported and value not in (None, [], {}):
            raise not_supported(f"The key '{key}' of {where}")
        # ARM refuses a misspelt key, too: it would be a value that silently does nothing.
        if known is not None and key not in known and key not in unsupported:
            raise invalid_template(f"Could not find member '{key}' in {where}")
