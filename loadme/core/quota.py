"""The quota of a location as a schedule: who may create a container group now, and when the others come back. Pure.

An attempt books its create once, in the next free slot behind all that are booked: that slot is its delay and its estimate, and it comes
back with it. Whoever comes at its slot needs only what must be true at that moment: that the provider's windows have room beside what was
really done, and that one of the location's places (container groups, cores) is free. So a schedule that slips, or whose bookings were
abandoned, costs time, but never is more created than the provider allows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from zlib import crc32

from msgspec import Struct
from msgspec.structs import replace

from loadme.core import rate
from loadme.core.arm import Usage
from loadme.core.ledger import Kept, Known, Ledger, Limits, Live
from loadme.core.rate import Rate
from loadme.errors import Terminal

GROUPS, CORES = 100, 100.0
"""What a subscription has in a region, unless it is new (10 and less) or somebody had it raised."""

MOST_LIVE = 5000
"""Attempts that the row of a ledger has room for."""

SHORTEST, LONGEST = 15.0, 300.0
"""Seconds after which an attempt that waits for a place comes back."""

SPREAD = 10
"""Seconds over which those come back that wait for the same moment."""

WEIGHT = 1 / 8
"""Of one more attempt in the moving mean."""

PATIENCE = timedelta(minutes=10)
"""After so long one is kept for an attempt that waits for a place: small ones would overtake a large one for ever."""

OLD = timedelta(hours=1)
"""An attempt that is live for so long has a container group; and for so long it is believed what others use."""

CRUMB = 1e-6
"""Of a core: sums of decimal fractions are not exact."""


class Granted(Struct, frozen=True):
    """The attempt may be created now."""


class Wait(Struct, frozen=True, kw_only=True):
    """Not now: it comes back at `until` with its `slot`, if it has one, and will start at `estimate` or so. `why` is for the user."""

    until: datetime
    estimate: datetime
    why: str
    slot: datetime | None = None


def reserve(
    ledger: Ledger, attempt: str, cores: float, now: datetime, limits: Limits, reserved_at: datetime | None = None
) -> tuple[Ledger, Granted | Wait]:
    """Whether the attempt may be created now; `reserved_at` is the slot that it was given before. The same ledger if nothing changes.

    Granted again to one that is live, unless Azure has asked for a pause. Raises Terminal if the location has not so many cores altogether:
    waiting cannot help.
    """
    tidied = replace(ledger, creates=ledger.creates.tidied(rate.bucket(now)))
    ask = _Ask(ledger=tidied, attempt=attempt, cores=cores, now=now, limits=limits, slot=reserved_at or now)
    if attempt in ledger.live:
        return _repeated(ledger, ask)
    if cores > ask.all_cores + CRUMB:
        raise Terminal(
            f"the step asks for {cores:g} cores and its location has {ask.all_cores:g} altogether: ask for less `cpu`, "
            "have the region's quota StandardCores raised, or correct the setting LOADME_QUOTA_CORES",
            code="QuotaTooSmall",
        )
    return _newcomer(ledger, ask) if reserved_at is None else _back(ledger, ask)


def _repeated(ledger: Ledger, ask: _Ask) -> tuple[Ledger, Granted | Wait]:
    """One that has its place already, and whose create may have been refused, or never sent: a later create counts as one of its own."""
    known, now = ledger.live[ask.attempt], rate.bucket(ask.now)
    if pause := _pause(ask):
        return ledger, pause
    if now <= rate.bucket(known.since):
        return ledger, Granted()
    number = ask.ledger.creates.next_use(now, ask.limits.windows)
    if number != now:
        until = ask.after(rate.start(now + rate.FIVE_MINUTES if number is None else number))
        return ledger, ask.wait(until, "there were as many creates as Azure allows")
    live = {**ledger.live, ask.attempt: Live(known.cores, ask.now)}
    return replace(ask.ledger, creates=ask.ledger.creates.use(now), live=live), Granted()


def release(ledger: Ledger, attempt: str, now: datetime, slot: datetime | None = None) -> Ledger:
    """The attempt's place is free again; one that was never created gives back its `slot`. The same ledger if it has neither."""
    known = ledger.live.get(attempt)
    if known is not None:
        live = {name: one for name, one in ledger.live.items() if name != attempt}
        held = max(0.0, (now - known.since).total_seconds())
        return replace(ledger, live=live, mean_hold=ledger.mean_hold + (held - ledger.mean_hold) * WEIGHT)
    if ledger.kept and ledger.kept.attempt == attempt:
        ledger = replace(ledger, kept=None)
    if slot is None or rate.bucket(slot) not in ledger.creates.booked:
        return ledger
    return replace(ledger, creates=ledger.creates.unbook(rate.bucket(slot)))


