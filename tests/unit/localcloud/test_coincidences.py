"""Chance that a seed repeats."""

from __future__ import annotations

from localcloud.arm.coincidences import Coincidences


def decisions(coincidences: Coincidences, name: str) -> list[bool]:
    return [coincidences.happens(name, 0.5) for _ in range(40)]


def test_a_decision_depends_on_its_name_and_number_and_on_nothing_that_was_decided_in_between() -> None:
    alone = decisions(Coincidences(1), "restart")
    mixed = Coincidences(1)
    among_others = [(mixed.happens("hidden", 0.5), mixed.happens("restart", 0.5))[1] for _ in range(40)]

    assert alone == among_others
    assert alone != decisions(Coincidences(1), "hidden")
    assert alone != decisions(Coincidences(2), "restart")
    assert 10 < sum(alone) < 30


def test_what_is_impossible_never_happens_and_what_is_certain_always_does() -> None:
    coincidences = Coincidences(0)

    assert not any(coincidences.happens("x", 0.0) for _ in range(100))
    assert all(coincidences.happens("x", 1.0) for _ in range(100))
