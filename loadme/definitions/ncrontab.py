"""NCRONTAB, the timer expressions of Azure Functions: `{second} {minute} {hour} {day} {month} {day of week}`.

It differs from cron: six fields, Sunday is 0 and 7 is no day, no `?`, `L`, `W`, `#` or `@daily`, and a timer fires
only when the day of the month and the day of the week both match.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _DAYS),
)
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d{1,3}))?", re.ASCII)


def check(expression: str) -> None:
    """Raise a ValueError that names the wrong field and what it allows."""
    texts = expression.split()
    if len(texts) == len(_FIELDS) - 1:
        raise ValueError(_five_fields(expression))
    if len(texts) != len(_FIELDS):
        raise ValueError(f"`{expression}` is not NCRONTAB, which has six fields: second minute hour day month day-of-week")
    values = [_values(field, text) for field, text in zip(_FIELDS, texts, strict=True)]
    days, months = values[3], values[4]
    if all(min(days) > _LONGEST[month - 1] for month in months):
        raise ValueError(f"`{expression}` never fires: no month in its month field has a day {min(days)}")


def _five_fields(expression: str) -> str:
    try:
        check(f"0 {expression}")
    except ValueError as error:
        return f"`{expression}` has five fields, NCRONTAB has six, the second comes first; with a 0 in front it is still wrong: {error}"
    return f"`{expression}` has five fields, NCRONTAB has six: put the second in front, `0 {expression}`"


class Fields(NamedTuple):
    """The numbers that each field allows."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def has_day(self, day: date) -> bool:
        """Whether the timer fires on this day: the day of the month and the day of the week both have to match."""
        return day.day in self.days and day.month in self.months and (day.weekday() + 1) % 7 in self.weekdays


@lru_cache(maxsize=256)
def fields(expression: str) -> Fields:
    """What the fields allow. Raises ValueError for an expression that `check` refuses."""
    check(expression)
    return Fields(*(frozenset(_values(field, text)) for field, text in zip(_FIELDS, expression.split(), strict=True)))


def _values(field: _Field, text: str) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise _wrong(field, text, f"`{part}` is not understood" if part else "a part is empty")
        values |= _range(field, text, found)
    return values


def _range(field: _Field, text: str, part: re.Match[str]) -> set[int]:
    step = int(part["step"] or 1)
    if part["all"]:
        first, last = field.low, field.high
    else:
        first = _number(field, text, part["first"])
        # `a/n` runs from a to the end of the field, `a` alone is only itself.
        last = _number(field, text, part["last"]) if part["last"] else field.high if part["step"] else first
    if first > last:
        raise _wrong(field, text, f"the range {first}-{last} runs backwards")
    if not 1 <= step <= field.high:
        raise _wrong(field, text, f"a step is 1 to {field.high}")
    return set(range(first, last + 1, step))


def _number(field: _Field, text: str, word: str) -> int:
    if word.isdigit():
        number = int(word)
    else:
        named = [index for index, name in enumerate(field.names) if len(word) >= 3 and name.startswith(word.lower())]
        if not named:
            raise _wrong(field, text, f"`{word}` is not understood")
        number = named[0] + field.low
    if not field.low <= number <= field.high:
        raise _wrong(field, text, f"{number} is out of range")
    return number


def _wrong(field: _Field, text: str, why: str) -> ValueError:
    names = f" or {field.names[0][:3].title()} to {field.names[-1][:3].title()}" if field.names else ""
    return ValueError(f"the {field.name} field `{text}` is wrong, {why}: use {field.low} to {field.high}{names}, with *, a-b, a,b or */n")
