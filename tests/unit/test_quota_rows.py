"""The ledgers in the state table: one row for each location, changed by compare-and-set."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from loadme.azure.storage.tables import Row
from loadme.core.arm import Group, Usage
from loadme.core.ledger import Ledger, Limits
from loadme.core.quota import Granted, Wait
from loadme.errors import Conflict, Retryable, Terminal, Unavailable
from loadme.handlers import quota
from loadme.settings import BadSettings, read
from tests.unit.test_small_parts import ENVIRONMENT
from tests.world import World

WORKFLOW = "name: sample\nsteps: {only: {image: img}}"
WEST = "westeurope"


def a_world(**limits: float) -> World:
    return World(WORKFLOW, limits=Limits(**limits))


def ledger(world: World, location: str = WEST) -> Ledger:
    return msgspec.json.decode(world.tables.rows["quota", location].body, type=Ledger)


def take(world: World, attempt: str, **given) -> Granted | Wait:
    return quota.take(world.services, given.pop("location", WEST), attempt, given.pop("cores", 1.0), **given)


def counted(world: World) -> Counter[str]:
    """How often the table is read and written from now on."""
    counts: Counter[str] = Counter()
    for method in ("read", "write"):
        real = getattr(world.tables, method)

        def call(*args, real=real, method=method, **named):
            counts[method] += 1
            return real(*args, **named)

        setattr(world.tables, method, call)
    return counts


def test_a_step_costs_six_transactions():
    world = a_world()
    take(world, "first")
    counts = counted(world)

    assert take(world, "a") == Granted()
    assert quota.delete_delay(world.services, WEST, "a") == 0
    quota.give_back(world.services, WEST, "a")

    assert counts == {"read": 3, "write": 3}
    assert set(ledger(world).live) == {"first"}


def test_what_changes_nothing_is_not_written():
    world = a_world(groups=1)
    take(world, "a")
    wait = take(world, "b")
    quota.delete_delay(world.services, WEST, "a")
    counts = counted(world)

    take(world, "a")
    take(world, "b", reserved_at=wait.slot)
    quota.delete_delay(world.services, WEST, "a")
    quota.give_back(world.services, WEST, "unknown")

    assert counts == {"read": 4}


def test_each_location_has_its_own_ledger_whatever_its_spelling_and_the_apps_own_is_the_default():
    world = a_world(groups=1)

    assert take(world, "a", location="West Europe") == Granted()
    assert take(world, "b", location="northeurope") == Granted()
    assert isinstance(take(world, "c", location=""), Wait)
    assert sorted(row for partition, row in world.tables.rows if partition == "quota") == ["northeurope", WEST]


def test_one_that_waits_is_told_when_and_why_and_starts_when_it_comes_back():
    world = a_world(groups=1)
    take(world, "a")

    wait = take(world, "b")
    world.moment = wait.until
    quota.give_back(world.services, WEST, "a")

    assert wait.estimate >= wait.until > wait.slot
    assert wait.why == "the 1 container groups or 100 cores of the location are in use"
    assert take(world, "b", reserved_at=wait.slot) == Granted()


def test_an_attempt_that_is_not_to_be_created_any_more_gives_its_slot_back():
    world = a_world(per_5_minutes=1)
    take(world, "a")
    wait = take(world, "b")

    quota.give_back(world.services, WEST, "b", wait.slot)

    assert ledger(world).creates.booked == {}


def test_the_first_attempt_in_a_location_asks_what_it_allows():
    world = a_world()
    world.arm.usage[WEST] = {"ContainerGroups": Usage(9, 10), "StandardCores": Usage(3, 10)}

    assert take(world, "a") == Granted()
    assert isinstance(take(world, "b"), Wait)
    with pytest.raises(Terminal, match="12 cores"):
        take(world, "c", cores=12)


@pytest.mark.parametrize("trouble", [Unavailable("busy"), Terminal("forbidden", "AuthorizationFailed")])
def test_usages_that_cannot_be_read_stop_nobody_and_what_is_known_is_kept(trouble):
    world = a_world()
    world.arm.errors["usages"] = [trouble]
    assert take(world, "a", cores=50) == Granted()
    world.arm.usage[WEST] = {"ContainerGroups": Usage(4, 10)}
    quota.reconcile(world.services, [Group("a", "Succeeded")])

    world.arm.errors["usages"] = [trouble]
    quota.reconcile(world.services, [Group("a", "Succeeded")])

    assert (ledger(world).known.groups, ledger(world).known.other_groups) == (10, 3)


def test_the_patrol_frees_the_places_of_attempts_that_are_gone_in_every_location():
    world = a_world()
    for location in (WEST, "northeurope"):
        take(world, f"here-{location}", location=location)
        take(world, f"gone-{location}", location=location)
    world.pass_time(3600)

    quota.reconcile(world.services, [Group(f"here-{location}", "Succeeded") for location in (WEST, "northeurope")])

    assert set(ledger(world).live) == {f"here-{WEST}"}
    assert set(ledger(world, "northeurope").live) == {"here-northeurope"}


def test_one_location_that_is_busy_does_not_keep_the_patrol_from_the_others():
    world = a_world()
    take(world, "a", location="a")
    take(world, "b", location="b")
    world.pass_time(3600)
    real = world.tables.write

    def write(rows):
        if rows[0].row == "a":
            raise Unavailable("busy")
        return real(rows)

    world.tables.write = write
    quota.reconcile(world.services, [])

    assert set(ledger(world, "a").live) == {"a"}
    assert set(ledger(world, "b").live) == set()


def test_a_pause_that_azure_asks_for_holds_all_of_the_location_but_no_longer_than_an_hour():
    world = a_world()
    quota.hold(world.services, WEST, 1e9)

    wait = take(world, "a")

    assert timedelta(hours=1) <= wait.until - world.moment < timedelta(hours=1, minutes=2)
    assert take(world, "b", location="northeurope") == Granted()


def test_a_pause_that_cannot_be_written_is_no_trouble():
    world = a_world()
    world.calls("tables", "write", Unavailable("busy"))

    quota.hold(world.services, WEST, 60)
    world.recover("tables", "write")

    assert take(world, "a") == Granted()


def test_another_host_that_is_faster_does_not_lose_its_place_nor_get_one_twice():
    world = a_world(groups=2)
    take(world, "first")
    world.before("write", 1, lambda: take(world, "other"))

    mine = take(world, "mine")

    assert isinstance(mine, Wait)
    assert set(ledger(world).live) == {"first", "other"}


def test_a_write_whose_answer_was_lost_is_found_to_have_been_made():
    world = a_world()
    take(world, "first")
    real = world.tables.write

    def write(rows):
        real(rows)
        world.tables.write = real
        raise Conflict("it was this very write")

    world.tables.write = write

    assert take(world, "a") == Granted()
    assert set(ledger(world).live) == {"first", "a"}
    assert sum(ledger(world).creates.used.values()) == 2


def test_others_that_are_always_faster_let_it_come_again_in_a_moment():
    world = a_world()
    tries = world.calls("tables", "write", Conflict("changed"))

    with pytest.raises(Retryable, match="westeurope was changed by others 20 times") as trouble:
        take(world, "a")

    assert len(tries) == quota.TRIES
    assert 1 <= trouble.value.after <= 5


def test_sixteen_hosts_that_read_before_any_of_them_writes_all_get_their_answer_within_the_tries():
    """The worst order: each writer sees all that are behind it write first."""
    world, answers = a_world(groups=10), {}

    def ask(number: int) -> None:
        real, tried = world.tables.write, Counter[str]()

        def write(rows: list[Row]) -> tuple[str, ...]:
            tried["writes"] += 1
            if tried["writes"] == 1 and number < 16:
                world.tables.write = real
                ask(number + 1)
            return real(rows)

        world.tables.write = write
        answers[number] = take(world, f"a{number}")
        assert tried["writes"] <= quota.TRIES

    take(world, "first")
    ask(1)

    assert sum(isinstance(one, Granted) for one in answers.values()) == 9
    assert len(ledger(world).live) == 10


def test_a_damaged_row_is_replaced_and_not_the_end_of_all_steps():
    world = a_world()
    world.tables.write([Row(partition="quota", row=WEST, body=b"{")])

    assert take(world, "a") == Granted()
    assert set(ledger(world).live) == {"a"}


def test_an_error_of_the_step_leaves_the_turn_to_the_next():
    world = a_world(cores=1)
    with pytest.raises(Terminal):
        take(world, "a", cores=2)

    assert not quota._lock._is_owned()
    assert take(world, "b") == Granted()


def test_the_limits_are_settings():
    given = {"LOADME_QUOTA_GROUPS": "10", "LOADME_QUOTA_CORES": "7.5", "LOADME_QUOTA_CREATES_5M": "900", "LOADME_QUOTA_CREATES_1H": "1800"}

    found = read({**ENVIRONMENT, **given}, Path("app"))

    assert found.limits == Limits(groups=10, cores=7.5, per_5_minutes=900, per_hour=1800)
    assert read(ENVIRONMENT, Path("app")).limits == Limits()


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "inf", "nan"])
def test_a_limit_that_is_none_is_named(value):
    with pytest.raises(BadSettings, match=f"LOADME_QUOTA_GROUPS is '{value}', not a whole number above 0"):
        read({**ENVIRONMENT, "LOADME_QUOTA_GROUPS": value}, Path("app"))
    if value != "1.5":
        with pytest.raises(BadSettings, match=f"LOADME_QUOTA_CORES is '{value}', not a number above 0"):
            read({**ENVIRONMENT, "LOADME_QUOTA_CORES": value}, Path("app"))
