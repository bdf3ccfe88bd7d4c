"""Arrays and objects, and what is defined for strings and arrays alike."""

from __future__ import annotations

import json
from typing import Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.values import ExpressionError, find_key, holds, same, text

COLLECTIONS = Catalog()


@COLLECTIONS.function("createArray", rest="any")
def create_array(*items: Any) -> list[Any]:
    return list(items)


@COLLECTIONS.function("array", "any")
def array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@COLLECTIONS.function("createObject", rest="any")
def create_object(*parts: Any) -> dict[str, Any]:
    if len(parts) % 2:
        raise ExpressionError("The template language function 'createObject' expects an even number of parameters: names and their values.")
    return {text(name): value for name, value in zip(parts[::2], parts[1::2], strict=True)}


@COLLECTIONS.function("concat", "any", rest="any")
def concat(*parts: Any) -> Any:
    if all(isinstance(part, list) for part in parts):
        return [item for part in parts for item in part]
    if any(isinstance(part, list | dict) for part in parts):
        raise ExpressionError(
            "The template language function 'concat' expects its parameters to be literals or arrays, and not both. "
            "Please see https://aka.ms/arm-function-concat for usage details."
        )
    return "".join(map(text, parts))


@COLLECTIONS.function("contains", "string|array|object", "any")
def contains(container: Any, wanted: Any) -> bool:
    if isinstance(container, str):
        return text(wanted) in container
    if isinstance(container, dict):
        return find_key(container, text(wanted)) is not None
    return holds(container, wanted)


@COLLECTIONS.function("length", "string|array|object")
def length(value: Any) -> int:
    return len(value)


@COLLECTIONS.function("empty", "string|array|object|null")
def empty(value: Any) -> bool:
    return not value


@COLLECTIONS.function("first", "string|array")
def first(value: Any) -> Any:
    return value[0] if value else _nothing(value)


@COLLECTIONS.function("last", "string|array")
def last(value: Any) -> Any:
    return value[-1] if value else _nothing(value)


def _nothing(value: Any) -> str | None:
    return "" if isinstance(value, str) else None


@COLLECTIONS.function("take", "string|array", "int")
def take(value: Any, count: int) -> Any:
    return value[: max(count, 0)]


@COLLECTIONS.function("skip", "string|array", "int")
def skip(value: Any, count: int) -> Any:
    return value[max(count, 0) :]


@COLLECTIONS.function("indexOf", "string|array", "any")
def index_of(value: Any, wanted: Any) -> int:
    if isinstance(value, str):
        return value.lower().find(text(wanted).lower())
    return next((at for at, item in enumerate(value) if same(item, wanted)), -1)


@COLLECTIONS.function("lastIndexOf", "string|array", "any")
def last_index_of(value: Any, wanted: Any) -> int:
    if isinstance(value, str):
        return value.lower().rfind(text(wanted).lower())
    return max((at for at, item in enumerate(value) if same(item, wanted)), default=-1)


@COLLECTIONS.function("union", "array|object", "array|object", rest="array|object")
def union(*values: Any) -> Any:
    if all(isinstance(value, list) for value in values):
        return _unique(concat(*values))
    result: dict[str, Any] = {}
    for value in _objects("union", values):
        result = _merge(result, value)
    return result


def _unique(items: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for item in items:
        if not holds(kept, item):
            kept.append(item)
    return kept


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Later values win; objects in objects are merged, arrays replaced."""
    result = dict(old)
    for key, value in new.items():
        name = find_key(result, key) or key
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = _merge(result[name], value) if both else value
    return result


def _objects(name: str, values: tuple[Any, ...]) -> tuple[dict[str, Any], ...]:
    if not all(isinstance(value, dict) for value in values):
        raise ExpressionError(f"The template language function '{name}' expects its parameters to be all arrays or all objects.")
    return values


@COLLECTIONS.function("intersection", "array|object", "array|object", rest="array|object")
def intersection(*values: Any) -> Any:
    start, *others = values
    if all(isinstance(value, list) for value in values):
        return _unique([item for item in start if all(holds(other, item) for other in others)])
    _objects("intersection", values)
    return {key: value for key, value in start.items() if all(key in other and same(other[key], value) for other in others)}


@COLLECTIONS.function("items", "object")
def items(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Sorted by key, as ARM does."""
    return [{"key": key, "value": value[key]} for key in sorted(value)]


@COLLECTIONS.function("objectKeys", "object")
def object_keys(value: dict[str, Any]) -> list[str]:
    return sorted(value)


@COLLECTIONS.function("flatten", "array")
def flatten(value: list[Any]) -> list[Any]:
    return [item for part in value for item in (part if isinstance(part, list) else [part])]


@COLLECTIONS.function("json", "string")
def parse_json(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError as error:
        raise ExpressionError(
            f"The template language function 'json' was invoked with a parameter that is not valid JSON: {error}."
        ) from None
