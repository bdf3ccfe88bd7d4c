"""The sweep, a part of the patrol: what nobody remembers is removed from Azure, and what is too old from storage.

Ours is what bears the app's tags or, where the template has none, what is named as only an attempt is; nothing else is touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice, takewhile

import msgspec

from loadme import log, store
from loadme.azure.storage.tables import Row
from loadme.core import contract, ids
from loadme.core.arm import Group
from loadme.core.ids import AttemptId, parse_attempt
from loadme.errors import Conflict, LoadmeError, RunAbsent
from loadme.handlers import archive, quota, retention
from loadme.services import Services

YOUNG = timedelta(hours=1)
"""An attempt of a run that is younger is never taken for forgotten: its row may be on its way."""

MOST = 200
"""Container groups and records that one sweep removes; the rest is for the next one."""

MOST_RECORDS = 800
"""Deployment records that a resource group can hold."""


def sweep(services: Services, until: datetime) -> Counter[str]:
    """What was removed, counted; nothing if it is not time yet, or another host is about it. What is not done by `until` waits."""
    found = Counter[str]()
    if services.now() > until or not _is_time(services):
        return found
    groups = list(services.arm.groups())
    quota.reconcile(services, groups)
    _each(found, "leaked_groups", lambda: _leaked_groups(services, groups, until))
    _each(found, "old_records", lambda: _old_records(services, {group.name for group in groups}, until))
    _each(found, "retention", lambda: sum(retention.sweep(services)))
    return found


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


def _leaked_groups(services: Services, groups: list[Group], until: datetime) -> int:
    in_time = takewhile(lambda _: services.now() <= until, groups)
    leaked = (group for group in in_time if (attempt := ours(services, group)) is not None and _is_forgotten(services, attempt))
    count = 0
    for group in islice(leaked, MOST):
        log.error("leaked-group", name=group.name, location=group.location)
        count += _delete_group(services, group)
    return count


def _delete_group(services: Services, group: Group) -> int:
    try:
        archive.save(services, group.name)
    except LoadmeError as trouble:
        log.warning("log-not-saved", attempt=group.name, why=str(trouble))
    try:
        services.arm.delete_group(group.name)
        quota.give_back(services, group.location, group.name)
    except LoadmeError as trouble:
        log.warning("leaked-group-left", name=group.name, why=str(trouble))
        return 0
    return 1


def _old_records(services: Services, groups: set[str], until: datetime) -> int:
    """Records of deployments whose container group is gone."""
    in_time = takewhile(lambda _: services.now() <= until, islice(services.arm.deployments(), MOST_RECORDS))
    over = (one.name for one in in_time if one.is_over and one.name not in groups)
    old = (name for name in over if (attempt := parse_attempt(name)) is not None and _is_forgotten(services, attempt))
    count = 0
    for name in islice(old, MOST):
        log.warning("old-record", name=name)
        services.arm.delete_deployment(name)
        count += 1
    return count


def ours(services: Services, group: Group) -> AttemptId | None:
    """The attempt whose container group this is; None if it is not one of this app's."""
    tags = group.tags
    if contract.APP in tags:
        return contract.tagged(tags) if tags[contract.APP] == services.settings.app else None
    return parse_attempt(group.name)


def _is_forgotten(services: Services, attempt: AttemptId) -> bool:
    """Whether nobody will come to clean the attempt up: it was cleaned up, or there is no word of it although its run is not young."""
    is_young = services.now() < ids.created_at(attempt.run) + YOUNG
    try:
        store.read_run(services.tables, attempt.run)
    except RunAbsent:
        return not is_young
    stored = store.read_item(services.tables, attempt.run, attempt.step, attempt.item)
    if stored is None or attempt.attempt > stored.item.attempt.number:
        return not is_young
    known = stored.item.numbered(attempt.attempt)
    return known is None or known[0].cleanup == "done"
