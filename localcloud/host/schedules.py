"""Timer schedules: NCRONTAB, six fields (five mean second 0), or a time span for a constant interval."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, croniter

UTC_ZONE = ZoneInfo("UTC")
NEVER = datetime(9999, 12, 31)  # noqa: DTZ001 - in no zone
"""What comes next where nothing does, as of 31 February. (NCrontab's is the last moment that there is, of which zones know no other.)"""
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
#: name, lowest, highest value, names of the values from the lowest on
FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("second", 0, 59, []),
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day", 1, 31, []),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 6, DAYS),
)
ITEM = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")


class Schedule(Protocol):
    """When a timer fires."""

    @property
    def is_frequent(self) -> bool:
        """Whether it fires more than once a minute: then the host does not keep its status."""

    def next(self, after: datetime) -> datetime:
        """The first occurrence strictly after this moment."""


@dataclass(frozen=True)
class CronSchedule:
    """Points in time; day of the month and day of the week must both match (Vixie cron would take either)."""

    expression: str
    zone: ZoneInfo = UTC_ZONE

    @property
    def is_frequent(self) -> bool:
        """Whether two occurrences are less than a minute apart."""
        first = self._next_local(datetime(2026, 1, 1))  # noqa: DTZ001 - the zone says nothing here
        return first < NEVER and self._next_local(first) - first < timedelta(minutes=1)

    @property
    def is_interval(self) -> bool:
        """Whether it goes on through the hours of a day, and not at one of them: such a one keeps its rhythm when clocks are changed.

        (Which schedules the real host takes for one is documented by examples only; this is the rule that fits them.)
        """
        return any(sign in self.expression.split()[2] for sign in "*/,-")

    def next(self, after: datetime) -> datetime:
        """The first occurrence strictly after this moment, in the schedule's zone.

        At a point in time: an hour that there is twice has it once, as standard time; one that there is not has it an hour later.
        """
        local = after.astimezone(self.zone)
        if self.is_interval:
            return self._next_through_changes(local)
        found = self._next_local(local.replace(tzinfo=None))
        return found.replace(tzinfo=self.zone, fold=1 if _is_twice(found, self.zone) else 0).astimezone(UTC).astimezone(self.zone)

    def _next_through_changes(self, local: datetime) -> datetime:
        offset = local.utcoffset() or timedelta()
        found = (self._next_local(local.replace(tzinfo=None)) - offset).replace(tzinfo=UTC).astimezone(self.zone)
        if found.utcoffset() == offset:
            return found
        change = _change_between(local, found)
        wall = change.replace(tzinfo=None) - timedelta(seconds=1)
        return (self._next_local(wall) - (change.utcoffset() or timedelta())).replace(tzinfo=UTC).astimezone(self.zone)

    def _next_local(self, after: datetime) -> datetime:
        try:
            found: datetime = croniter(self.expression, after, day_or=False, second_at_beginning=True).get_next(datetime)
        except CroniterBadDateError:
            return NEVER
        return found


def _is_twice(wall: datetime, zone: ZoneInfo) -> bool:
    """Whether clocks show this time twice."""
    first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return (first.utcoffset() or timedelta()) > (second.utcoffset() or timedelta())


def _change_between(early: datetime, late: datetime) -> datetime:
    """The first second with the offset of `late`, which has another one than `early`."""
    low, high = (round(moment.timestamp()) for moment in (early, late))
    while high - low > 1:
        middle = (low + high) // 2
        same = datetime.fromtimestamp(middle, early.tzinfo).utcoffset() == early.utcoffset()
        low, high = (middle, high) if same else (low, middle)
    return datetime.fromtimestamp(high, early.tzinfo)


@dataclass(frozen=True)
class IntervalSchedule:
    """A constant interval from one run to the next."""

    interval: timedelta

    @property
    def is_frequent(self) -> bool:
        """Whether it is shorter than a minute."""
        return self.interval < timedelta(minutes=1)

    def next(self, after: datetime) -> datetime:
        """One interval later."""
        return after + self.interval


def time_zone(setting: Callable[[str], str | None]) -> ZoneInfo:
    """The zone that the app's schedules are in: UTC unless WEBSITE_TIME_ZONE or TZ says otherwise."""
    name = setting("WEBSITE_TIME_ZONE") or setting("TZ") or "UTC"
    try:
        return ZoneInfo(name.removeprefix(":"))
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"there is no time zone {name!r}: WEBSITE_TIME_ZONE takes a name like Europe/Berlin") from None


def parse_schedule(text: str, zone: ZoneInfo = UTC_ZONE) -> Schedule:
    """The schedule that a timer binding names; raises ValueError saying which part is wrong."""
    fields = text.split()
    if len(fields) == 1 and (found := re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})", text.strip())):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return IntervalSchedule(timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != 6:
        raise ValueError(f"the schedule {text!r} has {len(fields)} fields, NCRONTAB has six: second minute hour day month weekday")
    checked = [_field(value, *field) for value, field in zip(fields, FIELDS, strict=True)]
    return CronSchedule(" ".join(checked), zone)


def _field(text: str, name: str, low: int, high: int, names: list[str]) -> str:
    return ",".join(_item(item, name, low, high, names) for item in text.split(","))


def _item(text: str, name: str, low: int, high: int, names: list[str]) -> str:
    found = ITEM.fullmatch(text)
    if not found or (found["first"] == "*" and found["last"]) or found["step"] == "0":
        raise ValueError(f"NCRONTAB does not know {text!r} as {name}")
    if found["first"] == "*":
        return text
    first = _number(found["first"], name, low, high, names)
    last = _number(found["last"], name, low, high, names) if found["last"] else None
    if last is not None and last < first:
        first, last = last, first  # NCrontab turns a range that runs backwards around
    if last is None and found["step"]:
        last = high
    ends = "" if last is None else f"-{last}"
    return f"{first}{ends}" + (f"/{found['step']}" if found["step"] else "")


def _number(text: str, name: str, low: int, high: int, names: list[str]) -> int:
    if text.isdigit():
        number = int(text)
    else:
        matches = [index + low for index, known in enumerate(names) if text.lower().startswith(known)]
        number = matches[0] if matches else -1
    if not low <= number <= high:
        raise ValueError(f"{text!r} is not a {name}: {low} to {high}" + (f" or {names[0]} to {names[-1]}" if names else ""))
    return number
