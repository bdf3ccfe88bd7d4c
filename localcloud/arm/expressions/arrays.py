"""What is defined for arrays, and for arrays and objects alike."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.numbers import take_integers
from localcloud.arm.expressions.objects import common, merge
from localcloud.arm.expressions.values import ExpressionError, key_of, usage

MAX_RANGE = 10_000  # items; ARM's own limit

ARRAYS = Catalog()


@ARRAYS.function("createArray", rest="any")
def create_array(*items: Any) -> list[Any]:
    return list(items)


@ARRAYS.function("array", "any")
def array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@ARRAYS.function("range", "int", "int")
def count_up(start: int, count: int) -> list[int]:
    if not 0 <= count <= MAX_RANGE:
        raise ExpressionError(
            "The template language function 'range' expects its second parameter to be between '0' and '{}'. The provided value is '{}'. "
            + usage("range"),
            MAX_RANGE,
            count,
        )
    # Documented for Bicep's range, which is this one.
    if start + count > 2**31 - 1 or start < -(2**31):
        raise ExpressionError("The sum of startIndex and count must be lower than or equal to 2147483647. " + usage("range"))
    return list(range(start, start + count))


@ARRAYS.function("min", "int|array", rest="int")
def least(*values: Any) -> int:
    return min(take_integers("min", values))


@ARRAYS.function("max", "int|array", rest="int")
def most(*values: Any) -> int:
    return max(take_integers("max", values))


@ARRAYS.function("union", "array|object", rest="array|object", walks=True)
def union(*values: Any) -> Any:
    """Later values win; objects in objects are merged, arrays replaced. Of arrays: every value once, where it was first."""
    if all(isinstance(value, list) for value in values):
        return distinct([item for value in values for item in value])
    result: dict[str, Any] = {}
    for value in _objects("union", values):
        result = merge(result, value)
    return result


@ARRAYS.function("intersection", "array|object", rest="array|object", walks=True)
def intersection(*values: Any) -> Any:
    start, *others = values
    if not all(isinstance(value, list) for value in values):
        return common(_objects("intersection", values))
    known = [{key_of(item) for item in other} for other in others]
    return distinct([item for item in start if all(key_of(item) in keys for keys in known)])


@ARRAYS.function("distinct", "array", walks=True)
def distinct(items: list[Any]) -> list[Any]:
    kept: dict[Hashable, Any] = {}
    for item in items:
        kept.setdefault(key_of(item), item)
    return list(kept.values())


@ARRAYS.function("flatten", "array", walks=True)
def flatten(value: list[Any]) -> list[Any]:
    """One level; what is no array stays."""
    return [item for part in value for item in (part if isinstance(part, list) else [part])]


def _objects(name: str, values: tuple[Any, ...]) -> tuple[dict[str, Any], ...]:
    if not all(isinstance(value, dict) for value in values):
        raise ExpressionError(f"The template language function '{name}' expects its parameters to be all arrays or all objects.")
    return values
