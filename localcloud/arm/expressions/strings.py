"""Strings. Comparisons ignore case where ARM's do."""

from __future__ import annotations

from typing import Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.formatting import composite
from localcloud.arm.expressions.values import ExpressionError, text, usage

STRINGS = Catalog()
STRINGS.function("string", "any")(text)
STRINGS.function("format", "string", rest="any")(composite)


@STRINGS.function("toLower", "string")
def lower(value: str) -> str:
    return value.lower()


@STRINGS.function("toUpper", "string")
def upper(value: str) -> str:
    return value.upper()


@STRINGS.function("trim", "string")
def trim(value: str) -> str:
    return value.strip()


@STRINGS.function("replace", "string", "string", "string")
def replace(value: str, old: str, new: str) -> str:
    return value.replace(old, new)


@STRINGS.function("split", "string", "string|array")
def split(value: str, delimiters: str | list[str]) -> list[str]:
    # Several delimiters are as good as one when the others are replaced by it first.
    first, *others = [delimiters] if isinstance(delimiters, str) else delimiters
    for other in others:
        value = value.replace(other, first)
    return value.split(first) if first else [value]


@STRINGS.function("join", "array", "string")
def join(items: list[Any], delimiter: str) -> str:
    return delimiter.join(map(text, items))


@STRINGS.function("substring", "string", "int", "int", optional=1)
def substring(value: str, start: int, length: int | None = None) -> str:
    size = len(value) - start if length is None else length
    if start < 0 or size < 0 or start + size > len(value):
        raise ExpressionError(
            "Unable to evaluate the template language function 'substring'. "
            "The index and length parameters must refer to a location within the string. "
            f"The index parameter: '{start}', the length parameter: '{size}', the length of the string parameter: '{len(value)}'. "
            + usage("substring")
        )
    return value[start : start + size]


@STRINGS.function("startsWith", "string", "string")
def starts_with(value: str, wanted: str) -> bool:
    return value.lower().startswith(wanted.lower())


@STRINGS.function("endsWith", "string", "string")
def ends_with(value: str, wanted: str) -> bool:
    return value.lower().endswith(wanted.lower())


@STRINGS.function("padLeft", "string|int", "int", "string", optional=1)
def pad_left(value: str | int, width: int, fill: str = " ") -> str:
    return text(value).rjust(width, fill)
