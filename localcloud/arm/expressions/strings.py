"""Strings. Comparisons ignore case where ARM's do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.evaluation import check_size
from localcloud.arm.expressions.formatting import composite
from localcloud.arm.expressions.values import ExpressionError, text, units, usage, whole

STRINGS = Catalog()
STRINGS.function("string", "any", walks=True)(text)
STRINGS.function("format", "string", rest="any", walks=True)(composite)


@STRINGS.function("toLower", "string")
def lower(value: str) -> str:
    return _changed(value, str.lower)


@STRINGS.function("toUpper", "string")
def upper(value: str) -> str:
    return _changed(value, str.upper)


def _changed(value: str, change: Callable[[str], str]) -> str:
    result = change(value)
    if len(result) == len(value):
        return result
    # .NET never makes two characters of one: ß stays ß.
    return "".join(new if len(new := change(character)) == 1 else character for character in value)


@STRINGS.function("trim", "string")
def trim(value: str) -> str:
    return value.strip()


@STRINGS.function("replace", "string", "string", "string")
def replace(value: str, old: str, new: str) -> str:
    if not old:
        raise ExpressionError(
            "The template language function 'replace' expects its second parameter to be a non-empty string. " + usage("replace")
        )
    check_size(len(value) + value.count(old) * (len(new) - len(old)))
    return value.replace(old, new)


@STRINGS.function("split", "string", "string|array", walks=True)
def split(value: str, delimiters: str | list[Any]) -> list[str]:
    given = [delimiters] if isinstance(delimiters, str) else delimiters
    if not all(isinstance(delimiter, str) for delimiter in given):
        raise ExpressionError(
            "The template language function 'split' expects its second parameter to be a string or an array of strings. " + usage("split")
        )
    # The longest first, or a delimiter that begins another would hide it; each is looked for everywhere.
    words = sorted(filter(None, given), key=len, reverse=True)
    check_size(len(value) * (len(words) + 8))
    return re.split("|".join(map(re.escape, words)), value) if words else [value]


@STRINGS.function("join", "array", "string", walks=True)
def join(items: list[Any], delimiter: str) -> str:
    check_size(len(items) * len(delimiter))
    return delimiter.join(map(text, items))


@STRINGS.function("substring", "string", "int", "int", optional=1)
def substring(value: str, start: int, length: int | None = None) -> str:
    characters = units(value)
    size = len(characters) - start if length is None else length
    if start < 0 or size < 0 or start + size > len(characters):
        raise ExpressionError(
            "Unable to evaluate the template language function 'substring'. "
            "The index and length parameters must refer to a location within the string. "
            "The index parameter: '{}', the length parameter: '{}', the length of the string parameter: '{}'. " + usage("substring"),
            start,
            size,
            len(characters),
        )
    return whole(characters[start : start + size])


@STRINGS.function("startsWith", "string", "string")
def starts_with(value: str, wanted: str) -> bool:
    return lower(value).startswith(lower(wanted))


@STRINGS.function("endsWith", "string", "string")
def ends_with(value: str, wanted: str) -> bool:
    return lower(value).endswith(lower(wanted))


@STRINGS.function("padLeft", "string|int", "int", "string", optional=1)
def pad_left(value: str | int, width: int, fill: str = " ") -> str:
    if width < 0 or len(fill) != 1:
        raise ExpressionError(
            "The template language function 'padLeft' expects its second parameter to be zero or more, and its third a single character. "
            + usage("padLeft")
        )
    check_size(width)
    return fill * (width - len(units(text(value)))) + text(value)


@STRINGS.function("like", "string", "string")
def like(value: str, pattern: str) -> bool:
    """`*` stands for any characters; without case. The parts are looked for from left to right: no pattern takes longer."""
    start, *rest = lower(pattern).split("*")
    value = lower(value)
    if not rest:
        return value == start
    end = rest.pop()
    if not value.startswith(start) or not value.endswith(end) or len(start) + len(end) > len(value):
        return False
    at, stop = len(start), len(value) - len(end)
    for part in rest:
        at = value.find(part, at, stop)
        if at < 0:
            return False
        at += len(part)
    return True
