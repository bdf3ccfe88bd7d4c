"""The ledger of each location in the state table (partition `quota`, one row for each location), changed by compare-and-set."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from loadme import log
from loadme.azure.storage.tables import Row
from loadme.core import quota
from loadme.core.arm import Group, Usage
from loadme.core.ledger import Ledger
from loadme.core.quota import Granted, Wait
from loadme.errors import Conflict, LoadmeError, Retryable
from loadme.services import Services

PARTITION = "quota"
TRIES = 20
"""Hosts that write one row meet at it; each round lets at least one of them through."""

LOCATIONS = 100
"""More than Azure has."""

LONGEST_HOLD = 3600.0
"""Seconds. Whatever Azure says: after an hour it is asked again."""

Answer = TypeVar("Answer")

LONGEST_TURN = 2.0
"""Seconds. While storage is slow, waiting for one another would add up to more than the functions' time."""

_lock = threading.RLock()


def take(services: Services, location: str, attempt: str, cores: float, reserved_at: datetime | None = None) -> Granted | Wait:
    """Whether the attempt may be created now; `reserved_at` is the `slot` that a Wait gave it before. Asking again is harmless.

    Raises Terminal if it can never be created there, Retryable if other hosts are always faster.
    """
    now, limits = services.now(), services.settings.limits
    return _change(services, location, lambda ledger: quota.reserve(ledger, attempt, cores, now, limits, reserved_at))


def give_back(services: Services, location: str, attempt: str, slot: datetime | None = None) -> None:
    """The attempt's container group is gone for good; or it is not to be created any more, and gives back the `slot` that it was given."""
    now = services.now()
    _change(services, location, lambda ledger: (quota.release(ledger, attempt, now, slot), None))


def delete_delay(services: Services, location: str, attempt: str) -> float:
    """Seconds until the attempt's container group may be deleted; 0: now. Asking again is harmless."""
    now, limits = services.now(), services.settings.limits
    return _change(services, location, lambda ledger: quota.delete_slot(ledger, attempt, now, limits))


def hold(services: Services, location: str, seconds: float) -> None:
    """Azure has refused a create for a while: nobody creates in the location before so many seconds have passed.

    Raises nothing for storage that is out of reach: without the pause others are refused too, and wait then.
    """
    until = services.now() + timedelta(seconds=min(seconds, LONGEST_HOLD))
    try:
        _change(services, location, lambda ledger: (quota.hold(ledger, until), None))
        log.warning("quota-hold", location=location, until=until)
    except Retryable as trouble:
        log.warning("quota-not-held", location=location, why=str(trouble))


def reconcile(services: Services, groups: Iterable[Group]) -> None:
    """Compares every ledger with the container groups that are really there, and learns what others use. For the patrol."""
    names = {group.name for group in groups}
    for row in services.tables.list(PARTITION, limit=LOCATIONS):
        try:
            _reconcile(services, row.row, names)
        except Retryable as trouble:
            log.warning("quota-not-reconciled", location=row.row, why=str(trouble))


def _reconcile(services: Services, location: str, names: Collection[str]) -> None:
    usages, now = _usages(services, location), services.now()
    _change(services, location, lambda ledger: (quota.reconcile(ledger, names, usages, now), None))


def _change(services: Services, location: str, step: Callable[[Ledger], tuple[Ledger, Answer]]) -> Answer:
    """Applies the step to the ledger as it is stored, and writes what it gives unless that is the very same ledger."""
    key = _key(location or services.settings.location)
    with _turn():
        for _ in range(TRIES):
            row, before = _read(services, key)
            after, answer = step(before)
            if after is before:
                return answer
            try:
                services.tables.write([dataclasses.replace(row, body=msgspec.json.encode(after))])
            except Conflict:
                continue
            return answer
    raise Retryable(f"the quota of {key} was changed by others {TRIES} times in a row", after=1.0 + services.random_bytes(1)[0] / 64)


@contextmanager
def _turn() -> Iterator[None]:
    """The functions of one process take turns, or each would find out by a conflict what another has just written. Nothing rests on it."""
    is_mine = _lock.acquire(timeout=LONGEST_TURN)
    try:
        yield
    finally:
        if is_mine:
            _lock.release()


def _key(location: str) -> str:
    """`West Europe` and `westeurope` are one location."""
    return re.sub("[^a-z0-9]", "", location.lower())


def _read(services: Services, key: str) -> tuple[Row, Ledger]:
    row = services.tables.read(PARTITION, key)
    if row is None:
        # The first attempt ever in this location. Without a look at the usages it would be believed to have the default limits.
        opened = quota.reconcile(Ledger(), (), _usages(services, key), services.now())
        return Row(partition=PARTITION, row=key), opened
    try:
        return row, msgspec.json.decode(row.body, type=Ledger)
    except msgspec.DecodeError as damaged:
        # A new one is better than no step at all: the patrol fills it with what is really there.
        log.warning("quota-ledger-damaged", location=key, why=str(damaged))
        return row, Ledger()


def _usages(services: Services, location: str) -> Mapping[str, Usage] | None:
    try:
        return services.arm.usages(location)
    except LoadmeError as trouble:
        log.warning("quota-usages-unknown", location=location, why=str(trouble))
        return None
