"""Takes a template apart and refuses what is in it that the local cloud would not honour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.arm.deployments import errors
from localcloud.arm.deployments.errors import invalid_template
from localcloud.arm.deployments.normal_form import normal_form
from localcloud.arm.errors import not_supported
from localcloud.arm.expressions import ExpressionError, calls
from localcloud.arm.expressions.hashing import template_hash

RUN_TIME = ("reference", "references", "list*")  # the functions that ask for the state of resources
_TOP = {
    "$schema",
    "languageVersion",
    "contentVersion",
    "apiProfile",
    "metadata",
    "definitions",
    "functions",
    "parameters",
    "variables",
    "resources",
    "outputs",
}
_TOP_UNSUPPORTED = {"imports", "extensions", "asserts", "experimental", "experimentalFeatures"}
_RESOURCE = ("type", "apiVersion", "name", "dependsOn", "condition", "copy", "resources", "scope", "resourceGroup", "subscriptionId")
_RESOURCE_KEYS = {key.lower(): key for key in (*_RESOURCE, "existing", "properties", "location", "tags", "identity")}
_RESOURCE_UNSUPPORTED = {"import", "extension", "asserts", "deploymentScope", "managementGroupId", "@options", "apiProfile"}
_OUTPUT_UNSUPPORTED = {"asserts"}
_MAX_RESOURCES, _MAX_PARAMETERS, _MAX_VARIABLES, _MAX_OUTPUTS = 800, 256, 256, 64


@dataclass(frozen=True)
class Source:
    """A resource as it stands in the template, with those that are nested in it. `symbol` is "" before languageVersion 2.0."""

    fields: Mapping[str, Any]
    symbol: str
    children: tuple[Source, ...]


@dataclass(frozen=True)
class Template:
    content_version: str
    resources: tuple[Source, ...]
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
    _section(source, "parameters", _MAX_PARAMETERS)
    _check_variables(_section(source, "variables", _MAX_VARIABLES))
    outputs = _section(source, "outputs", _MAX_OUTPUTS)
    for name, declared in outputs.items():
        _keys(declared, None, _OUTPUT_UNSUPPORTED, f"the output '{name}'")
    try:
        hashed = template_hash(normal_form(source) if stored else source)
    except AttributeError:
        raise invalid_template("A section of the template is not an object") from None
    return Template(str(source["contentVersion"]), _resources(source), outputs, hashed, source)


def _section(source: Mapping[str, Any], name: str, most: int) -> Mapping[str, Any]:
    section = source.get(name) or {}
    if not isinstance(section, dict):
        raise invalid_template(f"The template's '{name}' must be an object")
    if len(section) > most:
        raise invalid_template(f"The template has {len(section)} {name}; the limit is {most}")
    return section


def _check_variables(variables: Mapping[str, Any]) -> None:
    """ARM looks at all of them, used or not: their values must be known before anything is deployed."""
    for name, value in variables.items():
        try:
            found = next(calls(value, *RUN_TIME), None)
        except ExpressionError:
            continue  # an unused variable may be as wrong as it likes; a used one tells of itself
        if found is not None:
            raise errors.not_valid("variable", name, misplaced(found.name))


def misplaced(function: str) -> str:
    return (
        f"The template function '{function}' is not expected at this location. "
        "Please see https://aka.ms/arm-template-expressions for usage details."
    )


def _resources(source: Mapping[str, Any]) -> tuple[Source, ...]:
    given = source.get("resources")
    if given is None and "resources" not in source:
        raise invalid_template("The template must have 'resources'")
    read = _read_resources(given or [], symbolic=str(source.get("languageVersion", "")).startswith("2"))
    if _count(read) > _MAX_RESOURCES:
        raise errors.too_many_resources(_MAX_RESOURCES, _count(read))
    return read


def _read_resources(given: Any, *, symbolic: bool) -> tuple[Source, ...]:
    """Of languageVersion 2.0 they are an object by symbolic names, before that an array."""
    if symbolic and isinstance(given, dict):
        return tuple(_read_resource(fields, symbol, symbolic=True) for symbol, fields in given.items())
    if not isinstance(given, list):
        raise invalid_template("The template's 'resources' must be an array, or an object with the languageVersion '2.0'")
    return tuple(_read_resource(fields, "", symbolic=symbolic) for fields in given)


def _read_resource(given: Any, symbol: str, *, symbolic: bool) -> Source:
    _keys(given, None, _RESOURCE_UNSUPPORTED, "a resource")
    fields = {_RESOURCE_KEYS.get(key.lower(), key): value for key, value in given.items()}
    missing = [key for key in ("type", "apiVersion", "name") if not fields.get(key)]
    if missing:
        raise invalid_template(f"A resource of the template lacks '{missing[0]}'", "properties.template.resources")
    if fields.get("existing") and not symbolic:
        raise invalid_template("A resource can be 'existing' only with the languageVersion '2.0'")
    children = _read_resources(fields.get("resources") or [], symbolic=symbolic)
    if any("copy" in child.fields for child in children):
        raise invalid_template(
            f"The template resource '{fields['name']}' at line '1' and column '1' is not valid. Copying nested resources is not supported. "
            "Please see https://aka.ms/arm-copy/#looping-on-a-nested-resource for usage details."
        )
    return Source(fields, symbol, children)


def _count(sources: tuple[Source, ...]) -> int:
    return sum(1 + _count(source.children) for source in sources)


def _keys(given: Any, known: Iterable[str] | None, unsupported: Iterable[str], where: str) -> None:
    if not isinstance(given, dict):
        raise invalid_template(f"{where[0].upper()}{where[1:]} must be an object")
    for key, value in given.items():
        if key in unsupported and value not in (None, [], {}):
            raise not_supported(f"The key '{key}' of {where}")
        # ARM refuses a misspelt key, too: it would be a value that silently does nothing.
        if known is not None and key not in known and key not in unsupported:
            raise invalid_template(f"Could not find member '{key}' in {where}")
