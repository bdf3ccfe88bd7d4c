"""Containers and their runtime end together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from localcloud.containers.held import Held
from localcloud.containers.running import Closed, Running


class Fake:
    """Ends when it is killed."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._gone: Callable[[Any], None] = lambda _held: None

    def watch(self, _ended: Any, gone: Callable[[Any], None]) -> None:
        self._gone = gone

    def kill(self) -> None:
        self.told.append("kill")
        self._gone(self)

    def join(self, timeout: float) -> None:
        self.told.append(f"join {timeout:g}")


def ended(code: int, detail: str = "") -> None:
    """Nobody asks."""


def taken(running: Running) -> Fake:
    fake = Fake()
    running.take(cast(Held, fake), ended)
    return fake


def test_all_that_run_are_killed_and_waited_for() -> None:
    running = Running(3.0)
    fakes = [taken(running), taken(running)]
    fakes[0].kill()
    running.close()
    assert [fake.told for fake in fakes] == [["kill"], ["kill", "join 3"]]


def test_what_was_just_started_when_all_were_ended_ends_too() -> None:
    running, late = Running(3.0), Fake()
    running.check()
    running.close()
    with pytest.raises(Closed):
        running.take(cast(Held, late), ended)
    assert late.told == ["kill", "join 3"]
    with pytest.raises(Closed):
        running.check()
