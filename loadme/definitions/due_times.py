"""When a schedule is due: the times of an NCRONTAB expression by the clocks of a time zone.

Clocks are put forward and back. A schedule of every hour is due whenever those clocks show its minute, in a repeated hour twice. Any other
schedule is due once: the first of the two times in a repeated hour, and for a time that was skipped the moment at which it was skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import dropwhile
from zoneinfo import ZoneInfo

from loadme.definitions import ncrontab
from loadme.definitions.ncrontab import Fields

DAYS = 9 * 366
"""How far is looked: the 29th of February may be eight years away."""

HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)


def zone(name: str) -> tzinfo:
    """The time zone of that IANA name. Raises ValueError if there is none."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"`{name}` is no time zone: use an IANA name like Europe/Berlin") from None


def until(expression: str, moment: datetime, where: tzinfo = UTC) -> Iterator[datetime]:
    """The times at or before `moment`, in UTC, the latest first; nine years back."""
    return dropwhile(lambda one: one > moment, _times(expression, moment, where, -1))


def after(expression: str, moment: datetime, where: tzinfo = UTC) -> Iterator[datetime]:
    """The times after `moment`, in UTC, the earliest first; nine years ahead."""
    return dropwhile(lambda one: one <= moment, _times(expression, moment, where, 1))


def _times(expression: str, moment: datetime, where: tzinfo, way: int) -> Iterator[datetime]:
    """The times around `moment` and on from there, back (`way` is -1) or ahead (1)."""
    fields = ncrontab.fields(expression)
    walk = _of_every_hour if len(fields.hours) == 24 else _of_days
    last = None
    for one in walk(fields, moment, where, way):
        if one != last:
            yield one
        last = one


def _of_every_hour(fields: Fields, moment: datetime, where: tzinfo, way: int) -> Iterator[datetime]:
    """Walks over the hours of UTC: what the clocks there show is looked up, so that nothing is skipped and nothing comes twice."""
    first = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    minutes, seconds = _walked(range(60), way), _walked(fields.seconds, way)
    for number in range(DAYS * 24):
        hour = first + way * number * HOUR
        if not any(fields.has_day(edge.astimezone(where).date()) for edge in (hour, hour + HOUR - SECOND)):
            continue
        for minute in minutes:
            local = (hour + timedelta(minutes=minute)).astimezone(where)
            if local.minute in fields.minutes and fields.has_day(local.date()):
                yield from (hour + timedelta(minutes=minute, seconds=second) for second in seconds)


def _of_days(fields: Fields, moment: datetime, where: tzinfo, way: int) -> Iterator[datetime]:
    """Walks over the days there, from the one before, for what was skipped is due later than the clocks say."""
    first = moment.astimezone(where).date() - way * DAY
    hours, minutes, seconds = (_walked(one, way) for one in (fields.hours, fields.minutes, fields.seconds))
    for number in range(DAYS):
        day = first + way * number * DAY
        if fields.has_day(day):
            yield from (_instant(datetime.combine(day, time(h, m, s)), where) for h in hours for m in minutes for s in seconds)


def _walked(numbers: Iterable[int], way: int) -> list[int]:
    return sorted(numbers, reverse=way < 0)


def _instant(local: datetime, where: tzinfo) -> datetime:
    """When the clocks show `local` for the first time; if they never do, when they were put forward over it."""
    found = local.replace(tzinfo=where, fold=0).astimezone(UTC)
    if found.astimezone(where).replace(tzinfo=None) == local:
        return found
    # Between these two the offset changes: with fold=1 the later offset counts, which gives the earlier moment of a skipped time.
    low, high = int(local.replace(tzinfo=where, fold=1).timestamp()), int(found.timestamp())
    before = datetime.fromtimestamp(low, where).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if datetime.fromtimestamp(middle, where).utcoffset() == before else (low, middle)
    return datetime.fromtimestamp(high, UTC)
