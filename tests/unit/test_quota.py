"""Quota as a schedule: the pure ledger, and a location judged by a count of its own."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadme.azure.storage.tables import MAX_BODY
from loadme.core import quota, rate
from loadme.core.arm import Usage
from loadme.core.ledger import Ledger, Limits, Live
from loadme.core.quota import Granted, Wait
from loadme.core.rate import Rate, Window
from loadme.errors import Terminal

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
LIMITS = Limits()
FREE = Usage(0, 100)


def seeded(seed: int) -> Random:
    """Chances that repeat."""
    return Random(seed)  # noqa: S311


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def reserve(ledger: Ledger, attempt: str, *, at: datetime = NOW, cores: float = 1.0, slot: datetime | None = None, limits: Limits = LIMITS):
    return quota.reserve(ledger, attempt, cores, at, limits, slot)


def crowd(number: int, *, at: datetime = NOW, limits: Limits = LIMITS, cores: float = 1.0) -> tuple[Ledger, list[Granted | Wait]]:
    """A ledger at which so many attempts, `a0`, `a1`, …, have asked at one moment, and what each was told."""
    ledger, answers = Ledger(), []
    for one in range(number):
        ledger, answer = reserve(ledger, f"a{one}", at=at, cores=cores, limits=limits)
        answers.append(answer)
    return ledger, answers


def waits(answers: list[Granted | Wait]) -> list[Wait]:
    return [one for one in answers if isinstance(one, Wait)]


@dataclass
class Region:
    """A location with its attempts; it counts for itself, and not in buckets, what the provider would see."""

    limits: Limits
    random: Random
    hold: float = 60.0
    late: float = 0.0
    ledger: Ledger = field(default_factory=Ledger)
    created: dict[str, datetime] = field(default_factory=dict)
    asked: int = 0
    most_live: int = 0
    cores: dict[str, float] = field(default_factory=dict)

    def run(self, attempts: dict[str, tuple[datetime, float]]) -> None:
        """Each attempt asks when it arrives, and again when it was told to or up to `late` seconds later; it lives about `hold` seconds."""
        numbers, events = count(), []
        for name, (at, _) in attempts.items():
            heapq.heappush(events, (at, next(numbers), name, None))
        while events:
            now, _, name, answer = heapq.heappop(events)
            if isinstance(answer, Granted):
                self.ledger = quota.release(self.ledger, name, now)
                continue
            self.asked += 1
            assert self.asked < 1000 * len(attempts), "nobody gets on"
            slot = answer.slot if answer else None
            self.ledger, told = reserve(self.ledger, name, at=now, cores=attempts[name][1], slot=slot, limits=self.limits)
            if isinstance(told, Granted):
                self.created[name] = now
                heapq.heappush(events, (now + seconds(self.hold * self.random.uniform(0.5, 1.5)), next(numbers), name, told))
                self.see()
            else:
                assert told.until > now
                assert told.estimate >= told.until
                heapq.heappush(events, (told.until + seconds(self.random.uniform(0, self.late)), next(numbers), name, told))

    def see(self) -> None:
        live = self.ledger.live.values()
        self.most_live = max(self.most_live, len(live))
        assert len(live) <= (self.limits.groups or quota.GROUPS)
        assert sum(one.cores for one in live) <= (self.limits.cores or quota.CORES) + 1e-6

    def most_within(self, width: float) -> int:
        """The most creates in any `width` seconds."""
        moments = sorted(self.created.values())
        return max(sum(begin <= one < begin + seconds(width) for one in moments) for begin in moments)


class TestRates:
    def test_what_the_provider_allows_is_created_at_once_and_the_rest_later_in_order(self):
        _, answers = crowd(350, limits=Limits(groups=1000, cores=1000))

        assert all(isinstance(one, Granted) for one in answers[:100])
        slots = [one.slot for one in waits(answers)]
        assert len(slots) == 250
        assert slots == sorted(slots)
        assert slots[0] > NOW + seconds(300)
        assert slots[199] < NOW + seconds(3600) < slots[200]
        assert len(set(slots)) == 250  # they do not come all at once

    def test_one_that_comes_at_its_slot_need_not_queue_again(self):
        ledger, answers = crowd(101, limits=Limits(groups=1000, cores=1000))
        (wait,) = waits(answers)

        after, answer = reserve(ledger, "a100", at=wait.until, slot=wait.slot, limits=Limits(groups=1000, cores=1000))

        assert answer == Granted()
        assert after.creates.booked == {}

    def test_one_that_comes_before_its_slot_is_sent_back_and_nothing_is_written(self):
        ledger, answers = crowd(101)
        (wait,) = waits(answers)

        after, answer = reserve(ledger, "a100", at=NOW + seconds(5), slot=wait.slot)

        assert after is ledger
        assert answer.slot == answer.until == wait.slot

    def test_a_newcomer_goes_behind_all_that_are_booked(self):
        ledger, answers = crowd(150)

        _, newcomer = reserve(ledger, "new", at=NOW + seconds(200))

        assert newcomer.slot > max(one.slot for one in waits(answers))

    def test_a_slot_that_is_given_back_is_free_for_others(self):
        ledger, answers = crowd(301, limits=Limits(groups=1000, cores=1000))
        slot, last = waits(answers)[0].slot, answers[300].slot

        ledger = quota.release(ledger, "a100", NOW, slot)
        _, newcomer = reserve(ledger, "new", limits=Limits(groups=1000, cores=1000))

        assert rate.bucket(newcomer.slot) == rate.bucket(slot) < rate.bucket(last)

    def test_no_more_than_a_day_is_booked(self):
        limits = Limits(per_5_minutes=1, per_hour=1)
        ledger, answers = crowd(40, limits=limits)

        booked = [one for one in waits(answers) if one.slot]
        assert len(booked) == ledger.creates.line(rate.bucket(NOW) + rate.HORIZON) == 23
        assert answers[-1].slot is None
        assert answers[-1].estimate == NOW + timedelta(days=1)
        assert NOW < answers[-1].until < NOW + timedelta(minutes=15)

    def test_after_an_outage_the_late_ones_still_do_not_exceed_what_the_provider_allows(self):
        limits = Limits(groups=1000, cores=1000)
        ledger, answers = crowd(300, limits=limits)
        late = NOW + seconds(1200)

        told = []
        for number, wait in enumerate(waits(answers)):
            ledger, answer = reserve(ledger, f"a{100 + number}", at=late, slot=wait.slot, limits=limits)
            told.append(answer)

        assert [isinstance(one, Granted) for one in told] == [True] * 100 + [False] * 100
        assert all(one.slot == wait.slot for one, wait in zip(told[100:], waits(answers)[100:], strict=True))
        assert all(late + seconds(300) < one.until < late + seconds(400) for one in told[100:])

    @settings(deadline=None)
    @given(
        counts=st.dictionaries(st.integers(0, 300), st.integers(1, 9), max_size=40),
        first=st.integers(0, 300),
        limits=st.lists(st.builds(Window, st.integers(1, rate.HOUR), st.integers(1, 30)), min_size=1, max_size=3),
    )
    def test_the_next_free_bucket_is_the_first_that_is_in_no_full_window(self, counts, first, limits):
        def is_free(number: int) -> bool:
            begins = [(begin, one) for one in limits for begin in range(number - one.width + 1, number + 1)]
            return all(sum(counts.get(each, 0) for each in range(begin, begin + one.width)) < one.most for begin, one in begins)

        found = Rate(used=counts).next_free(first, tuple(limits))

        assert found == next(number for number in range(first, first + 3 * rate.HOUR + 301) if is_free(number))


class TestPlaces:
    def test_a_granted_attempt_is_granted_again_and_counts_once(self):
        ledger, _ = crowd(1)

        assert reserve(ledger, "a0") == (ledger, Granted())
        assert reserve(ledger, "a0")[0] is ledger

    def test_a_create_that_comes_long_after_its_grant_counts_as_one_of_its_own(self):
        limits = Limits(per_5_minutes=2)
        ledger, _ = crowd(1, limits=limits)

        ledger, again = reserve(ledger, "a0", at=NOW + seconds(60), limits=limits)
        ledger, third = reserve(ledger, "a0", at=NOW + seconds(120), limits=limits)

        assert (again, type(third)) == (Granted(), Wait)
        assert list(ledger.live) == ["a0"]

    def test_a_place_is_free_again_after_its_release_and_only_once(self):
        limits = Limits(groups=1)
        ledger, answers = crowd(2, limits=limits)
        slot = answers[1].slot

        freed = quota.release(ledger, "a0", NOW + seconds(60))

        assert quota.release(freed, "a0", NOW + seconds(60)) is freed
        assert reserve(freed, "a1", at=NOW + seconds(60), slot=slot, limits=limits)[1] == Granted()
        assert isinstance(reserve(ledger, "a1", at=NOW + seconds(60), slot=slot, limits=limits)[1], Wait)

    def test_cores_count_as_groups_do(self):
        _, answers = crowd(4, limits=Limits(cores=10), cores=3.0)

        assert [isinstance(one, Granted) for one in answers] == [True, True, True, False]
        assert "10 cores" in answers[3].why

    def test_fractions_of_cores_fill_the_location_to_the_last(self):
        _, answers = crowd(11, limits=Limits(cores=1), cores=0.1)

        assert [isinstance(one, Granted) for one in answers] == [True] * 10 + [False]

    def test_what_can_never_run_is_refused_and_says_what_to_do(self):
        with pytest.raises(Terminal, match="asks for 12 cores and its location has 10 altogether: ask for less `cpu`"):
            reserve(Ledger(), "a", cores=12, limits=Limits(cores=10))

    def test_one_that_waits_for_a_place_comes_back_the_later_the_longer_the_line(self):
        limits = Limits(groups=2)
        ledger, _ = crowd(2, limits=limits)
        ledger = msgspec.structs.replace(ledger, mean_hold=60.0)

        delays = []
        for number in range(20):
            ledger, answer = reserve(ledger, f"b{number}", at=NOW + seconds(30 * number), limits=limits)
            delays.append((answer.until - NOW).total_seconds() - 30 * number)

        assert delays[:4] == [15, 30, 45, 60]
        assert max(delays) == quota.LONGEST
        assert answer.estimate == NOW + seconds(19 * 30 + 20 * 60 / 2)

    def test_a_newcomer_leaves_the_free_place_to_whoever_has_waited_for_it(self):
        limits = Limits(groups=1)
        ledger, answers = crowd(2, limits=limits)
        ledger = quota.release(ledger, "a0", NOW + seconds(60))

        ledger, newcomer = reserve(ledger, "new", at=NOW + seconds(61), limits=limits)
        _, waited = reserve(ledger, "a1", at=NOW + seconds(62), slot=answers[1].slot, limits=limits)

        assert isinstance(newcomer, Wait)
        assert waited == Granted()

    def test_one_that_never_comes_back_delays_the_newcomer_by_one_round_and_does_not_stop_it(self):
        limits = Limits(groups=1)
        ledger, _ = crowd(2, limits=limits)
        ledger = quota.release(ledger, "a0", NOW + seconds(60))
        ledger, newcomer = reserve(ledger, "new", at=NOW + seconds(61), limits=limits)

        _, again = reserve(ledger, "new", at=newcomer.until, slot=newcomer.slot, limits=limits)

        assert again == Granted()

    def test_a_large_one_that_has_waited_long_is_not_overtaken_by_small_ones_for_ever(self):
        limits, at = Limits(cores=4), NOW
        ledger, _ = crowd(4, limits=limits)
        ledger, large = reserve(ledger, "large", cores=4, limits=limits)
        for number in range(200):
            at += seconds(15)
            ledger = quota.release(ledger, f"a{number}", at)
            ledger, answer = reserve(ledger, "large", at=at, cores=4, slot=large.slot, limits=limits)
            if answer == Granted():
                break
            # A small one that has waited too is there at once each time.
            ledger, _ = reserve(ledger, f"a{number + 4}", at=at, slot=at - seconds(60), limits=limits)

        assert answer == Granted()
        assert at < NOW + timedelta(minutes=15)

    def test_the_mean_of_how_long_a_place_is_held_follows_what_is_seen(self):
        ledger = Ledger()
        for number in range(60):
            ledger, _ = reserve(ledger, f"a{number}", at=NOW + seconds(60 * number))
            ledger = quota.release(ledger, f"a{number}", NOW + seconds(60 * number + 42))

        assert ledger.mean_hold == pytest.approx(42, abs=1)


class TestHolds:
    def test_nobody_creates_while_azure_asks_for_a_pause_and_they_come_back_in_turn(self):
        ledger = quota.hold(Ledger(), NOW + seconds(60))
        told = []
        for number in range(50):
            ledger, answer = reserve(ledger, f"a{number}")
            told.append(answer)

        assert all(NOW + seconds(60) <= one.until <= NOW + seconds(110) for one in told)
        assert len({one.until for one in told}) > 5
        assert reserve(ledger, "a0", at=told[0].until, slot=told[0].slot)[1] == Granted()

    def test_one_that_is_live_and_was_refused_waits_as_the_others_do_and_keeps_its_place(self):
        ledger, _ = crowd(1)
        ledger = quota.hold(ledger, NOW + seconds(60))

        after, answer = reserve(ledger, "a0")

        assert after is ledger
        assert seconds(60) <= answer.until - NOW <= seconds(70)
        assert reserve(ledger, "a0", at=answer.until)[1] == Granted()

    def test_a_shorter_pause_does_not_end_a_longer_one(self):
        ledger = quota.hold(Ledger(), NOW + seconds(60))

        assert quota.hold(ledger, NOW + seconds(10)) is ledger


class TestDeletes:
    def test_deletes_are_paced_and_an_attempt_has_one_slot_however_often_it_asks(self):
        ledger, delays = Ledger(live={f"a{number}": Live(1.0, NOW) for number in range(101)}), []
        for number in range(101):
            ledger, delay = quota.delete_slot(ledger, f"a{number}", NOW, LIMITS)
            delays.append(delay)

        assert delays[:100] == [0] * 100
        assert delays[100] > 300
        assert quota.delete_slot(ledger, "a0", NOW + seconds(9), LIMITS) == (ledger, 0)
        assert quota.delete_slot(ledger, "a100", NOW + seconds(9), LIMITS) == (ledger, delays[100] - 9)
        assert quota.delete_slot(ledger, "a100", NOW + seconds(delays[100]), LIMITS) == (ledger, 0)

    def test_what_is_deleted_still_has_its_place_until_it_is_released(self):
        ledger, _ = crowd(1)

        ledger, _ = quota.delete_slot(ledger, "a0", NOW, LIMITS)

        assert ledger.live == {"a0": Live(1.0, NOW, NOW)}
        assert quota.release(ledger, "a0", NOW).live == {}


class TestReconciling:
    def usages(self, groups: Usage, cores: Usage = FREE) -> dict[str, Usage]:
        return {"ContainerGroups": groups, "StandardCores": cores}

    def test_an_old_attempt_without_a_group_loses_its_place(self):
        ledger, _ = crowd(3)

        at = NOW + timedelta(hours=1)
        young, _ = reserve(ledger, "young", at=at)
        after = quota.reconcile(young, {"a0"}, None, at)

        assert set(after.live) == {"a0", "young"}

    def test_what_others_use_is_not_ours_to_use(self):
        ledger, _ = crowd(2)

        ledger = quota.reconcile(ledger, {"a0", "a1"}, self.usages(Usage(9, 10), Usage(7, 10)), NOW)
        ledger, answer = reserve(ledger, "b0")
        _, second = reserve(ledger, "b1")

        assert (ledger.known.other_groups, ledger.known.other_cores) == (7, 5)
        assert answer == Granted()
        assert isinstance(second, Wait)

    def test_a_group_that_is_just_being_created_is_not_counted_away(self):
        ledger, _ = crowd(2)

        ledger = quota.reconcile(ledger, {"a0"}, self.usages(Usage(1, 3)), NOW)

        assert ledger.known.other_groups == 0
        assert set(ledger.live) == {"a0", "a1"}

    def test_what_others_used_is_forgotten_after_an_hour_without_news_and_the_limit_is_not(self):
        ledger = quota.reconcile(Ledger(), (), self.usages(Usage(10, 10)), NOW)

        assert isinstance(reserve(ledger, "a")[1], Wait)
        assert reserve(ledger, "a", at=NOW + timedelta(hours=1))[1] == Granted()
        assert reserve(quota.reconcile(ledger, (), None, NOW), "a", cores=1)[1].why.startswith("the 10 container groups")

    def test_what_the_operator_set_counts_before_what_azure_says_and_that_before_the_default(self):
        known = quota.reconcile(Ledger(), (), self.usages(Usage(0, 10), Usage(0, 4)), NOW)

        for ledger, limits, most in [(known, Limits(), 4), (known, Limits(cores=8), 8), (Ledger(), Limits(), 100)]:
            assert reserve(ledger, "a", cores=most, limits=limits)[1] == Granted()
            with pytest.raises(Terminal):
                reserve(ledger, "a", cores=most + 0.5, limits=limits)

    def test_a_limit_of_0_is_not_believed(self):
        ledger = quota.reconcile(Ledger(), (), self.usages(Usage(0, 0), Usage(0, 0)), NOW)

        assert reserve(ledger, "a")[1] == Granted()


class TestWholeLocations:
    @settings(max_examples=25, deadline=None)
    @given(
        seed=st.integers(0, 10_000),
        groups=st.integers(1, 30),
        cores=st.integers(4, 60),
        hold=st.sampled_from([5.0, 60.0, 900.0]),
        late=st.sampled_from([0.0, 40.0, 400.0]),
        per_5_minutes=st.integers(1, 20),
        per_hour=st.integers(2, 80),
    )
    def test_everybody_starts_and_never_more_than_is_allowed(self, seed, groups, cores, hold, late, per_5_minutes, per_hour):
        random = seeded(seed)
        limits = Limits(groups=groups, cores=cores, per_5_minutes=per_5_minutes, per_hour=per_hour)
        region = Region(limits, random, hold=hold, late=late)

        region.run({f"a{number}": (NOW + seconds(random.uniform(0, 900)), random.choice([0.5, 1, 4])) for number in range(60)})

        assert len(region.created) == 60
        assert region.most_within(300) <= per_5_minutes
        assert region.most_within(3600) <= per_hour
        assert region.ledger.live == {}
        assert region.ledger.creates.booked == {}

    def test_rates_that_bind_are_used_to_the_full(self):
        region = Region(Limits(), seeded(1), hold=120.0, late=5.0)

        region.run({f"a{number}": (NOW, 1.0) for number in range(900)})

        assert region.most_within(3600) == 300
        assert max(region.created.values()) < NOW + timedelta(hours=2.4)
        assert region.asked < 2000

    def test_places_that_bind_are_used_to_the_full_in_about_the_order_of_asking(self):
        region = Region(Limits(groups=10, per_5_minutes=1000, per_hour=10_000), seeded(2), hold=120.0, late=5.0)

        region.run({f"a{number}": (NOW + seconds(3 * number), 1.0) for number in range(200)})

        ideal = 200 / 10 * 120
        assert (max(region.created.values()) - NOW).total_seconds() < 1.25 * ideal
        order = [int(name[1:]) for name in sorted(region.created, key=lambda name: region.created[name])]
        assert sum(order[:100]) / 100 < 75  # by chance it would be 100
        assert region.asked < 200 * 20

    def test_an_estimate_is_about_right(self):
        region = Region(Limits(groups=20), seeded(3), hold=600.0, late=5.0, ledger=Ledger(mean_hold=600.0))
        _, answers = crowd(100, limits=region.limits)

        region.run({f"a{number}": (NOW, 1.0) for number in range(100)})

        took, estimated = max(region.created.values()) - NOW, answers[-1].estimate - NOW
        assert 0.7 * took < estimated < 1.3 * took

    def test_the_row_has_room_for_raised_limits_and_costs_the_same_whatever_came_before(self):
        limits = Limits(groups=5000, cores=5000, per_5_minutes=1500, per_hour=15_000)
        slots = range(rate.bucket(NOW) - rate.OVERDUE, rate.bucket(NOW) + rate.HORIZON)
        full = Rate(used=dict.fromkeys(slots[rate.OVERDUE - rate.HOUR : rate.OVERDUE], 125), booked=dict.fromkeys(slots, 125))
        live = {
            f"lm-{'0' * 20}-{'s' * 28}-{number:05}-999": Live(0.25, NOW + seconds(0.123456), NOW + seconds(0.1)) for number in range(5000)
        }
        ledger = Ledger(creates=full, deletes=full, live=live)

        after, answer = reserve(ledger, "new", at=NOW, limits=limits)

        assert isinstance(answer, Wait)
        assert len(msgspec.json.encode(ledger)) < MAX_BODY
        assert len(after.creates.booked) <= rate.OVERDUE + rate.HORIZON

    def test_a_ledger_comes_back_as_it_was_written(self):
        ledger, _ = crowd(120)
        ledger = quota.hold(quota.reconcile(ledger, {"a0"}, {"ContainerGroups": Usage(1, 2)}, NOW), NOW)

        assert msgspec.json.decode(msgspec.json.encode(ledger), type=Ledger) == ledger
