"""The JSON Schema of a workflow file, for editors: made from the types that read it, with the limits that the rules have.

It sees shapes, names, and which keys go together. What needs more than one place of the file (steps that are named, expressions, cycles)
only `loadme validate` sees. It is draft 7, which every editor knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from loadme.definitions import attempt_rules, groups, map_rules, names, rules, variable_rules
from loadme.definitions.definition import Catch, Defaults, Retry, Sleep, Step, Variable, Wait, Workflow
from loadme.definitions.descriptions import DESCRIPTIONS, TITLES
from loadme.definitions.groups import Volume
from loadme.definitions.kind_rules import DOES, FITS
from loadme.definitions.map_rules import MOST_LANES, MOST_PARALLEL

Schema = dict[str, Any]

_ROOT = "#/definitions/{name}"
_DURATION = r"^(?=.)([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,9}s)?$"
_DURATION_OR_EXPRESSION = rf"{_DURATION}|\$\{{\{{"
_SLUG = "^[a-z0-9]+(-[a-z0-9]+)*$"
_VARIABLE = "^[A-Za-z][A-Za-z0-9_]*$"
_SECRET = "^keyvault://"  # noqa: S105 (the beginning of a place)

_STEPS = {"propertyNames": {"pattern": _SLUG, "maxLength": names.LONGEST_STEP}, "maxProperties": rules.MOST_STEPS}
_NAMED = {"propertyNames": {"pattern": _VARIABLE, "maxLength": names.LONGEST_VARIABLE}}
_BOTH: Mapping[str, Schema] = {
    "heartbeat": {"pattern": _DURATION},
    "timeout": {"pattern": _DURATION},
    "locations": {"maxItems": attempt_rules.MOST_LOCATIONS, "uniqueItems": True},
    "secrets": {"additionalProperties": {"type": "string", "pattern": _SECRET}},
    "registry": {"pattern": "^/"},
    "identity": {"pattern": "^/"},
    "subnet": {"pattern": "^/"},
}
_AMOUNTS: Mapping[str, Schema] = {
    "cpu": {"minimum": groups.LEAST, "maximum": groups.MOST_CPU},
    "memory": {"minimum": groups.LEAST, "maximum": groups.MOST_MEMORY},
}
LIMITS: Mapping[type, Mapping[str, Schema]] = {
    Workflow: {
        "name": {"pattern": _SLUG, "maxLength": names.LONGEST_WORKFLOW},
        "schedules": {"maxItems": rules.MOST_SCHEDULES},
        "variables": {"maxProperties": variable_rules.MOST_VARIABLES, **_NAMED},
        "timeout": {"pattern": _DURATION},
        "max_parallel": {"minimum": 1, "maximum": MOST_PARALLEL},
        "outputs": {"maxProperties": variable_rules.MOST_OUTPUTS, **_NAMED},
        "steps": {"minProperties": 1, **_STEPS},
        "finally": _STEPS,
    },
    Defaults: {**_BOTH, **_AMOUNTS},
    Step: {
        **_BOTH,
        "cpu": {"exclusiveMinimum": 0, "maximum": groups.MOST_CPU},
        "memory": {"exclusiveMinimum": 0, "maximum": groups.MOST_MEMORY},
        "max_parallel": {"minimum": 1, "maximum": MOST_LANES},
        "outputs": {"maxProperties": variable_rules.MOST_OUTPUTS, **_NAMED},
        "volumes": {"maxProperties": groups.MOST_VOLUMES},
    },
    Retry: {
        "attempts": {"minimum": 1, "maximum": attempt_rules.MOST_ATTEMPTS},
        "factor": {"minimum": 1, "maximum": attempt_rules.LARGEST_FACTOR},
        "delay": {"pattern": _DURATION},
        "max_delay": {"pattern": _DURATION},
        "on": {"minItems": 1, "uniqueItems": True},
        "infrastructure": {"minimum": 0, "maximum": attempt_rules.MOST_TRIES_OF_AZURE},
        "capacity": {"minimum": 0, "maximum": attempt_rules.MOST_TRIES_OF_AZURE},
    },
    Variable: {"pattern": {"maxLength": variable_rules.LONGEST_PATTERN}},
    Wait: {"timeout": {"pattern": _DURATION}},
    Sleep: {"for": {"pattern": _DURATION_OR_EXPRESSION}},
    Volume: {"mount": {"pattern": "^/"}},
}
"""By type and key: the limits of the rules that a schema can express."""

TOGETHER: Mapping[type, Schema] = {
    Step: {
        "oneOf": [{"required": [key]} for key in DOES],
        "dependencies": {"max_parallel": ["for_each"], "tolerate": ["for_each"]},
    },
    Wait: {"dependencies": {"default": ["timeout"]}},
    Sleep: {"oneOf": [{"required": ["for"]}, {"required": ["until"]}]},
    Catch: {"oneOf": [{"required": ["step"]}, {"required": ["outputs"]}]},
    Volume: {
        "oneOf": [{"required": ["empty"], "properties": {"empty": {"const": True}}}, {"required": ["secret"]}, {"required": ["files"]}]
    },
}
"""By type: which keys go together."""


def workflow_schema() -> Schema:
    """The JSON Schema of a workflow file."""
    (root,), definitions = msgspec.json.schema_components([Workflow], ref_template=_ROOT)
    made = {cls.__name__: _definition(cls, definitions[cls.__name__]) for cls in DESCRIPTIONS}
    made["Step"]["allOf"] = [_only(does) for does in DOES]
    _shorten(made)
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "A workflow file of loadme", **root, "definitions": made}


def _definition(cls: type, given: Schema) -> Schema:
    limits = LIMITS.get(cls, {})
    words = DESCRIPTIONS[cls]
    properties = {name: _property(one, limits.get(name, {}), words[name]) for name, one in given["properties"].items()}
    required = {"required": given["required"]} if given.get("required") else {}
    made: Schema = {"description": TITLES[cls], "type": "object", "properties": properties, "additionalProperties": False}
    return {**made, **required, **TOGETHER.get(cls, {})}


def _property(given: Schema, limits: Schema, words: str) -> Schema:
    """A key's schema: without null, which is no way to leave a key out, and without a default that only says so."""
    options = [option for option in given.get("anyOf", []) if option != {"type": "null"}]
    rest = {key: value for key, value in given.items() if key != "anyOf" and not (key == "default" and value in (None, [], {}))}
    if options:
        rest = {**options[0], **rest} if len(options) == 1 else {"anyOf": options, **rest}
    # Beside a reference draft 7 sees nothing.
    made = {"allOf": [{"$ref": rest.pop("$ref")}], **rest} if "$ref" in rest else rest
    return {"description": words.replace("`", ""), **made, **limits}


def _only(does: str) -> Schema:
    """Beside this key the others do not go."""
    others = {key: False for key in DESCRIPTIONS[Step] if key != does and key not in FITS[does]}
    return {"if": {"required": [does]}, "then": {"properties": others}}


def _shorten(made: dict[str, Schema]) -> None:
    """The short forms that are read before the types are: a variable's default alone."""
    variables = made["Workflow"]["properties"]["variables"]
    variables["additionalProperties"] = {"anyOf": [variables["additionalProperties"], {"type": ["string", "number", "boolean", "array"]}]}
    tolerate = made["Step"]["properties"]["tolerate"]
    tolerate["anyOf"] = [{"type": "integer", "minimum": 0, "maximum": map_rules.MOST_ITEMS}, {"type": "string", "pattern": "^[0-9]{1,3}%$"}]
    sleep = made["Step"]["properties"]["sleep"]
    sleep["anyOf"] = [{"type": "string", "pattern": _DURATION_OR_EXPRESSION}, {"$ref": _ROOT.format(name="Sleep")}]


def text() -> str:
    """The schema as the repository keeps it."""
    return msgspec.json.format(msgspec.json.encode(workflow_schema()), indent=2).decode() + "\n"
