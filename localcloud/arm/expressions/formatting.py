"""`format()`: .NET's composite formatting, with the numbers' styles of the invariant culture."""

from __future__ import annotations

import json
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from localcloud.arm.expressions.evaluation import check_size
from localcloud.arm.expressions.values import ExpressionError, is_of, text, usage

_HOLE = re.compile(r"\{\{|\}\}|\{\s*(?P<index>\d{1,6})\s*(?:,\s*(?P<width>-?\d{1,6})\s*)?(?::(?P<style>[^{}]*))?\}|[{}]")
_STANDARD = re.compile(r"(?P<letter>[CDEFGNPRXcdefgnprx])(?P<digits>\d{0,2})")
_CUSTOM = re.compile(r"(?P<before>[^0#.,%]*)(?P<whole>[0#,]*)(?:\.(?P<part>[0#]*))?(?P<after>[^0#.,]*)")

_EXACT = Context(prec=1_000)  # the largest double has 309 digits


def composite(template: str, *values: Any) -> str:
    """`{0}`, `{1,10}` (aligned), `{2:D4}` and `{2:N0}`; a doubled brace is a brace."""
    made: list[str] = []
    size = position = 0
    for match in _HOLE.finditer(template):
        made += [template[position : match.start()], _fill(match, values)]
        position = match.end()
        size += len(made[-2]) + len(made[-1])
        check_size(size)
    return "".join([*made, template[position:]])


def _fill(match: re.Match[str], values: tuple[Any, ...]) -> str:
    whole = match[0]
    if whole in {"{{", "}}"}:
        return whole[0]
    if match["index"] is None:
        raise _invalid("Input string was not in a correct format.")
    if int(match["index"]) >= len(values):
        raise _invalid("Index (zero based) must be greater than or equal to zero and less than the size of the argument list.")
    return _align(_styled(values[int(match["index"])], match["style"] or ""), int(match["width"] or 0))


def _invalid(reason: str) -> ExpressionError:
    return ExpressionError(f"Unable to evaluate language function 'format': the format is invalid: '{reason}'. {usage('format')}")


def _align(value: str, width: int) -> str:
    return value.rjust(width) if width >= 0 else value.ljust(-width)


def _styled(value: Any, style: str) -> str:
    if isinstance(value, list | dict):
        return _single_quoted(value)
    if not style or not is_of(value, "int|float"):
        return text(value)
    standard = _STANDARD.fullmatch(style)
    if standard:
        return _standard(value, standard["letter"], int(standard["digits"]) if standard["digits"] else None)
    custom = _CUSTOM.fullmatch(style)
    if custom is None or not (custom["whole"] or custom["part"]):
        raise _invalid(
            f"the local cloud knows the styles C, D, E, F, G, N, P, R, X and those made of 0, #, comma, point and %, not {style}"
        )
    return _custom(value, custom)


def _single_quoted(value: Any) -> str:
    """Verified against the genuine engine: format() prints objects and arrays with single quotes, and string() with double."""
    if isinstance(value, list):
        return f"[{','.join(map(_single_quoted, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_single_quoted(name)}:{_single_quoted(item)}" for name, item in value.items()) + "}"
    if isinstance(value, str):
        inner = json.dumps(value, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")
        return f"'{inner}'"
    return json.dumps(value)


def _standard(value: int | float, letter: str, digits: int | None) -> str:
    kind = letter.upper()
    if kind in "DX":
        if not is_of(value, "int"):
            raise _invalid("Format specifier was invalid.")
        return _whole_number(int(value), letter, digits or 1)
    if kind in "GR":
        return text(value)
    if kind == "E":
        mantissa, _, exponent = f"{value:.{6 if digits is None else digits}e}".partition("e")
        return f"{mantissa}{letter}{int(exponent):+04d}"
    scaled, places = _EXACT.multiply(Decimal(text(value)), Decimal(100 if kind == "P" else 1)), 2 if digits is None else digits
    number = _rounded(scaled, places, grouped=kind != "F")
    return {"C": f"¤{number}", "P": f"{number} %"}.get(kind, number)


def _whole_number(value: int, letter: str, digits: int) -> str:
    if letter.upper() == "D":
        return f"{'-' * (value < 0)}{abs(value):0{digits}d}"
    # Two's complement of 64 bits, as a .NET long has it.
    return f"{value & 0xFFFFFFFFFFFFFFFF:0{digits}{letter}}"


def _rounded(value: Decimal, places: int, *, grouped: bool) -> str:
    exact = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _EXACT)
    return f"{exact:{',' if grouped else ''}.{places}f}"


def _custom(value: int | float, style: re.Match[str]) -> str:
    """`000`, `#,##0.00`, `0.0%`: zeros are always there, `#` only where there is a digit."""
    percent = "%" in style["after"] or "%" in style["before"]
    whole, part = style["whole"], style["part"] or ""
    number = _rounded(_EXACT.multiply(Decimal(text(value)), Decimal(100 if percent else 1)), len(part), grouped=False)
    sign, number = ("-", number[1:]) if number.startswith("-") else ("", number)
    integer, _, fraction = number.partition(".")
    integer = integer.lstrip("0").rjust(whole.count("0"), "0")
    if "," in whole.strip(","):
        integer = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", integer)
    kept = len(part.rstrip("#"))
    fraction = fraction[:kept] + fraction[kept:].rstrip("0")
    return f"{sign}{style['before']}{integer}{'.' if fraction else ''}{fraction}{style['after']}"
