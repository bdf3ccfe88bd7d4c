"""Timers in simulated time. The numbers are the sections of the facts about the real host that each test holds it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from localcloud.host.invoker import Outcome
from localcloud.host.protocol import TimerTrigger, Trigger
from localcloud.host.retries import RetryPolicy, retry_policy
from localcloud.host.schedules import CronSchedule, parse_schedule, time_zone
from localcloud.host.table import TimerFunction
from localcloud.host.timer_listener import TimerListener, Times
from localcloud.host.timer_status import Lock, Status, StatusStore, starting_point
from tests.unit.localcloud_host.virtual_time import now, run

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOURLY = parse_schedule("0 0 * * * *")
HOUR = timedelta(hours=1)


@dataclass
class World:
    """A timer that is run from noon on, and what it did: when it ran, as hours after noon, and what it was told."""

    schedule: str = "0 0 * * * *"
    store: StatusStore = field(default_factory=lambda: StatusStore(None))
    takes: float = 5.0
    run_on_startup: bool = False
    use_monitor: bool = True
    retry: RetryPolicy | None = None
    slow_clock: float = 0.0
    error: Callable[[int], str] = lambda _run: ""
    lock: Lock | None = None
    starts: list[float] = field(default_factory=list)
    told: list[dict[str, object]] = field(default_factory=list)
    retries: list[tuple[int, int]] = field(default_factory=list)
    running: int = 0

    @property
    def past_due(self) -> list[object]:
        return [info["IsPastDue"] for info in self.told]

    async def invoke(self, _function: str, trigger: Trigger) -> Outcome:
        assert isinstance(trigger, TimerTrigger)
        assert not self.running, "it overlaps itself"
        self.running += 1
        self.starts.append(round(now() / 3600, 4))
        self.told.append(json.loads(trigger.info))
        self.retries.append((trigger.retry, trigger.retries))
        await asyncio.sleep(self.takes)
        self.running -= 1
        return Outcome(self.error(len(self.starts)))

    def listener(self) -> TimerListener:
        timer = TimerFunction("t", parse_schedule(self.schedule), self.run_on_startup, self.use_monitor, self.retry)
        times = Times(lambda: NOON + timedelta(seconds=now() - self.slow_clock), asyncio.sleep, lambda: 0.5)
        return TimerListener(timer, self, self.store, self.lock, times)

    def live(self, hours: float) -> World:
        async def life() -> None:
            running = asyncio.create_task(self.listener().run())
            await asyncio.wait((running,), timeout=hours * 3600)
            running.cancel()

        run(life())
        return self


def stored(file: Path, last: datetime | None, due: datetime) -> StatusStore:
    StatusStore(file).write("t", Status(last, due, last or due - HOUR))
    return StatusStore(file)


class TestFiring:
    def test_it_fires_at_each_occurrence(self) -> None:
        """3: otherwise wait; single-shot timer, re-armed after the run ends."""
        world = World().live(3.5)

        assert (world.starts, world.past_due) == ([1.0, 2.0, 3.0], [False, False, False])

    def test_occurrences_during_a_long_run_become_one_run_right_after_it(self) -> None:
        """3: never overlaps itself; occurrences missed by a long run collapse to one immediate run (past_due False)."""
        world = World(takes=2.5 * 3600).live(7)

        assert (world.starts, world.past_due) == ([1.0, 3.5, 6.0], [False, False, False])

    def test_run_on_startup_fires_at_once_and_the_schedule_goes_on(self) -> None:
        """3: else runOnStartup -> one immediate run (past_due False)."""
        world = World(run_on_startup=True).live(1.5)

        assert (world.starts, world.past_due) == ([0.0, 1.0], [False, False])

    def test_a_failure_stops_nothing(self) -> None:
        """3: failure: logged, schedule goes on; no retry unless @app.retry."""
        assert World(error=lambda _run: "on purpose").live(2.5).starts == [1.0, 2.0]

    def test_a_retry_policy_runs_it_again(self) -> None:
        """3: no retry unless @app.retry."""
        policy = retry_policy({"strategy": "fixed_delay", "max_retry_count": "2", "delay_interval": "00:06:00"})

        world = World(takes=0, retry=policy, error=lambda run: "on purpose" if run < 5 else "").live(2.5)

        assert world.starts == [1.0, 1.1, 1.2, 2.0, 2.1]
        assert world.retries == [(0, 2), (1, 2), (2, 2), (0, 2), (1, 2)]

    def test_a_time_span_counts_from_the_start_of_the_last_run(self) -> None:
        """3: TimeSpan "hh:mm:ss" (constant interval)."""
        assert World("00:30:00", takes=360).live(1.6).starts == [0.5, 1.0, 1.5]

    def test_a_wait_of_more_than_24_days_is_chained(self) -> None:
        """3: interval > 24 days is chained."""
        assert World("0 0 0 1 1 *").live(24 * 40.0).starts == [24 * 39.5]

    def test_a_slow_clock_does_not_fire_an_occurrence_twice(self) -> None:
        """3: fired early by clock skew: Last is moved forward to Next so that it does not fire twice."""

        class Skewed(World):
            def listener(self) -> TimerListener:
                found = super().listener()
                early = Times(found._times.now, lambda seconds: asyncio.sleep(max(0.0, seconds - 0.4)), lambda: 0.5)
                return TimerListener(found.timer, self, self.store, None, early)

        world = Skewed().live(2.5)

        assert [round(start) for start in world.starts] == [1, 2]
        assert world.store.read("t") == Status(NOON + 2 * HOUR, NOON + 3 * HOUR, NOON + 2 * HOUR)


class TestStopping:
    def stopped(self, world: World, after: float) -> float:
        """Seconds until the stop has been waited for, and the listener has ended."""

        async def life() -> float:
            listener = world.listener()
            running = asyncio.create_task(listener.run())
            await asyncio.sleep(after)
            await listener.stop()
            await running
            return now() - after

        return run(life())

    @pytest.mark.parametrize("delay", ["00:00:00", "05:00:00"])
    def test_endless_retries_end_with_the_host(self, delay: str) -> None:
        """6: stop listeners: the run that is under way ends, its retries do not begin."""
        policy = retry_policy({"strategy": "fixed_delay", "max_retry_count": "-1", "delay_interval": delay})
        world = World(run_on_startup=True, takes=30, retry=policy, error=lambda _run: "on purpose")

        assert self.stopped(world, 40.0) <= 20.0

    def test_whoever_waits_for_the_schedule_or_for_the_lock_ends_at_once(self, tmp_path: Path) -> None:
        first = Lock(tmp_path, "t")
        assert first.take()

        assert self.stopped(World("0 0 0 1 1 *"), 100.0) == 0.0
        assert self.stopped(World(lock=Lock(tmp_path, "t")), 100.0) == 0.0
        first.give()


class TestMonitor:
    def test_a_timer_that_never_ran_waits_for_its_next_occurrence(self) -> None:
        """3: first start writes Next without running."""
        world = World().live(0.5)

        assert world.starts == []
        assert world.store.read("t") == Status(None, NOON + HOUR, NOON)

    def test_what_was_missed_is_made_up_for_once(self, tmp_path: Path) -> None:
        """3: now > Next -> one immediate run with past_due=True (never one per missed occurrence)."""
        world = World(store=stored(tmp_path / "timers.json", NOON - 5 * HOUR, NOON - 4 * HOUR)).live(1.5)

        assert (world.starts, world.past_due) == ([0.0, 1.0], [True, False])

    def test_past_due_comes_before_run_on_startup(self, tmp_path: Path) -> None:
        """3: one immediate run with past_due=True; else runOnStartup."""
        world = World(store=stored(tmp_path / "timers.json", NOON - 5 * HOUR, NOON - 4 * HOUR), run_on_startup=True).live(0.5)

        assert world.past_due == [True]

    def test_a_changed_schedule_is_not_past_due(self) -> None:
        """3: stored Next != Next recomputed with the present schedule: schedule changed -> reset, not past due."""
        of_another_schedule = Status(NOON - 3 * HOUR, NOON - timedelta(minutes=10), NOON - 3 * HOUR)

        status, past_due = starting_point(of_another_schedule, HOURLY, NOON)

        assert (status, past_due) == (Status(None, NOON + HOUR, NOON), False)

    def test_a_timer_that_never_fired_is_judged_by_when_its_status_was_written(self) -> None:
        """3: stored Next recomputed with the present schedule."""
        waiting = Status(None, NOON - HOUR, NOON - 1.5 * HOUR)

        assert starting_point(waiting, HOURLY, NOON) == (waiting, True)

    @pytest.mark.parametrize(
        ("schedule", "frequent"),
        [("* * * * * *", True), ("*/30 * * * * *", True), ("0 * * * * *", False), ("00:00:30", True), ("00:01:00", False)],
    )
    def test_more_often_than_once_a_minute_is_not_monitored(self, schedule: str, frequent: bool) -> None:
        """3: useMonitor forced false if the schedule fires more than once a minute."""
        assert parse_schedule(schedule).is_frequent is frequent

    def test_without_monitor_nothing_is_remembered_and_nothing_past_due(self, tmp_path: Path) -> None:
        """3: useMonitor default true."""
        store = stored(tmp_path / "timers.json", NOON - 5 * HOUR, NOON - 4 * HOUR)

        world = World(store=store, use_monitor=False).live(1.5)

        assert (world.starts, world.told[0]["ScheduleStatus"]) == ([1.0], None)
        assert StatusStore(tmp_path / "timers.json").read("t") == Status(NOON - 5 * HOUR, NOON - 4 * HOUR, NOON - 5 * HOUR)

    def test_the_function_is_told_its_status(self) -> None:
        """3: Python gets JSON {"Schedule":{"AdjustForDST":bool},"ScheduleStatus":{...}|null,"IsPastDue":bool}."""
        assert World().live(1.5).told == [
            {
                "Schedule": {"AdjustForDST": True},
                "ScheduleStatus": {
                    "Last": "0001-01-01T00:00:00+00:00",
                    "Next": "2026-11-22T13:00:00+00:00",
                    "LastUpdated": "2026-11-22T12:00:00+00:00",
                },
                "IsPastDue": False,
            }
        ]

    def test_a_status_that_cannot_be_written_stops_nothing(self, tmp_path: Path) -> None:
        """3: written best-effort after each run (a failed write is only logged)."""
        assert World(store=StatusStore(tmp_path / "absent" / "timers.json")).live(2.5).starts == [1.0, 2.0]

    @pytest.mark.parametrize(
        "content", ["{", "[]", "\udcff", '{"t": 1}', '{"t": {"Last": "x"}}', '{"t": {"Last": "x", "Next": "y", "LastUpdated": "z"}}']
    )
    def test_a_damaged_status_is_logged_and_begins_anew(self, tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture) -> None:
        """3: as a timer that never ran."""
        file = tmp_path / "timers.json"
        file.write_text(content, errors="surrogateescape")

        world = World(store=StatusStore(file)).live(1.5)

        assert "begins anew" in caplog.text
        assert (world.starts, world.past_due) == ([1.0], [False])
        assert StatusStore(file).read("t") == Status(NOON + HOUR, NOON + 2 * HOUR, NOON + HOUR)

    def test_a_status_without_an_offset_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "timers.json").write_text(json.dumps({"t": dict.fromkeys(("Last", "Next", "LastUpdated"), "2026-11-22T12:00:00")}))

        assert StatusStore(tmp_path / "timers.json").read("t") is None

    def test_a_file_where_a_folder_should_be_keeps_no_timer_from_firing(self, tmp_path: Path) -> None:
        file = tmp_path / "state"
        file.touch()

        world = World(store=StatusStore(file / "timers.json"), lock=Lock(file / "locks", "t")).live(1.5)

        assert world.starts == [1.0]

    def test_only_one_of_two_hosts_fires(self, tmp_path: Path) -> None:
        """3: single instance: listener lease, others retry every 60 s."""
        first = Lock(tmp_path, "t")
        assert first.take()
        lock = Lock(tmp_path, "t")
        second = World(lock=lock)

        assert second.live(2.5).starts == []
        first.give()
        assert second.live(1.5).starts == [1.0]
        lock.give()

    def test_a_host_that_ends_leaves_its_timers_to_the_next_one(self, tmp_path: Path) -> None:
        """3: single instance: after a stop, or an end that cut a run off, the next host has the timer at once."""
        world = World(takes=7200, lock=Lock(tmp_path, "t"))

        async def life() -> None:
            listener = world.listener()
            running = asyncio.create_task(listener.run())
            await asyncio.sleep(1.5 * 3600)
            running.cancel()
            listener.abandon()

        run(life())

        assert world.starts == [1.0]
        other = Lock(tmp_path, "t")
        assert other.take()
        other.give()


BERLIN = ZoneInfo("Europe/Berlin")


def occurrences(expression: str, start: datetime, count: int) -> list[str]:
    schedule = CronSchedule(expression, BERLIN)
    found = [start]
    for _ in range(count):
        found.append(schedule.next(found[-1]))
    return [moment.astimezone(UTC).strftime("%d %H:%M") for moment in found[1:]]


class TestNever:
    @pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"])
    @pytest.mark.parametrize("expression", ["0 0 0 31 2 *", "0 0 * 31 2 *"])
    def test_a_day_that_there_is_not_never_comes(self, expression: str, zone: str) -> None:
        """3: NCRONTAB. (NCrontab takes such a schedule.)"""
        schedule = parse_schedule(expression, ZoneInfo(zone))

        assert schedule.next(NOON).year == 9999
        assert not schedule.is_frequent

    def test_such_a_timer_does_not_fire_and_ends_with_its_host(self) -> None:
        world = World("0 0 0 31 2 *").live(24 * 100.0)

        assert world.starts == []
        assert world.store.read("t") == Status(None, datetime(9999, 12, 31, tzinfo=UTC), NOON)


class TestZones:
    def test_schedules_are_in_the_zone_of_the_settings(self) -> None:
        """3: local time zone of the process (WEBSITE_TIME_ZONE/TZ on Azure; UTC default)."""
        zone = time_zone({"WEBSITE_TIME_ZONE": "Europe/Berlin"}.get)

        assert parse_schedule("0 0 9 * * *", zone).next(NOON) == datetime(2026, 11, 23, 8, tzinfo=UTC)
        assert time_zone({}.get) == ZoneInfo("UTC")
        with pytest.raises(ValueError, match="there is no time zone 'Mars'"):
            time_zone({"WEBSITE_TIME_ZONE": "Mars"}.get)

    def test_a_point_in_time_of_the_repeated_hour_comes_once(self) -> None:
        """3: DST: point-in-time schedules run once in the repeated hour. (25 October 2026: 3:00 CEST becomes 2:00 CET.)"""
        assert occurrences("0 30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=UTC), 2) == ["25 01:30", "26 01:30"]

    def test_an_interval_goes_on_through_the_repeated_hour(self) -> None:
        """3: DST: interval ones keep running."""
        found = occurrences("0 */30 * * * *", datetime(2026, 10, 25, 0, 0, tzinfo=UTC), 4)

        assert found == ["25 00:30", "25 01:00", "25 01:30", "25 02:00"]

    def test_an_hour_that_there_is_not_comes_an_hour_later(self) -> None:
        """3: DST. (29 March 2026: 2:00 CET becomes 3:00 CEST; .NET takes an invalid time for one of standard time.)"""
        assert occurrences("0 30 2 * * *", datetime(2026, 3, 28, 12, tzinfo=UTC), 2) == ["29 01:30", "30 00:30"]
        assert occurrences("0 0 * * * *", datetime(2026, 3, 29, 0, 30, tzinfo=UTC), 2) == ["29 01:00", "29 02:00"]


class TestRetries:
    def test_an_exponential_back_off_grows_within_its_bounds(self) -> None:
        policy = retry_policy(
            {"strategy": "exponential_backoff", "max_retry_count": "-1", "minimum_interval": "00:00:01", "maximum_interval": "00:00:02"}
        )

        assert policy is not None
        assert policy.count == -1
        assert [round(policy.delay(attempt, lambda: 0.5), 2) for attempt in (1, 2, 5)] == [1.1, 1.2, 2.0]

    def test_there_need_not_be_one(self) -> None:
        assert retry_policy({}) is None
