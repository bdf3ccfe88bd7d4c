"""Whole numbers: the language has no others."""

from __future__ import annotations

import operator
from typing import Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.values import ExpressionError, is_of, not_valid, usage

MAX_RANGE = 10_000  # items; ARM's own limit

NUMBERS = Catalog()
NUMBERS.function("add", "int", "int")(operator.add)
NUMBERS.function("sub", "int", "int")(operator.sub)
NUMBERS.function("mul", "int", "int")(operator.mul)


@NUMBERS.function("div", "int", "int")
def divide(left: int, right: int) -> int:
    _refuse_zero("div", right)
    quotient = abs(left) // abs(right)  # towards zero, as .NET divides; Python's // goes down
    return quotient if (left < 0) == (right < 0) else -quotient


@NUMBERS.function("mod", "int", "int")
def modulo(left: int, right: int) -> int:
    _refuse_zero("mod", right)
    return left - right * divide(left, right)


def _refuse_zero(name: str, divisor: int) -> None:
    if divisor == 0:
        raise ExpressionError(f"The template language function '{name}' was invoked with a divisor of zero.")


def _numbers(name: str, values: tuple[Any, ...]) -> list[int]:
    found = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not found or not all(is_of(value, "int") for value in found):
        raise ExpressionError(f"The template language function '{name}' expects integers, or one array of integers.")
    return list(found)


@NUMBERS.function("min", "int|array", rest="int")
def least(*values: Any) -> int:
    return min(_numbers("min", values))


@NUMBERS.function("max", "int|array", rest="int")
def most(*values: Any) -> int:
    return max(_numbers("max", values))


@NUMBERS.function("range", "int", "int")
def count_up(start: int, count: int) -> list[int]:
    if not 0 <= count <= MAX_RANGE:
        raise not_valid("range", f"The count must be between 0 and {MAX_RANGE}, and is '{count}'.")
    return list(range(start, start + count))


@NUMBERS.function("int", "int|string")
def integer(value: int | str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ExpressionError(
            "The template language function 'int' cannot convert provided value '{}' to integer value. " + usage("int"), value
        ) from None
