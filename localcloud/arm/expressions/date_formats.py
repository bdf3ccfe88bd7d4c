"""Dates as .NET prints them in the invariant culture: the standard formats of one letter, and those made of parts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from localcloud.arm.expressions.values import not_valid

_MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

STANDARD = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "M": "MMMM dd",
    "m": "MMMM dd",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "U": "dddd, dd MMMM yyyy HH:mm:ss",
    "Y": "yyyy MMMM",
    "y": "yyyy MMMM",
}
_UNIVERSAL = {"R", "r", "u", "U"}
_PART = re.compile(
    r"'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|\\(?P<escaped>.)|(?P<dotted>\.F+)|%?(?P<part>([dfFghHKmMstyz])\6*)|(?P<other>.)", re.DOTALL
)


def format_date(name: str, moment: datetime, style: str) -> str:
    """`name` is the function that asks, for its error."""
    if len(style) == 1 and style not in STANDARD:
        raise not_valid(name, f"The format '{style}' is not a valid date and time format.")
    if style in _UNIVERSAL:
        moment = moment.astimezone(UTC)
    pattern = STANDARD.get(style, style)
    try:
        return "".join(_print(match, moment) for match in _PART.finditer(pattern))
    except (KeyError, ValueError):
        raise not_valid(name, f"The format '{style}' is not a valid date and time format.") from None


def _print(match: re.Match[str], moment: datetime) -> str:
    part = match["part"]
    if match["dotted"]:
        fraction = _fraction(moment, len(match[0]) - 1).rstrip("0")
        return f".{fraction}" if fraction else ""
    if part is None:
        return match[0] if match["other"] else match["single"] or match["double"] or match["escaped"] or ""
    return _PARTS[part[0]](moment, len(part))


def _day(moment: datetime, width: int) -> str:
    name = _DAYS[moment.weekday()]
    return _number(moment.day, width) if width < 3 else name[:3] if width == 3 else name


def _month(moment: datetime, width: int) -> str:
    name = _MONTHS[moment.month - 1]
    return _number(moment.month, width) if width < 3 else name[:3] if width == 3 else name


def _number(value: int, width: int) -> str:
    return f"{value:0{min(width, 2)}d}"


def _year(moment: datetime, width: int) -> str:
    return _number(moment.year % 100, width) if width < 3 else f"{moment.year:0{width}d}"


def _fraction(moment: datetime, width: int) -> str:
    if width > 7:
        raise ValueError
    return f"{moment.microsecond:06d}0"[:width]


def _half(moment: datetime, width: int) -> str:
    name = "AM" if moment.hour < 12 else "PM"
    return name[:width] if width < 2 else name


def _offset(moment: datetime, width: int) -> str:
    minutes = int((moment.utcoffset() or UTC.utcoffset(None)).total_seconds() // 60)
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return f"{sign}{minutes // 60:0{min(width, 2)}d}" + (f":{minutes % 60:02d}" if width > 2 else "")


_PARTS: dict[str, Callable[[datetime, int], str]] = {
    "d": _day,
    "f": _fraction,
    "F": lambda moment, width: _fraction(moment, width).rstrip("0"),
    "g": lambda _moment, _width: "A.D.",
    "h": lambda moment, width: _number(moment.hour % 12 or 12, width),
    "H": lambda moment, width: _number(moment.hour, width),
    "K": lambda moment, width: ("Z" if moment.utcoffset() == UTC.utcoffset(None) else _offset(moment, 3)) * width,
    "m": lambda moment, width: _number(moment.minute, width),
    "M": _month,
    "s": lambda moment, width: _number(moment.second, width),
    "t": _half,
    "y": _year,
    "z": _offset,
}
