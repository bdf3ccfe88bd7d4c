"""JSON as the host's library (Newtonsoft) reads and prints it: the host prints anew what looks like JSON.

It takes more than JSON (single quotes, bare names, comments, a last comma), and with `dates` it takes text that looks like an ISO date for
one, which is then printed in its own form.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from .lenient_json import BadJson, parse_lenient

__all__ = ["BadJson", "Date", "compact", "is_json", "parse", "printed", "to_string"]

ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?(Z|[+-]\d\d(?::?\d\d)?)?")
EXTRA_ESCAPES = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


@dataclass(frozen=True)
class Date:
    """A date as the library keeps it: hundreds of nanoseconds after the second, and `Z`, an offset or nothing as its zone."""

    moment: datetime
    fraction: int = 0
    zone: str = ""

    @property
    def iso(self) -> str:
        """As it stands in JSON: without the zeros at the fraction's end."""
        fraction = f".{self.fraction:07d}".rstrip("0") if self.fraction else ""
        return self.moment.isoformat(timespec="seconds") + fraction + self.zone

    @property
    def invariant(self) -> str:
        """As text that is not JSON."""
        return self.moment.strftime("%m/%d/%Y %H:%M:%S")


def is_json(text: str) -> bool:
    """Whether the host takes the text for JSON: by its first and last character alone."""
    trimmed = text.strip()
    return (trimmed.startswith("{") and trimmed.endswith("}")) or (trimmed.startswith("[") and trimmed.endswith("]"))


def parse(text: str, *, dates: bool) -> Any:
    """The value, numbers with a fraction as float, whole ones as int; raises BadJson. `dates` makes ISO dates to `Date`."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = parse_lenient(text)
    return _dated(value) if dates else value


def _dated(value: Any) -> Any:
    match value:
        case str():
            return _date(value) or value
        case dict():
            return {name: _dated(item) for name, item in value.items()}
        case list():
            return [_dated(item) for item in value]
        case _:
            return value


def _date(text: str) -> Date | None:
    found = ISO_DATE.fullmatch(text)
    if not found:
        return None
    *numbers, fraction, zone = found.groups()
    try:
        moment = datetime(*map(int, numbers))  # type: ignore[arg-type]  # noqa: DTZ001 - the zone is kept beside it
        return _local(moment, int((fraction or "").ljust(7, "0")), zone or "")
    except (ValueError, OverflowError):
        return None


def _local(moment: datetime, fraction: int, zone: str) -> Date:
    """A date with an offset becomes one of the host's own time zone, UTC: that one is printed as an offset as well."""
    if zone in {"", "Z"}:
        return Date(moment, fraction, zone)
    sign = -1 if zone[0] == "+" else 1
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return Date(moment + sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])), fraction, "+00:00")


def printed(value: Any, indent: str = "") -> str:
    """The value as JSON, indented by two spaces."""
    inner = indent + "  "
    match value:
        case dict() if value:
            lines = (f"{inner}{_quoted(name)}: {printed(item, inner)}" for name, item in value.items())
            return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
        case list() if value:
            return "[\n" + ",\n".join(inner + printed(item, inner) for item in value) + f"\n{indent}]"
        case Date():
            return f'"{value.iso}"'
        case str():
            return _quoted(value)
        case float():
            return _float(value, point=True)
        case _:
            return json.dumps(value)


def compact(value: Any) -> str:
    """The value as JSON without any space."""
    match value:
        case dict():
            return "{" + ",".join(f"{_quoted(name)}:{compact(item)}" for name, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(compact, value)) + "]"
        case _:
            return printed(value)


def to_string(value: Any) -> str:
    """The value as .NET's ToString gives it: text as it is, `True`, nothing for null, JSON for objects and arrays."""
    match value:
        case None:
            return ""
        case bool():
            return str(value)
        case str():
            return value
        case float():
            return _float(value, point=False)
        case Date():
            return value.invariant
        case int():
            return str(value)
        case _:
            return printed(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(EXTRA_ESCAPES)


def _float(value: float, *, point: bool) -> str:
    """The shortest digits that give it back, with an exponent from 1E+15 on and below 0.0001."""
    if value != value or value in (float("inf"), float("-inf")):
        name = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
        return f'"{name}"' if point else name
    number = Decimal(repr(value)).normalize()
    power = number.adjusted()
    if value and (power >= 15 or power < -4):
        sign, (first, *others), _ = number.as_tuple()
        rest = "".join(map(str, others))
        return f"{'-' * sign}{first}{'.' + rest if rest else ''}E{power:+03d}"
    plain = f"{Decimal(repr(value)):f}".removesuffix(".0")
    return plain + ".0" if point and "." not in plain else plain
