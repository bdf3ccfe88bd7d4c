"""The schedules of the workflows: exactly one run for each time that one is due, whoever looks; paused and reported on through the API.

A timer of its own looks at each schedule when it may be due, and the patrol looks at all of them each minute, for a timer may be late or
not fire at all. The row of a schedule says up to when its times are dealt with; the time is the idempotency key of the run.

partition `schedules`   one row for each schedule: `{workflow}~{place in the workflow's list}`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loadme import log
from loadme.azure.storage.tables import NEW, Row
from loadme.core.context import rfc3339
from loadme.definitions import due_times
from loadme.definitions.definition import Schedule
from loadme.errors import Conflict, LoadmeError, Rejected, Retryable
from loadme.handlers.start import Start, find
from loadme.handlers.start import start as start_run
from loadme.services import Services

PARTITION = "schedules"

EARLY = timedelta(seconds=1)
"""A timer may fire a moment before its time by the clock of this instance."""

PATIENCE = timedelta(seconds=20)
"""The patrol leaves a time to its own timer for so long: both of them fire at full minutes."""

NEW_ONE = timedelta(seconds=30)
"""A schedule that was never looked at is not started for a time longer ago than this: it may not have been there then."""

LATE = timedelta(minutes=5)
"""A start that is later than this missed its time. Timers may stand still for two minutes when an instance dies."""

AT_ONCE = 20
"""Times of one schedule that one look starts."""

MOST = 1000
"""Times that one look counts as missed; rows that one listing reads."""

REMEMBERED = 10
"""Missed times that are shown; all are counted."""

RECENT = timedelta(days=7)
"""How long the health page shows a missed time."""

TRIES = 20
REASON_LIMIT = 500


@dataclass(frozen=True)
class Place:
    """Which schedule: the workflow, and its place in the workflow's list, from 0."""

    workflow: str
    index: int

    @property
    def row(self) -> str:
        """The key of its row."""
        return f"{self.workflow}~{self.index:03}"


