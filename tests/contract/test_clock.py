"""The clock of a whole local cloud: it has a thread, and can be stopped, moved and set to another pace."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from localcloud.arm import ArmSettings, ArmState
from localcloud.arm.side_door import side_door
from localcloud.clock import LONGEST, ScaledClock
from localcloud.errors import CloudError
from tests.unit.localcloud.worlds import FakeRuntime
from tests.waiting import wait_for

HOUR = 3600.0


@pytest.fixture
def clock() -> Iterator[ScaledClock]:
    """One on which nothing happens by itself within a test, unless its scale is changed."""
    clock = ScaledClock(1.0)
    yield clock
    clock.close()


def test_what_falls_due_within_an_advance_has_happened_when_it_returns_in_order_and_at_its_time(clock: ScaledClock) -> None:
    began, seen = clock.now(), list[tuple[str, int]]()

    def note(name: str) -> None:
        seen.append((name, round((clock.now() - began).total_seconds())))

    clock.call_later(3 * HOUR, lambda: note("late"))
    clock.call_later(HOUR, lambda: clock.call_later(HOUR, lambda: note("set on the way")) and note("early"))
    clock.call_later(HOUR, lambda: note("early, too"))
    clock.advance(2.5 * HOUR)

    assert seen == [("early", 3600), ("early, too", 3600), ("set on the way", 7200)]
    assert abs(clock.now() - datetime.now(UTC) - timedelta(hours=2.5)) < timedelta(seconds=30)
    clock.advance(HOUR)
    assert seen[3:] == [("late", 10800)]


def test_a_clock_that_is_paused_shows_one_time_and_makes_no_call_until_it_is_resumed(clock: ScaledClock) -> None:
    made = threading.Event()
    clock.set_scale(0.0001)
    clock.pause()
    stood = clock.now()
    clock.call_later(1, made.set)
    time.sleep(0.02)  # two hundred of its seconds

    assert (clock.now(), made.is_set(), clock.state["paused"]) == (stood, False, True)
    clock.resume()
    assert made.wait(10)
    assert clock.now() < datetime.now(UTC)


def test_a_paused_clock_can_be_taken_from_timer_to_timer(clock: ScaledClock) -> None:
    clock.pause()
    made = list[str]()
    clock.call_later(5, lambda: made.append("a"))
    clock.call_later(5, lambda: made.append("b"))
    clock.call_later(HOUR, lambda: made.append("c"))
    stood = clock.now()

    assert clock.advance_to_next() == pytest.approx(5)
    assert made == ["a", "b"]
    assert clock.advance_to_next() == pytest.approx(HOUR - 5, abs=0.1)
    assert (clock.now() - stood).total_seconds() == pytest.approx(HOUR, abs=0.1)
    assert (made, clock.advance_to_next()) == (["a", "b", "c"], None)


def test_another_pace_holds_for_timers_that_are_set_already(clock: ScaledClock) -> None:
    made = threading.Event()
    clock.call_later(HOUR, made.set)

    clock.set_scale(0.000001)

    assert made.wait(10)


def test_a_clock_that_starts_over_is_at_the_real_time_with_nothing_to_come(clock: ScaledClock) -> None:
    clock.call_later(1, lambda: pytest.fail("nothing was to come"))
    clock.pause()
    clock.advance(0.5)

    clock.start_over(2.0)

    found = clock.state
    assert (found["paused"], found["scale"], found["timers"], round(found["ahead"], 1)) == (False, 2.0, 0, 0.0)


@pytest.mark.parametrize("scale", [0, -1, float("nan")])
def test_a_pace_that_makes_no_sense_is_refused(clock: ScaledClock, scale: float) -> None:
    with pytest.raises(ValueError, match="not a scale"):
        clock.set_scale(scale)
    with pytest.raises(ValueError, match="time goes forward"):
        clock.advance(-1)


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 3e11])
def test_a_step_that_no_calendar_has_is_refused_and_changes_nothing(clock: ScaledClock, seconds: float) -> None:
    with pytest.raises(ValueError, match="not a time to advance by"):
        clock.advance(seconds)

    assert abs(clock.state["ahead"]) < 5


def test_steps_together_lead_no_further_than_a_hundred_years_either(clock: ScaledClock) -> None:
    clock.advance(0.7 * LONGEST)

    with pytest.raises(ValueError, match="a hundred years ahead"):
        clock.advance(0.7 * LONGEST)

    clock.start_over(1.0)
    clock.advance(0.7 * LONGEST)


def test_a_timer_that_is_due_in_a_lifetime_does_not_stop_the_clock(clock: ScaledClock) -> None:
    made = threading.Event()
    clock.set_scale(1000)
    clock.call_later(LONGEST, lambda: None)
    time.sleep(0.05)  # the thread begins to wait for it
    clock.set_scale(0.0001)
    clock.call_later(1, made.set)

    assert made.wait(10)


def test_a_call_that_fails_stops_no_other(clock: ScaledClock, caplog: pytest.LogCaptureFixture) -> None:
    made = list[int]()
    clock.call_later(1, lambda: 1 // 0 and None)
    clock.call_later(2, lambda: made.append(1))

    clock.advance(3)

    assert made == [1]
    assert "a timer's call failed" in caplog.text


def test_calls_are_made_one_at_a_time_whoever_advances_the_clock(clock: ScaledClock) -> None:
    at_work, most, made = list[int](), list[int](), list[int]()

    def work(number: int) -> None:
        at_work.append(number)
        most.append(len(at_work))
        time.sleep(0.001)
        at_work.remove(number)
        made.append(number)

    for number in range(20):
        clock.call_later(number + 1, lambda number=number: work(number))
    clock.set_scale(0.001)
    threads = [threading.Thread(target=clock.advance, args=(7,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    wait_for(lambda: len(made) == 20, 10, "all calls")
    assert (made, max(most)) == (list(range(20)), 1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pause": "false"}, "pause is true or false"),
        ({"scale": "x"}, "scale is a number"),
        ({"advance": "soon"}, "advance is a number"),
        ({"advance": True}, "advance is a number"),
        ({"advance": "inf"}, "not a time to advance by"),
    ],
)
def test_the_side_door_does_not_move_the_clock_by_nonsense(clock: ScaledClock, given: dict[str, Any], words: str) -> None:
    found = posted(ArmState(ArmSettings(), clock, FakeRuntime()), "clock", given)

    assert (found.status_code, words in found.json()["error"]) == (400, True)
    assert not clock.state["paused"]


def test_a_reset_that_fails_says_why_at_the_side_door(clock: ScaledClock) -> None:
    def fail() -> dict[str, Any]:
        raise CloudError("Azurite did not start")

    state = ArmState(ArmSettings(), clock, FakeRuntime())
    state.start_over = fail

    found = posted(state, "reset", {})

    assert (found.status_code, found.json()) == (500, {"error": "Azurite did not start"})


def posted(state: ArmState, path: str, given: dict[str, Any]) -> httpx.Response:
    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=side_door(state)))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.post(f"/localcloud/{path}", json=given)

    return asyncio.run(answer())
