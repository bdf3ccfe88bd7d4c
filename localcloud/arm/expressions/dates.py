"""Dates: adding durations to them, seconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.date_formats import format_date
from localcloud.arm.expressions.values import ExpressionError, not_valid

DATES = Catalog()

_ISO = "yyyy-MM-ddTHH:mm:ss.FFFFFFFK"
_MOMENT = re.compile(
    r"(?P<year>\d{4})(?P<dash>-?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"(?:(?P<between>[Tt ])(?P<hour>\d\d):?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:\.(?P<part>\d{1,7}))?)?)?"
    r"(?P<zone>Z|z|[+-]\d\d:?\d\d)?"
)
_DURATION = re.compile(
    r"(?P<sign>-?)P(?!$)(?:(?P<years>\d{1,9})Y)?(?:(?P<months>\d{1,9})M)?(?:(?P<weeks>\d{1,9})W)?(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?!$)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9}(?:\.\d{1,7})?)S)?)?"
)


@DATES.function("dateTimeAdd", "string", "string", "string", optional=1)
def add(base: str, duration: str, style: str = _ISO) -> str:
    """Documented: `2023-01-01 00:00:00Z` and a year give `2024-01-01T00:00:00Z`, so the format is not the base's."""
    start = _moment("dateTimeAdd", base)
    try:
        moment = start + _span(duration)
    except OverflowError:
        raise not_valid("dateTimeAdd", "The result is not a date between the years 1 and 9999.") from None
    return format_date("dateTimeAdd", moment, style)


@DATES.function("dateTimeFromEpoch", "int")
def from_epoch(seconds: int) -> str:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        raise not_valid("dateTimeFromEpoch", "Valid values are between -62135596800 and 253402300799, inclusive.") from None
    return format_date("dateTimeFromEpoch", moment, _ISO)


@DATES.function("dateTimeToEpoch", "string")
def to_epoch(moment: str) -> int:
    return int(_moment("dateTimeToEpoch", moment).timestamp() // 1)


def _moment(name: str, value: str) -> datetime:
    """ISO 8601, in its long form, its short form, and with a space in the middle as the format `u` has it."""
    match = _MOMENT.fullmatch(value.strip())
    moment = match and _read(match)
    if moment is None:
        raise _invalid(name, "The first parameter '{}' is not a valid ISO8601 DateTime string.", value)
    return moment


def _read(match: re.Match[str]) -> datetime | None:
    part = (match["part"] or "0").ljust(6, "0")[:6]
    year, month, day, hour, minute, second = (int(match[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second"))
    try:
        return datetime(year, month, day, hour, minute, second, int(part), tzinfo=_zone(match["zone"]))
    except ValueError:
        return None


def _invalid(name: str, reason: str, value: str) -> ExpressionError:
    """The words are recorded, the second parameter's even to the end."""
    start = f"The template function '{name}' has an invalid parameter."
    return ExpressionError(f"{start} {reason} Please see https://aka.ms/arm-syntax-functions .", value)


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:])))


def _span(duration: str) -> timedelta:
    """Documented: a year is 365 days, a month 30, whatever the calendar says."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise _invalid("dateTimeAdd", "The second parameter '{}' is not a valid ISO8601 Duration string.", duration)
    count = {name: float(value or 0) for name, value in match.groupdict().items() if name != "sign"}
    span = timedelta(
        days=count["years"] * 365 + count["months"] * 30 + count["weeks"] * 7 + count["days"],
        hours=count["hours"],
        minutes=count["minutes"],
        seconds=count["seconds"],
    )
    return -span if match["sign"] else span
