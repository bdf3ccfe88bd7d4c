"""Workers that hang, crash and are replaced, in simulated time. The numbers are the sections of the facts about the real host."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from localcloud.host.engine import Engine
from localcloud.host.protocol import Finished, FunctionInfo, TimerTrigger, Trigger
from localcloud.host.settings import HostError, HostSettings
from tests.unit.localcloud_host.virtual_time import now, run

TRIGGER: Trigger = TimerTrigger("{}")


class FakeWorker:
    """Runs `sleep-N` for N seconds; `crash` ends it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.functions = [FunctionInfo("f", [])]
        self.end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.ended = asyncio.ensure_future(self._until_the_end())

    async def _until_the_end(self) -> int:
        return await self.end

    @property
    def is_alive(self) -> bool:
        return not self.ended.done()

    async def invoke(self, function: str, trigger: Trigger) -> Finished:
        if function == "crash":
            self.kill()
        seconds = float(function.partition("-")[2] or 0)
        await asyncio.wait((self.ended,), timeout=seconds)
        return Finished("", f"the worker process ended (exit code {self.end.result()})" if self.end.done() else f"ran on {self.number}")

    def kill(self) -> None:
        if not self.end.done():
            self.end.set_result(-9)


class World:
    """An engine and the workers that it started, with when."""

    def __init__(self, **settings: Any) -> None:
        self.workers: list[tuple[float, FakeWorker]] = []
        self.fatal: list[str] = []
        self.broken = False
        self.recycled: list[str] = []
        self.engine = Engine(HostSettings(app=Path(), **settings), self.fatal.append, self.start_worker, self.recycled.append)

    async def start_worker(self, _settings: HostSettings) -> FakeWorker:
        await asyncio.sleep(1)
        if self.broken:
            raise HostError("the app cannot be loaded")
        self.workers.append((now(), FakeWorker(len(self.workers))))
        return self.workers[-1][1]

    def live(self, *functions: str, apart: float = 0.0, after: float = 0.0) -> list[tuple[float, str]]:
        """Invoke the functions, so many seconds after another; when each ended, and how."""

        async def one(number: int, function: str) -> tuple[float, str]:
            await asyncio.sleep(after + number * apart)
            return (lambda finished: (now(), finished.error))(await self.engine.invoke(function, TRIGGER))

        async def life() -> list[tuple[float, str]]:
            await self.engine.start()
            found = await asyncio.gather(*(one(number, function) for number, function in enumerate(functions)))
            await self.engine.stop(0)
            return list(found)

        return run(life())


def test_a_timeout_takes_the_worker_and_all_that_runs_in_it() -> None:
    """5: at timeout: result failed -> worker process restarted (all its invocations fail)."""
    world = World(function_timeout=10.0)

    ended = world.live("sleep-60", "sleep-60", apart=4)

    assert ended == [(11.0, "timed out after 10 s (functionTimeout)"), (11.0, "the worker process ended (exit code -9)")]


def test_the_clock_starts_when_the_invocation_is_accepted() -> None:
    """5: clock starts when the host starts the invocation (queueing in the worker counts)."""
    assert World(function_timeout=10.0).live("sleep-9.5") == [(10.5, "ran on 0")]


def test_without_a_limit_a_function_runs_as_long_as_it_likes() -> None:
    """5: -1 = none."""
    assert World(function_timeout=None).live("sleep-100000") == [(100001.0, "ran on 0")]


def test_what_comes_after_a_crash_waits_for_the_next_worker() -> None:
    """6, 0.6: the host restarts the whole Python worker process."""
    world = World()

    ended = world.live("crash", "sleep-1", apart=0.5)

    assert ended == [(1.0, "the worker process ended (exit code -9)"), (3.0, "ran on 1")]


def test_several_workers_start_apart_and_take_turns() -> None:
    """4: FUNCTIONS_WORKER_PROCESS_COUNT 1..10, extra processes start 10 s apart, round-robin."""
    world = World(workers=3)

    ended = world.live("a", "b", "c", "d", apart=0.1, after=40)

    assert [time for time, _ in world.workers] == [1.0, 12.0, 22.0]
    assert [text for _, text in ended] == ["ran on 0", "ran on 1", "ran on 2", "ran on 0"]


def test_a_crash_of_one_worker_leaves_the_others_alone() -> None:
    """0.6: every other in-flight invocation of that process fails too - of that process."""
    ended = World(workers=2).live("sleep-5", "crash", "x", apart=0.5, after=40)

    assert [text for _, text in ended] == ["ran on 0", "the worker process ended (exit code -9)", "ran on 0"]


@pytest.mark.parametrize(("crashes", "apart", "recycled"), [(2, 5.0, 0), (3, 5.0, 1), (5, 2000.0, 0)])
def test_a_host_whose_workers_crash_again_and_again_is_recycled(crashes: int, apart: float, recycled: int) -> None:
    """Source of the host's dispatcher: the third crash of a worker within half an hour of the last is the host's end."""
    world = World()

    world.live(*["crash"] * crashes, apart=apart)

    assert len(world.recycled) == recycled
    assert all("Exceeded language worker restart retry count" in reason for reason in world.recycled)


def test_time_outs_are_not_counted_as_crashes() -> None:
    world = World(function_timeout=1.0)

    ended = world.live(*["sleep-60"] * 5, apart=10)

    assert [error for _, error in ended] == ["timed out after 1 s (functionTimeout)"] * 5
    assert world.recycled == []


def test_a_worker_that_cannot_be_replaced_ends_the_host() -> None:
    world = World()

    async def life() -> None:
        await world.engine.start()
        world.broken = True
        await world.engine.invoke("crash", TRIGGER)
        await asyncio.sleep(2)
        await world.engine.stop(0)

    run(life())

    assert world.fatal == ["the app cannot be loaded"]


@pytest.mark.parametrize(
    ("function", "stopped", "how"), [("sleep-5", 6.0, "ran on 0"), ("sleep-60", 12.0, "the worker process ended (exit code -9)")]
)
def test_a_stopping_host_waits_ten_seconds_for_what_runs_and_then_kills(function: str, stopped: float, how: str) -> None:
    """6: waits <= 10 s for running invocations, then kills the Python process."""
    world = World(function_timeout=None)

    async def life() -> tuple[float, str]:
        await world.engine.start()
        running = asyncio.create_task(world.engine.invoke(function, TRIGGER))
        await asyncio.sleep(1)
        await world.engine.stop(10.0)
        return round(now(), 1), (await running).error

    assert run(life()) == (stopped, how)


def test_an_invocation_that_waits_for_a_worker_learns_that_there_will_be_none() -> None:
    world = World()

    async def life() -> Finished:
        await world.engine.start()
        await world.engine.invoke("crash", TRIGGER)
        waiting = asyncio.create_task(world.engine.invoke("x", TRIGGER))
        await asyncio.sleep(0.1)
        await world.engine.stop(0)
        return await waiting

    assert run(life()).error == "the host is stopping"
