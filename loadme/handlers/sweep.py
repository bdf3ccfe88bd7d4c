"""The sweep, a part of the patrol: what nobody remembers is removed from Azure, and what is too old from storage.

Ours is what bears the app's tags or, where the template has none, what is named as an attempt of a run that our own table knows: another
app may share the resource group. Nothing else is touched; a group without tags of an unknown run is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Literal, TypeVar

import msgspec

from loadme import log, store
from loadme.azure.storage.tables import Row
from loadme.core import contract, ids
from loadme.core.arm import Group
from loadme.core.ids import AttemptId, parse_attempt
from loadme.errors import Conflict, LoadmeError, RunAbsent
from loadme.handlers import archive, quota, retention
from loadme.services import Services

Thing = TypeVar("Thing")
YOUNG = timedelta(hours=1)
"""An attempt of a run that is younger is never taken for forgotten: its row may be on its way."""

MOST = 200
"""Container groups and records that one sweep removes; the rest is for the next one."""

MOST_RECORDS = 800
"""Deployment records that a resource group can hold."""


def sweep(services: Services, until: datetime) -> Counter[str]:
    """What was removed, counted; nothing if it is not time yet, or another host is about it. What is not done by `until` waits."""
    found = Counter[str]()
    if not _is_time(services):
        return found
    _each(found, "leaked_groups", lambda: _in_azure(services, found, until))
    _each(found, "retention", lambda: sum(retention.sweep(services)))
    return found


def _in_azure(services: Services, found: Counter[str], until: datetime) -> int:
    groups = _from_anywhere(services, list(services.arm.groups()))
    count = _leaked_groups(services, groups, until, found)
    _each(found, "old_records", lambda: _old_records(services, {group.name for group in groups}, until))
    quota.reconcile(services, groups)
    return count


def _each(found: Counter[str], name: str, act: Callable[[], int]) -> None:
    try:
        found[name] += act()
    except LoadmeError as trouble:
        log.warning("sweep-trouble", what=name, why=str(trouble))


def _is_time(services: Services) -> bool:
    row = services.tables.read(store.PATROL, store.SWEEP)
    now = services.now()
    if row is not None and now < msgspec.json.decode(row.body, type=dict[str, datetime])["due"]:
        return False
    due = now + timedelta(seconds=services.settings.policy.sweep_period)
    body = msgspec.json.encode({"due": due})
    try:
        services.tables.write([Row(partition=store.PATROL, row=store.SWEEP, body=body, etag=row.etag if row else "")])
    except Conflict:
        return False
    return True


def _from_anywhere(services: Services, found: list[Thing]) -> list[Thing]:
    """The list from a random place on: what one sweep has no time for is not what every sweep has no time for."""
    first = int.from_bytes(services.random_bytes(2), "big") % max(1, len(found))
    return [*found[first:], *found[:first]]


def _leaked_groups(services: Services, groups: list[Group], until: datetime, found: Counter[str]) -> int:
    count = 0
    for group in takewhile(lambda _: services.now() <= until, groups):
        what = _judged(services, group.name, ours(services, group), contract.APP in group.tags)
        found["unknown_groups"] += what == "unknown"
        if what == "forgotten" and count < MOST:
            log.error("leaked-group", name=group.name, location=group.location)
            count += _delete_group(services, group)
    return count


def _delete_group(services: Services, group: Group) -> int:
    try:
        archive.save_all(services, group)
    except LoadmeError as trouble:
        log.warning("log-not-saved", attempt=group.name, why=str(trouble))
    try:
        if quota.delete_delay(services, group.location, group.name) > 0:
            return 0
        services.arm.delete_group(group.name)
        quota.give_back(services, group.location, group.name)
    except LoadmeError as trouble:
        log.warning("leaked-group-left", name=group.name, why=str(trouble))
        return 0
    return 1


def _old_records(services: Services, groups: set[str], until: datetime) -> int:
    """Records of deployments whose container group is gone. They have no tags: only what our own table knows of is touched."""
    count, records = 0, _from_anywhere(services, list(islice(services.arm.deployments(), MOST_RECORDS)))
    for one in takewhile(lambda _: services.now() <= until, records):
        is_old = one.is_over and one.name not in groups and count < MOST
        if is_old and _judged(services, one.name, parse_attempt(one.name), False) == "forgotten":
            count += _delete_record(services, one.name)
    return count


def _delete_record(services: Services, name: str) -> int:
    log.warning("old-record", name=name)
    try:
        services.arm.delete_deployment(name)
    except LoadmeError as trouble:
        log.warning("old-record-left", name=name, why=str(trouble))
        return 0
    return 1


def ours(services: Services, group: Group) -> AttemptId | None:
    """The attempt whose container group this is; None if it is not one of this app's."""
    tags = group.tags
    if contract.APP in tags:
        return contract.tagged(tags) if tags[contract.APP] == services.settings.app else None
    return parse_attempt(group.name)


Judgement = Literal["forgotten", "unknown", "ours", "foreign"]


def _judged(services: Services, name: str, attempt: AttemptId | None, is_tagged: bool) -> Judgement:
    """Whether somebody will come to clean it up (ours); one that cannot be told from another app's is unknown, and left alone."""
    if attempt is None:
        return "foreign"
    try:
        return _known(services, attempt, is_tagged)
    except (LoadmeError, msgspec.MsgspecError) as trouble:
        # A row that cannot be read must not keep the others from being looked at.
        log.warning("sweep-unreadable", name=name, why=str(trouble))
        return "ours"


def _known(services: Services, attempt: AttemptId, is_tagged: bool) -> Judgement:
    is_young = services.now() < ids.created_at(attempt.run) + YOUNG
    try:
        store.read_run(services.tables, attempt.run)
    except RunAbsent:
        if is_young:
            return "ours"
        return "forgotten" if is_tagged else "unknown"
    stored = store.read_item(services.tables, attempt.run, attempt.step, attempt.item)
    if stored is None or attempt.attempt > stored.item.attempt.number:
        # There is no word of it: its row may be on its way, unless its run is old.
        return "ours" if is_young else "forgotten"
    known = stored.item.numbered(attempt.attempt)
    return "forgotten" if known is None or known[0].cleanup == "done" else "ours"
