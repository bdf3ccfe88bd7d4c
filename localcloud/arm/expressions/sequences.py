"""What is defined for strings, arrays and objects alike. Strings are counted as .NET does, in 16-bit units."""

from __future__ import annotations

from typing import Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.strings import lower
from localcloud.arm.expressions.values import ExpressionError, find_key, general_usage, holds, same, text, units, whole, wrong_types

SEQUENCES = Catalog()


@SEQUENCES.function("concat", "any", rest="any", walks=True)
def concat(*parts: Any) -> Any:
    if all(isinstance(part, list) for part in parts):
        return [item for part in parts for item in part]
    if any(isinstance(part, list | dict) for part in parts):
        raise ExpressionError(
            "The template language function 'concat' expects its parameters to be literals or arrays, and not both. " + general_usage()
        )
    return "".join(map(text, parts))


@SEQUENCES.function("contains", "string|array|object", "any", walks=True)
def contains(container: Any, wanted: Any) -> bool:
    if isinstance(container, str):
        return text(wanted) in container
    if isinstance(container, dict):
        return find_key(container, text(wanted)) is not None
    return holds(container, wanted)


@SEQUENCES.function("length", "string|array|object", expects="language function 'length' expects its parameter to be an array or a string")
def length(value: Any) -> int:
    return len(units(value)) if isinstance(value, str) else len(value)


@SEQUENCES.function(
    "empty", "string|array|object|null", expects="function 'empty' expects its parameter to be an object, an array, or a string"
)
def empty(value: Any) -> bool:
    return not value


@SEQUENCES.function("first", "string|array", expects="language function 'first' expects its parameter be an array or a string")
def first(value: Any) -> Any:
    return _item(value, 0)


@SEQUENCES.function("last", "string|array", expects="language function 'last' expects its parameter be an array or a string")
def last(value: Any) -> Any:
    return _item(value, -1)


def _item(value: Any, at: int) -> Any:
    """Of an empty string an empty string, of an empty array null."""
    if isinstance(value, str):
        return units(value)[at] if value else ""
    return value[at] if value else None


@SEQUENCES.function("take", "string|array", "int")
def take(value: Any, count: int) -> Any:
    return whole(units(value)[: max(count, 0)]) if isinstance(value, str) else value[: max(count, 0)]


@SEQUENCES.function("skip", "string|array", "int")
def skip(value: Any, count: int) -> Any:
    return whole(units(value)[max(count, 0) :]) if isinstance(value, str) else value[max(count, 0) :]


@SEQUENCES.function("indexOf", "string|array", "any", walks=True)
def index_of(value: Any, wanted: Any) -> int:
    if isinstance(value, str):
        return _fold(value).find(_fold(_word("indexOf", value, wanted)))
    return next((at for at, item in enumerate(value) if same(item, wanted)), -1)


@SEQUENCES.function("lastIndexOf", "string|array", "any", walks=True)
def last_index_of(value: Any, wanted: Any) -> int:
    if isinstance(value, str):
        found = _fold(value).rfind(_fold(_word("lastIndexOf", value, wanted)))
        # Recorded: an empty string is found at the last character, not after it.
        return min(found, max(len(units(value)) - 1, 0))
    return max((at for at, item in enumerate(value) if same(item, wanted)), default=-1)


def _word(name: str, value: str, wanted: Any) -> str:
    if not isinstance(wanted, str):
        raise wrong_types(name, ["string", "string"], [value, wanted])
    return wanted


def _fold(value: str) -> str:
    """For a comparison without case that keeps every position."""
    return lower(units(value))