class Known(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a schedule: its times up to `seen` are dealt with. `missed` counts, `times` are the last of those."""

    cron: str
    timezone: str
    seen: datetime
    paused_at: datetime | None = None
    reason: str = ""
    last: datetime | None = None
    run: str = ""
    missed: int = 0
    times: tuple[datetime, ...] = ()
    problem: str = ""


class _Due(NamedTuple):
    """Times, the earliest first: those to start a run for, and those it is too late for."""

    wanted: tuple[datetime, ...]
    missed: tuple[datetime, ...]


def look(services: Services, place: Place, row: Row | None, patience: timedelta = -EARLY) -> int:
    """Starts what has been due of the schedule whose row this is for as long as `patience`, and records it; how many runs were started.

    Cut anywhere, or done twice at once, it comes to the same: the time is the key of the run. Raises what storage raises; then nothing is
    recorded, and the next look tries again.
    """
    schedule, now = services.catalogue.workflows[place.workflow].schedules[place.index], services.now()
    known = _known(row, schedule, now)
    if known.paused_at is not None:
        return 0
    due = _due(schedule, known.seen, now, now - patience)
    if row is not None and not any(due):
        return 0
    after = known
    for moment in due.wanted:
        after = _started(services, place, schedule, after, moment)
    if due.missed:
        first, last = rfc3339(due.missed[0]), rfc3339(due.missed[-1])
        log.warning("schedule-missed", workflow=place.workflow, schedule=place.index, count=len(due.missed), first=first, last=last)
    seen = max((*due.wanted, *due.missed), default=known.seen)
    times = (*known.times, *due.missed)[-REMEMBERED:]
    with suppress(Conflict):  # somebody else has looked, or paused it: the next look sees what is left
        _write(services, place, row, replace(after, seen=seen, missed=known.missed + len(due.missed), times=times))
    return len(due.wanted)


def look_at(services: Services, place: Place) -> int:
    """As `look`, of the row that is there now."""
    return look(services, place, services.tables.read(PARTITION, place.row))


def look_at_all(services: Services, until: datetime) -> int:
    """Looks at every schedule, as long as there is time; how many runs were started. One that is in trouble does not hold up the others."""
    rows, started = _rows(services), 0
    for place in _places(services):
        if services.now() > until:
            break
        try:
            started += look(services, place, rows.get(place.row), PATIENCE)
        except LoadmeError as trouble:
            log.warning("schedule-trouble", workflow=place.workflow, schedule=place.index, why=str(trouble))
    return started


def pause(services: Services, workflow: str, index: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The schedule, which starts nothing until it is resumed. Raises Rejected: 404, 400 for a body that is not `{"reason": "..."}`."""
    reason = given.get("reason", "")
    if set(given) - {"reason"} or not isinstance(reason, str) or len(reason) > REASON_LIMIT:
        detail = f'the body may be empty or {{"reason": "..."}}, with at most {REASON_LIMIT} characters'
        raise Rejected(400, "Bad request", detail)
    place, now = _place(services, workflow, index), services.now()
    return _changed(services, place, lambda known: known if known.paused_at else replace(known, paused_at=now, reason=reason))


def resume(services: Services, workflow: str, index: str) -> dict[str, Any]:
    """The schedule, which starts runs again from now on; what would have been due meanwhile is neither started nor missed."""
    place, now = _place(services, workflow, index), services.now()
    return _changed(services, place, lambda known: replace(known, paused_at=None, reason="", seen=now) if known.paused_at else known)


def list_schedules(services: Services) -> dict[str, Any]:
    """All schedules: when they are due next, what they last started, what they missed, and whether they are paused."""
    rows = _rows(services)
    return {"schedules": [_shown(services, place, rows.get(place.row)) for place in _places(services)]}


def health(services: Services) -> dict[str, Any]:
    """The schedules that are paused, missed a time of late, or could not start their last run."""
    rows, since = _rows(services), services.now() - RECENT
    shown = [_shown(services, place, row) for place in _places(services) if (row := rows.get(place.row)) is not None]
    names = ("workflow", "index")
    return {
        "paused": [{name: one[name] for name in names} for one in shown if one["paused"]],
        "missed": [
            {**{name: one[name] for name in names}, "times": times}
            for one in shown
            if (times := [moment for moment in one["missed"]["times"] if moment >= rfc3339(since)])
        ],
        "problems": [{name: one[name] for name in (*names, "problem")} for one in shown if one["problem"]],
    }


def _due(schedule: Schedule, seen: datetime, now: datetime, last: datetime) -> _Due:
    back = due_times.until(schedule.cron, last, due_times.zone(schedule.timezone))
    times = tuple(islice(takewhile(lambda one: one > seen, back), MOST))[::-1]
    wanted = tuple(one for one in times if now - one <= LATE)[-AT_ONCE:]
    if not wanted and schedule.catch_up == "last":
        wanted = times[-1:]
    return _Due(wanted, tuple(one for one in times if one not in wanted))


def _started(services: Services, place: Place, schedule: Schedule, known: Known, moment: datetime) -> Known:
    """What is known of the schedule after a run was started for this time, or could not be."""
    key = f"schedule {place.index} {rfc3339(moment)}"
    try:
        run = start_run(services, Start(workflow=place.workflow, given=schedule.variables, key=key, scheduled_at=moment))
    except Rejected as wrong:
        log.error("schedule-refused", workflow=place.workflow, schedule=place.index, due=rfc3339(moment), why=wrong.detail)
        return replace(known, problem=f"{rfc3339(moment)}: {wrong.detail}")
    log.info("scheduled", run=run.id, workflow=place.workflow, due=rfc3339(moment))
    return replace(known, last=moment, run=run.id, problem="")


def _known(row: Row | None, schedule: Schedule, now: datetime) -> Known:
    """What the row says. Of a schedule that is new, or whose times were changed, no time before now counts, but for this moment's."""
    known = msgspec.json.decode(row.body, type=Known) if row else None
    if known is not None and (known.cron, known.timezone) == (schedule.cron, schedule.timezone):
        return known
    last = next(due_times.until(schedule.cron, now + EARLY, due_times.zone(schedule.timezone)), None)
    seen = now if last is None else last if now - last > NEW_ONE else last - EARLY
    fresh = Known(cron=schedule.cron, timezone=schedule.timezone, seen=seen)
    return fresh if known is None else replace(fresh, paused_at=known.paused_at, reason=known.reason, last=known.last, run=known.run)


def _changed(services: Services, place: Place, change: Callable[[Known], Known]) -> dict[str, Any]:
    schedule = services.catalogue.workflows[place.workflow].schedules[place.index]
    for _ in range(TRIES):
        row = services.tables.read(PARTITION, place.row)
        before = _known(row, schedule, services.now())
        after = change(before)
        if row is not None and after == before:
            return _shown(services, place, row)
        with suppress(Conflict):
            _write(services, place, row, after)
            log.info("schedule-paused" if after.paused_at else "schedule-resumed", workflow=place.workflow, schedule=place.index)
            return _shown(services, place, services.tables.read(PARTITION, place.row))
    raise Retryable(f"the schedule {place.row} was changed by others {TRIES} times in a row", after=2.0)


def _write(services: Services, place: Place, row: Row | None, known: Known) -> None:
    body = msgspec.json.encode(known)
    services.tables.write([Row(partition=PARTITION, row=place.row, body=body, etag=row.etag if row else NEW)])


def _rows(services: Services) -> dict[str, Row]:
    return {row.row: row for row in services.tables.list(PARTITION, limit=MOST)}


def _places(services: Services) -> Iterator[Place]:
    for name in sorted(services.catalogue.workflows):
        yield from (Place(name, index) for index in range(len(services.catalogue.workflows[name].schedules)))


def _place(services: Services, workflow: str, index: str) -> Place:
    count = len(find(services, workflow).schedules)
    if index not in map(str, range(count)):
        known = f"it has {count}, counted from 0" if count else "it has none"
        raise Rejected(404, "Unknown schedule", f"the workflow {workflow} has no schedule {index[:20]!r}: {known}")
    return Place(workflow, int(index))


def _shown(services: Services, place: Place, row: Row | None) -> dict[str, Any]:
    schedule, now = services.catalogue.workflows[place.workflow].schedules[place.index], services.now()
    known = _known(row, schedule, now)
    coming = due_times.after(schedule.cron, now, due_times.zone(schedule.timezone)) if known.paused_at is None else iter(())
    return {
        "workflow": place.workflow,
        "index": place.index,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "variables": schedule.variables,
        "catch_up": schedule.catch_up,
        "paused": {"at": rfc3339(known.paused_at), "reason": known.reason} if known.paused_at else None,
        "next": next((rfc3339(one) for one in coming), None),
        "last": {"scheduled_at": rfc3339(known.last), "run": known.run} if known.last else None,
        "missed": {"count": known.missed, "times": [rfc3339(one) for one in known.times]},
        "problem": known.problem or None,
    }