def delete_slot(ledger: Ledger, attempt: str, now: datetime, limits: Limits) -> tuple[Ledger, float]:
    """Seconds until the attempt's group may be deleted; 0: now. It has one slot, however often it asks.

    One that the ledger does not know (any more) is counted each time, and takes no place.
    """
    known = ledger.live.get(attempt)
    if known is not None and known.delete_at is not None:
        return ledger, max(0.0, (known.delete_at - now).total_seconds())
    number = rate.bucket(now)
    deletes = ledger.deletes.tidied(number)
    slot = deletes.next_free(number, limits.windows)
    if slot is None:
        return ledger, LONGEST
    delete_at = deletes.moment(slot) if slot > number else now
    if known is None and slot > number:
        return ledger, (delete_at - now).total_seconds()
    live = ledger.live if known is None else {**ledger.live, attempt: Live(known.cores, known.since, delete_at)}
    return replace(ledger, deletes=deletes.book(slot), live=live), max(0.0, (delete_at - now).total_seconds())


def hold(ledger: Ledger, until: datetime) -> Ledger:
    """Nobody creates before: Azure said so. An earlier moment than one that it said before changes nothing."""
    return ledger if ledger.held_until and until <= ledger.held_until else replace(ledger, held_until=until)


def reconcile(ledger: Ledger, names: Collection[str], usages: Mapping[str, Usage] | None, now: datetime) -> Ledger:
    """With what is really there: `names` are the container groups of all locations, `usages` what this one says (None: it says nothing).

    Attempts that are old and have no group lose their place: they are over, and nobody came to say so. List the groups before the usages
    are read: what is created in between is counted twice then until the next time, and never not at all.
    """
    live = {name: one for name, one in ledger.live.items() if name in names or now < one.since + OLD}
    return replace(ledger, live=live, known=_known(live, names, usages, now) if usages else ledger.known)


def _known(live: Mapping[str, Live], names: Collection[str], usages: Mapping[str, Usage], now: datetime) -> Known:
    ours = [one for name, one in live.items() if name in names]
    groups, cores = usages.get("ContainerGroups", Usage(0, 0)), usages.get("StandardCores", Usage(0, 0))
    return Known(
        at=now,
        groups=groups.limit,
        cores=cores.limit,
        other_groups=max(0, groups.current - len(ours)),
        other_cores=max(0.0, cores.current - sum(one.cores for one in ours)),
    )


@dataclass(frozen=True, kw_only=True)
class _Ask:
    """An attempt in front of a ledger; `line` is how many are before it, `keep` for how many of them a place must stay free."""

    ledger: Ledger
    attempt: str
    cores: float
    now: datetime
    limits: Limits
    slot: datetime
    line: int = 0
    keep: int = 0

    @cached_property
    def groups(self) -> int:
        """The location's groups, altogether. A limit of 0 is what Azure shows while it suspects abuse: that passes."""
        known = self.ledger.known
        return min(self.limits.groups or (known.groups if known else 0) or GROUPS, MOST_LIVE)

    @cached_property
    def all_cores(self) -> float:
        """The location's cores, altogether."""
        known = self.ledger.known
        return self.limits.cores or (known.cores if known else 0.0) or CORES

    def places(self, groups: int, cores: float) -> int:
        """How many attempts like this one have room in so much."""
        return max(0, min(groups, int(cores / self.cores + CRUMB) if self.cores > 0 else groups))

    @cached_property
    def free(self) -> int:
        """How many attempts like this one have a place now."""
        ledger = self.ledger
        known = ledger.known if ledger.known and self.now < ledger.known.at + OLD else Known(at=self.now)
        kept = ledger.kept if ledger.kept and ledger.kept.attempt != self.attempt and self.now < ledger.kept.until else None
        groups = self.groups - known.other_groups - len(ledger.live) - (1 if kept else 0)
        cores = self.all_cores - known.other_cores - sum(one.cores for one in ledger.live.values()) - (kept.cores if kept else 0.0)
        return self.places(groups, cores)

    @cached_property
    def patience(self) -> float:
        """Seconds until it probably has a place."""
        return self.ledger.mean_hold * max(self.line + 1 - self.free, 0) / max(1, self.places(self.groups, self.all_cores))

    @property
    def is_first(self) -> bool:
        """Whether the next place is kept for it."""
        return self.ledger.kept is not None and self.ledger.kept.attempt == self.attempt

    def wait(self, until: datetime, why: str) -> Wait:
        """The answer that it has to wait."""
        return Wait(until=until, estimate=max(until, self.now + timedelta(seconds=self.patience)), why=why, slot=self.slot)

    def after(self, moment: datetime) -> datetime:
        """A little after this moment: not all at the same one."""
        return moment + timedelta(seconds=crc32(self.attempt.encode()) % SPREAD)


