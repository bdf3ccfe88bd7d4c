"""What listeners decide without a queue or a clock: back-off, metadata, when a timer is due."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.host.backoff import Backoff
from localcloud.host.metadata import trigger_metadata
from localcloud.host.protocol import Finished, TimerTrigger, Trigger
from localcloud.host.schedules import parse_schedule
from localcloud.host.storage import StoredMessage
from localcloud.host.table import TimerFunction
from localcloud.host.timer_listener import Status, StatusStore, TimerListener, starting_point

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOURLY = parse_schedule("0 0 * * * *")


def a_message(**changed: Any) -> StoredMessage:
    return StoredMessage(**{"id": "real", "content": "", "pop_receipt": "p", "dequeue_count": 3, "expires_on": NOON, **changed})


def test_back_off_doubles_from_a_tenth_of_a_second_up_to_the_maximum() -> None:
    backoff = Backoff(1.0, lambda: 0.5)

    assert [round(backoff.next(), 3) for _ in range(7)] == [0.1, 0.2, 0.3, 0.5, 0.9, 1.0, 1.0]
    backoff.work_found()
    assert backoff.next() == 0.1


def test_a_message_brings_its_metadata() -> None:
    metadata = trigger_metadata(a_message(), "text")

    assert metadata["Id"] == ("string", "real")
    assert metadata["DequeueCount"] == ("json", "3")
    assert metadata["QueueTrigger"] == ("string", "text")
    assert metadata["ExpirationTime"] == ("string", "2026-11-22T12:00:00+00:00")


def test_keys_of_the_body_shadow_the_metadata_whatever_their_case() -> None:
    metadata = trigger_metadata(a_message(), json.dumps({"id": "evil", "dequeuecount": 0, "own": {"a": 1}, "list": [1]}))

    assert metadata["Id"] == ("string", "evil")
    assert metadata["DequeueCount"] == ("json", "0")
    assert metadata["own"] == ("json", '{"a": 1}')
    assert "list" not in metadata


def test_a_timer_that_never_ran_waits_for_its_next_occurrence() -> None:
    status, past_due = starting_point(None, HOURLY, NOON)

    assert (status.next, past_due) == (NOON + timedelta(hours=1), False)


def test_a_timer_that_missed_occurrences_is_past_due_once() -> None:
    missed = Status(NOON - timedelta(hours=3), NOON - timedelta(hours=2), NOON)

    assert starting_point(missed, HOURLY, NOON + timedelta(minutes=1)) == (missed, True)


def test_a_changed_schedule_is_not_past_due() -> None:
    of_another_schedule = Status(NOON - timedelta(hours=3), NOON - timedelta(minutes=10), NOON)

    _, past_due = starting_point(of_another_schedule, HOURLY, NOON)

    assert past_due is False


class FakeEngine:
    """Takes a while for each run; ends the test after `runs` of them."""

    def __init__(self, clock: "FakeClock", takes: float, runs: int) -> None:
        self.clock, self.takes, self.left = clock, takes, runs
        self.started: list[tuple[datetime, bool]] = []

    async def invoke(self, function: str, trigger: Trigger) -> Finished:
        assert isinstance(trigger, TimerTrigger)
        self.started.append((self.clock.time, json.loads(trigger.info)["IsPastDue"]))
        if len(self.started) == self.left:
            raise asyncio.CancelledError
        await self.clock.sleep(self.takes)
        return Finished("")


class FakeClock:
    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def run_timer(store: StatusStore, *, takes: float, runs: int, run_on_startup: bool = False) -> list[tuple[datetime, bool]]:
    clock = FakeClock()
    engine = FakeEngine(clock, takes, runs)
    listener = TimerListener(TimerFunction("t", HOURLY, run_on_startup, True), engine, store, clock.now, clock.sleep)  # type: ignore[arg-type]
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(listener.run())
    return engine.started


def test_a_timer_fires_at_each_occurrence() -> None:
    assert run_timer(StatusStore(None), takes=5, runs=2) == [(NOON + timedelta(hours=1), False), (NOON + timedelta(hours=2), False)]


def test_occurrences_during_a_long_run_become_one_run_right_after_it() -> None:
    started = run_timer(StatusStore(None), takes=2.5 * 3600, runs=3)

    assert [time - NOON for time, _ in started] == [timedelta(hours=1), timedelta(hours=3.5), timedelta(hours=6)]


def test_run_on_startup_fires_at_once() -> None:
    assert run_timer(StatusStore(None), takes=5, runs=1, run_on_startup=True) == [(NOON, False)]


def test_a_restarted_host_makes_up_for_what_it_missed(tmp_path: Path) -> None:
    file = tmp_path / "timers.json"
    StatusStore(file).write("t", Status(NOON - timedelta(hours=5), NOON - timedelta(hours=4), NOON))

    started = run_timer(StatusStore(file), takes=5, runs=2)

    assert started == [(NOON, True), (NOON + timedelta(hours=1), False)]
