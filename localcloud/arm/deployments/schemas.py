"""The types of a template: what values a parameter, an output, or a user function's parameter or output may have.

A type may be one of the seven of old, or say more (languageVersion 2.0): `$ref` to a definition, `properties`,
`additionalProperties`, `items`, `prefixItems`, `discriminator`, `nullable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from localcloud.arm.deployments.types import TYPES
from localcloud.arm.errors import not_supported
from localcloud.arm.expressions import ExpressionError
from localcloud.arm.expressions.values import compact, find_key, holds, is_of, text, type_name

MAX_DEPTH = 64  # types within types, and references one after the other
_SYNTAX = "Please see https://aka.ms/arm-syntax-parameters for usage details."
_FILE = "Please see https://aka.ms/arm-create-parameter-file for usage details."
_EXPECTED = {"string": "String, Uri", "int": "Integer", "bool": "Boolean", "array": "Array", "object": "Object"}

Type = Mapping[str, Any]


class Mismatch(Exception):
    """A value that is not of its type: `path` is the place inside the value (`.a[0]`), the message says why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path


# What a type may say, and in which JSON.
_SHAPES: dict[str, tuple[type, ...]] = {
    "additionalProperties": (dict, bool),
    "allowedValues": (list,),
    "discriminator": (dict,),
    "items": (dict, bool),
    "maxLength": (int,),
    "maxValue": (int,),
    "minLength": (int,),
    "minValue": (int,),
    "nullable": (bool,),
    "prefixItems": (list,),
    "properties": (dict,),
    "type": (str,),
}
_UNSUPPORTED = ("validate",)
TYPE_KEYS = ("$ref", *_SHAPES, "sealed", *_UNSUPPORTED)


class Schemas:
    """The types of one template; `source` is the whole of it."""

    def __init__(self, source: Mapping[str, Any]) -> None:
        self._source = source

    def resolve(self, declared: Type) -> Type:
        """The type that a `$ref` stands for, with what is said beside the reference."""
        for _ in range(MAX_DEPTH):
            if not isinstance(declared, dict):
                raise ExpressionError("A type must be an object")
            if "$ref" not in declared:
                return _sound(declared)
            beside = {key: value for key, value in declared.items() if key != "$ref"}
            declared = {**self._definition(declared["$ref"]), **beside}
        raise ExpressionError("The template's type definitions refer to each other without an end.")

    def _definition(self, reference: Any) -> Type:
        """A JSON pointer into the template: `#/definitions/name`, or deeper."""
        found: Any = self._source
        start, *steps = str(reference).split("/")
        for step in steps:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                key = find_key(found, name) if isinstance(found, dict) else None
                found = found[key] if key is not None and isinstance(found, dict) else None
        if start != "#" or not isinstance(found, dict) or steps[:1] != ["definitions"]:
            raise ExpressionError(f"The reference '{reference}' does not name a type definition of the template.")
        return found

    def label(self, declared: Type) -> tuple[str, str]:
        """How answers write the type, and what JSON it takes: `SecureString` and `string`."""
        name = self.resolve(declared).get("type")
        if name is None:
            return ("", "any")
        if str(name).lower() not in TYPES:
            raise ExpressionError(f"The type '{name}' is not valid")
        return TYPES[str(name).lower()]

    def is_secure(self, declared: Type) -> bool:
        """Whether anything in a value of the type is a secret."""
        return any(self.label(part)[0].startswith("Secure") for part in self._parts(declared))

    def _parts(self, declared: Type) -> Iterator[Type]:
        left, seen = [declared], 0
        known: set[str] = set()
        while left:
            one = left.pop()
            if "$ref" in one:
                if str(one["$ref"]) in known:  # a type may contain itself
                    continue
                known.add(str(one["$ref"]))
            resolved = self.resolve(one)
            seen += 1
            if seen > 10_000:
                raise ExpressionError("A type of the template has too many parts.")
            yield resolved
            left.extend(_inner(resolved))

    def check(self, declared: Type, value: Any, *, hide: bool = False) -> Any:
        """The value, if it is of the type; raises Mismatch. `hide` keeps values out of its message."""
        self._check(declared, value, "", hide or self.is_secure(declared), 0)
        return value

    def _check(self, declared: Type, value: Any, path: str, hide: bool, depth: int) -> None:
        declared = self.resolve(declared)
        if depth > MAX_DEPTH:
            raise Mismatch(path, "It is nested too deep.")
        if value is None and (declared.get("nullable") or "type" not in declared):
            return
        kind = self.label(declared)[1]
        if not is_of(value, kind):
            raise Mismatch(
                path, f"Expected a value of type '{_EXPECTED[kind]}', but received a value of type '{type_name(value)}'. {_FILE}"
            )
        _check_allowed(declared, value, path, hide)
        _check_bounds(declared, value, path)
        if isinstance(value, dict):
            self._check_object(declared, value, path, hide, depth)
        elif isinstance(value, list):
            self._check_array(declared, value, path, hide, depth)

    def _check_object(self, declared: Type, value: dict[str, Any], path: str, hide: bool, depth: int) -> None:
        properties: Mapping[str, Type] = declared.get("properties") or {}
        for name, part in properties.items():
            key = find_key(value, name)
            if key is None and not self.resolve(part).get("nullable"):
                raise Mismatch(f"{path}.{name}", f"The value for this property is not provided. {_SYNTAX}")
            self._check(part, None if key is None else value[key], f"{path}.{name}", hide, depth + 1)
        known = {name.lower() for name in properties}
        # The oldest templates of the second version say `sealed`.
        others = False if declared.get("sealed") is True else _unless_null(declared, "additionalProperties")
        for key, item in value.items():
            if key.lower() not in known and others is not True and not declared.get("discriminator"):
                if others is False:
                    raise Mismatch(
                        f"{path}.{key}", f"The property is not one of those that are defined: '{', '.join(properties)}'. {_SYNTAX}"
                    )
                self._check(others, item, f"{path}.{key}", hide, depth + 1)
        if declared.get("discriminator"):
            self._check_variant(declared["discriminator"], value, path, hide, depth)

    def _check_variant(self, choice: Mapping[str, Any], value: dict[str, Any], path: str, hide: bool, depth: int) -> None:
        """One of several types, by the value of a property. That property itself need not be declared in it."""
        name, variants = str(choice["propertyName"]), choice["mapping"]
        key = find_key(value, name)
        variant = variants.get(value[key]) if key is not None and isinstance(value[key], str) else None
        if variant is None:
            raise Mismatch(f"{path}.{name}", f"The value is not part of the allowed value(s): '{','.join(variants)}'. {_SYNTAX}")
        resolved = self.resolve(variant)
        declares = find_key(dict(resolved.get("properties") or {}), name) is not None
        checked = value if declares else {given: item for given, item in value.items() if given != key}
        self._check(resolved, checked, path, hide, depth + 1)

    def _check_array(self, declared: Type, value: list[Any], path: str, hide: bool, depth: int) -> None:
        first: list[Type] = declared.get("prefixItems") or []
        others = _unless_null(declared, "items")
        if len(value) < len(first) or (others is False and len(value) > len(first)):
            raise Mismatch(path, f"Expected '{len(first)}' item(s), but received '{len(value)}'. {_SYNTAX}")
        for at, item in enumerate(value):
            part = first[at] if at < len(first) else others
            if not isinstance(part, bool):
                self._check(part, item, f"{path}[{at}]", hide, depth + 1)


