"""Objects. Their names are looked up without case and keep the spelling they have."""

from __future__ import annotations

from typing import Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.jsons import read_json
from localcloud.arm.expressions.values import ExpressionError, same, text

OBJECTS = Catalog()
OBJECTS.function("json", "string")(read_json)


@OBJECTS.function("createObject", rest="any")
def create_object(*parts: Any) -> dict[str, Any]:
    if len(parts) % 2:
        raise ExpressionError("The template language function 'createObject' expects an even number of parameters: names and their values.")
    return {text(name): value for name, value in zip(parts[::2], parts[1::2], strict=True)}


@OBJECTS.function("items", "object")
def items(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Sorted by key, as ARM does."""
    return [{"key": key, "value": value[key]} for key in object_keys(value)]


@OBJECTS.function("objectKeys", "object")
def object_keys(value: dict[str, Any]) -> list[str]:
    """Verified against the genuine engine: in alphabetical order, lower case before upper."""
    return sorted(value, key=lambda key: (key.lower(), key.swapcase()))


@OBJECTS.function("shallowMerge", "array")
def shallow_merge(parts: list[Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for part in parts:
        if not isinstance(part, dict):
            raise ExpressionError("The template language function 'shallowMerge' expects its parameter to be an array of objects.")
        spelled = {name.lower(): name for name in result}
        for name, value in part.items():
            result[spelled.setdefault(name.lower(), name)] = value
    return result


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Later values win; objects in objects are merged, arrays replaced."""
    result = dict(old)
    spelled = {name.lower(): name for name in result}
    for key, value in new.items():
        name = spelled.setdefault(key.lower(), key)
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = merge(result[name], value) if both else value
    return result


def common(values: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """What has the same name and the same value in all of them."""
    start, *others = values
    return {key: value for key, value in start.items() if all(key in other and same(other[key], value) for other in others)}
