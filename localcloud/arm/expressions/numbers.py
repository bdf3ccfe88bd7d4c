"""Numbers: whole ones of 64 bits, as .NET's long. Fractions come from JSON and `float` only, and are not calculated with."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.values import INT_MAX, INT_MIN, ExpressionError, general_usage, is_of, not_valid, usage

NUMBERS = Catalog()
_WHOLE = re.compile(r"\s*[+-]?\d{1,30}\s*")
_FRACTION = re.compile(r"\s*[+-]?(?:\d{1,400}\.?\d{0,400}|\.\d{1,400})(?:[eE][+-]?\d{1,4})?\s*")


def _arithmetic(name: str, calculate: Callable[[int, int], int]) -> None:
    @NUMBERS.function(name, "int", "int")
    def calculated(left: int, right: int) -> int:
        result = calculate(left, right)
        if not INT_MIN <= result <= INT_MAX:
            raise ExpressionError(
                f"The template language function '{name}' overflowed with the operants '{{}}' and '{{}}'. {general_usage()}", left, right
            )
        return result


def _divide(left: int, right: int) -> int:
    _refuse_zero("div", right)
    quotient = abs(left) // abs(right)  # towards zero, as .NET divides; Python's // goes down
    return quotient if (left < 0) == (right < 0) else -quotient


def _modulo(left: int, right: int) -> int:
    _refuse_zero("mod", right)
    return left - right * _divide(left, right)


def _refuse_zero(name: str, divisor: int) -> None:
    if divisor == 0:
        raise ExpressionError(f"The template language function '{name}' was invoked with a divisor of zero.")


_arithmetic("add", operator.add)
_arithmetic("sub", operator.sub)
_arithmetic("mul", operator.mul)
_arithmetic("div", _divide)
_arithmetic("mod", _modulo)


def take_integers(name: str, values: tuple[Any, ...]) -> list[int]:
    """Several integers, or one array of them."""
    found = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not found or not all(is_of(value, "int") for value in found):
        raise ExpressionError(f"The template language function '{name}' expects integers, or one array of integers.")
    return list(found)


@NUMBERS.function("int", "int|string|float")
def integer(value: int | str | float) -> int:
    if isinstance(value, float):
        return int(value)
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise _not_whole(value)
    if not INT_MIN <= (number := int(value)) <= INT_MAX:
        raise _not_whole(value)
    return number


def _not_whole(value: object) -> ExpressionError:
    return ExpressionError(
        "The template language function 'int' cannot convert provided value '{}' to integer value. " + usage("int"), value
    )


@NUMBERS.function("float", "int|string|float")
def fraction(value: int | str | float) -> float:
    if isinstance(value, str) and not _FRACTION.fullmatch(value):
        raise not_valid("float", "The value cannot be converted to the target type.")
    number = float(value)
    if math.isinf(number):
        raise not_valid("float", "The value cannot be converted to the target type.")
    return number