def _sound(declared: Type) -> Type:
    for key in _UNSUPPORTED:
        if declared.get(key):
            raise not_supported(f"The key '{key}' of a type")
    for key, kinds in _SHAPES.items():
        if declared.get(key) is not None and not isinstance(declared[key], kinds):
            raise ExpressionError(f"The '{key}' of a type is not valid")
    choice = declared.get("discriminator")
    if choice is not None and not (isinstance(choice.get("propertyName"), str) and isinstance(choice.get("mapping"), dict)):
        raise ExpressionError("The 'discriminator' of a type needs a propertyName and a mapping")
    return declared


def _inner(declared: Type) -> list[Type]:
    variants = (declared.get("discriminator") or {}).get("mapping") or {}
    parts = [
        *(declared.get("properties") or {}).values(),
        *(declared.get("prefixItems") or []),
        *variants.values(),
        declared.get("additionalProperties"),
        declared.get("items"),
    ]
    return [part for part in parts if isinstance(part, dict)]


def _unless_null(declared: Type, key: str) -> Any:
    return True if declared.get(key) is None else declared[key]


def _check_allowed(declared: Type, value: Any, path: str, hide: bool) -> None:
    """Of an array either the whole, or every item of it, must be among the allowed values."""
    allowed = declared.get("allowedValues")
    if not allowed or holds(allowed, value) or (isinstance(value, list) and all(holds(allowed, item) for item in value)):
        return
    shown = ",".join(item if isinstance(item, str) else compact(item) for item in allowed)
    raise Mismatch(path, f"The value '{'(hidden)' if hide else text(value)}' is not part of the allowed value(s): '{shown}'.")


def _check_bounds(declared: Type, value: Any, path: str) -> None:
    """The words are recorded for lengths; for numbers they are the local cloud's own."""
    if is_of(value, "int"):
        size, what, least, most = value, "The value", "minValue", "maxValue"
    elif isinstance(value, str | list):
        size, what, least, most = len(value), "Length of the value", "minLength", "maxLength"
    else:
        return
    if declared.get(least) is not None and size < declared[least]:
        raise Mismatch(path, f"{what} should be greater than or equal to '{declared[least]}'. {_SYNTAX}")
    if declared.get(most) is not None and size > declared[most]:
        raise Mismatch(path, f"{what} should be less than or equal to '{declared[most]}'. {_SYNTAX}")
