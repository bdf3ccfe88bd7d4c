"""How a host ends, in simulated time. The numbers are the sections of the facts about the real host."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import cast

import pytest

from localcloud.host.engine import Engine
from localcloud.host.host import Host, QuietServer, ShutDown
from localcloud.host.queue_listener import QueueListener
from localcloud.host.settings import HostSettings, Shutdown
from tests.unit.localcloud_host.virtual_time import now, run


class FakeListener:
    """Its message runs so long."""

    def __init__(self, runs: float) -> None:
        self._runs = runs
        self.stopped_at = self.abandoned_at = -1.0

    async def stop(self) -> None:
        await asyncio.sleep(self._runs)
        self.stopped_at = now()

    async def abandon(self) -> None:
        self.abandoned_at = now()


class FakeEngine:
    """Something runs in a worker for so long; `killed_at` is when the workers were killed."""

    def __init__(self, runs: float) -> None:
        self._runs = runs
        self.killed_at = -1.0

    async def idle(self, grace: float) -> bool:
        await asyncio.sleep(min(grace, max(0.0, self._runs - now())))
        return True

    async def stop(self, grace: float) -> None:
        self.killed_at = now()


class FakeServer:
    should_exit = False


def ended(runs: float, drain: bool = False, fatal: bool = False) -> tuple[FakeListener, FakeEngine]:
    """A host that stops while a message runs."""

    async def life() -> tuple[FakeListener, FakeEngine]:
        settings = HostSettings(app=Path(), shutdown=Shutdown(drain=drain))
        host = Host(settings, cast("socket.socket", None))
        listener, engine = FakeListener(runs), FakeEngine(runs)
        host._queue_listeners = [cast("QueueListener", listener)]
        host._engine = cast("Engine", engine)
        host._fatal = ShutDown("on purpose") if fatal else None
        await host._shut_down(cast("QuietServer", FakeServer()))
        await host._close()
        return listener, engine

    return run(life())


@pytest.mark.parametrize(("runs", "ends"), [(3.0, 3.0), (15.0, 15.0), (60.0, 20.0)])
def test_listeners_have_ten_seconds_and_then_the_workers_ten_more(runs: float, ends: float) -> None:
    """6: script host stop, at most 10 s; worker dispatcher: waits <= 10 s for running invocations, then kills the Python process."""
    _, engine = ended(runs)

    assert engine.killed_at == ends


def test_what_is_cut_off_is_left_hidden() -> None:
    """6: anything unfinished stays hidden <= 10 min, then runs again: it is abandoned before the workers are killed."""
    listener, engine = ended(60.0)

    assert (listener.stopped_at, listener.abandoned_at, engine.killed_at) == (-1.0, 20.0, 20.0)


def test_a_drain_waits_for_its_listeners_as_long_as_it_takes() -> None:
    """6: with FUNCTIONS_ENABLE_DRAIN_ON_APP_STOPPING=true: drain mode first."""
    assert ended(60.0, drain=True)[0].stopped_at == 60.0


def test_a_host_that_shuts_down_on_an_error_does_not_wait_for_its_workers() -> None:
    """2.2: unhandled => host shutdown."""
    assert ended(60.0, fatal=True)[1].killed_at == 10.0