def _newcomer(ledger: Ledger, ask: _Ask) -> tuple[Ledger, Granted | Wait]:
    """Books the next free slot; or is created at once, if that is now and there is a place beside those for whoever came before."""
    creates, now, held = ask.ledger.creates, rate.bucket(ask.now), ask.ledger.held_until
    first = now if held is None or held <= ask.now else rate.bucket(held) + 1
    number = creates.next_free(first, ask.limits.windows)
    if number is None:
        until = ask.after(ask.now + PATIENCE)
        return ledger, Wait(until=until, estimate=rate.start(now + rate.HORIZON), why="the creates of a whole day are booked already")
    line = creates.line(number + 1)
    ask = dataclasses.replace(ask, slot=creates.moment(number) if number > now else ask.now, line=line, keep=line)
    wait = _obstacle(ask)
    return (_create(ask, creates), Granted()) if wait is None else (replace(ask.ledger, creates=creates.book(number)), wait)


def _back(ledger: Ledger, ask: _Ask) -> tuple[Ledger, Granted | Wait]:
    """Nothing is written for one that waits on, unless it has waited so long that the next place is kept for it."""
    creates, number = ask.ledger.creates, rate.bucket(ask.slot)
    ask = dataclasses.replace(ask, line=creates.line(number))
    wait = _obstacle(ask)
    if wait is None:
        return _create(ask, creates.unbook(number)), Granted()
    return (replace(ask.ledger, kept=_kept(ask)), wait) if _is_to_be_first(ask) else (ledger, wait)


def _is_to_be_first(ask: _Ask) -> bool:
    kept = ask.ledger.kept
    is_open = kept is None or ask.now >= kept.until or (ask.is_first and ask.now + PATIENCE / 2 > kept.until)
    return is_open and not ask.free and ask.now >= ask.slot + PATIENCE


def _kept(ask: _Ask) -> Kept:
    return Kept(attempt=ask.attempt, cores=ask.cores, until=ask.now + PATIENCE)


def _obstacle(ask: _Ask) -> Wait | None:
    """What keeps it from being created now."""
    now, limits = rate.bucket(ask.now), ask.limits
    if pause := _pause(ask):
        return pause
    if rate.bucket(ask.slot) > now:
        return ask.wait(ask.slot, f"{limits.per_5_minutes} creates are allowed in 5 minutes, {limits.per_hour} in an hour")
    number = ask.ledger.creates.next_use(now, limits.windows)
    if number != now:
        until = ask.after(rate.start(now + rate.FIVE_MINUTES if number is None else number))
        return ask.wait(until, "creates came later than planned, and there are as many as Azure allows")
    if ask.free <= ask.keep:
        return ask.wait(
            ask.now + timedelta(seconds=_absence(ask)),
            f"the {ask.groups} container groups or {ask.all_cores:g} cores of the location are in use",
        )
    return None


def _absence(ask: _Ask) -> float:
    """Seconds until it is worth to ask again: nobody is told when a place is free, so who stands in front comes back sooner.

    Those of one bucket stand in no order: each counts as the last of them, so that together they ask no more often than one in front. One
    whose booking is forgotten stands anywhere.
    """
    creates, number = ask.ledger.creates, rate.bucket(ask.slot)
    is_booked = number in creates.booked or number >= rate.bucket(ask.now)
    nearness = SHORTEST * max(1, creates.line(number + 1) + 1 - ask.free) if is_booked else LONGEST
    return SHORTEST if ask.is_first else min(max(ask.patience, SHORTEST), nearness, LONGEST)


def _pause(ask: _Ask) -> Wait | None:
    held = ask.ledger.held_until
    return ask.wait(ask.after(max(held, ask.slot)), "Azure asked for a pause") if held is not None and ask.now < held else None


def _create(ask: _Ask, creates: Rate) -> Ledger:
    live = {**ask.ledger.live, ask.attempt: Live(ask.cores, ask.now)}
    return replace(ask.ledger, creates=creates.use(rate.bucket(ask.now)), live=live, kept=None if ask.is_first else ask.ledger.kept)
