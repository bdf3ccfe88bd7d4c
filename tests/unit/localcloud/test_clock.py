"""The clock that stands still. (The scaled one has a thread: its test is among the contract tests.)"""

from __future__ import annotations

from localcloud.clock import ManualClock


def test_calls_are_made_in_the_order_in_which_they_fall_due() -> None:
    clock, made = ManualClock(), list[str]()
    clock.call_later(3, lambda: made.append("late"))
    clock.call_later(1, lambda: made.append("early"))
    clock.call_later(1, lambda: made.append("early, too"))
    clock.advance(2)
    assert made == ["early", "early, too"]
    clock.advance(1)
    assert made[2:] == ["late"]


def test_a_call_that_sets_a_timer_within_the_time_sees_it_go_off() -> None:
    clock, seen = ManualClock(), list[float]()
    start = clock.now()
    clock.call_later(1, lambda: clock.call_later(1, lambda: seen.append((clock.now() - start).total_seconds())) and None)
    clock.advance(5)
    assert seen == [2.0]
    assert (clock.now() - start).total_seconds() == 5


def test_a_cancelled_call_is_not_made() -> None:
    clock, made = ManualClock(), list[int]()
    clock.call_later(1, lambda: made.append(1)).cancel()
    clock.advance(2)
    assert made == []


def test_the_next_timer_can_be_gone_to_without_knowing_when_it_is() -> None:
    clock, made = ManualClock(), list[str]()
    clock.call_later(2, lambda: made.append("cancelled")).cancel()
    clock.call_later(3, lambda: made.append("first"))
    clock.call_later(7.5, lambda: made.append("second"))

    assert [clock.advance_to_next(), clock.advance_to_next(), clock.advance_to_next()] == [3, 4.5, None]
    assert made == ["first", "second"]
