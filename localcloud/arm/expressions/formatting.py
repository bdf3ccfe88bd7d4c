"""`format()`: .NET's composite formatting, as far as templates use it."""

from __future__ import annotations

import re
from typing import Any

from localcloud.arm.expressions.values import ExpressionError, is_of, text, usage

_HOLE = re.compile(r"\{\{|\}\}|\{(?P<index>\d+)(?:,(?P<width>-?\d+))?(?::(?P<style>[^{}]*))?\}|[{}]")


def composite(template: str, *values: Any) -> str:
    """`{0}`, `{1,10}` (aligned), `{2:D4}` and `{2:N0}`; a doubled brace is a brace."""

    def fill(match: re.Match[str]) -> str:
        whole = match[0]
        if whole in {"{{", "}}"}:
            return whole[0]
        if match["index"] is None:
            raise _invalid("Input string was not in a correct format.")
        if int(match["index"]) >= len(values):
            raise _invalid("Index (zero based) must be greater than or equal to zero and less than the size of the argument list.")
        return _align(_styled(values[int(match["index"])], match["style"] or ""), int(match["width"] or 0))

    return _HOLE.sub(fill, template)


def _invalid(reason: str) -> ExpressionError:
    return ExpressionError(f"Unable to evaluate language function 'format': the format is invalid: '{reason}'. {usage('format')}")


def _align(value: str, width: int) -> str:
    return value.rjust(width) if width >= 0 else value.ljust(-width)


def _styled(value: Any, style: str) -> str:
    if not style or not is_of(value, "int"):
        return text(value)
    if set(style) == {"0"}:
        return f"{value:0{len(style)}d}"
    letter, digits = style[0].upper(), int(style[1:]) if style[1:].isdecimal() else None
    if letter == "D":
        return f"{value:0{digits or 1}d}"
    if letter in "NF":
        return f"{value:{',' if letter == 'N' else ''}.{2 if digits is None else digits}f}"
    if letter == "X":
        return f"{value:0{digits or 1}{'X' if style[0] == 'X' else 'x'}}"
    raise _invalid(f"the local cloud knows the styles D, F, N, X and 000, not {style}")
