"""Two functions at once, in an order that the worlds cannot play: there one that was begun later always ends first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from loadme.core.messages import StepCleanup
from loadme.errors import Conflict
from loadme.handlers import control
from loadme.handlers.clean_up import clean_up
from tests.world import World, attempt_id

WORKFLOW = "name: sample\nsteps: {only: {image: img}}"


def over() -> tuple[World, Any]:
    """A world with a run that has failed and is closed."""
    world = World(WORKFLOW)
    run = world.start()
    world.drain(within=1.0)
    world.arm.finish(attempt_id(run, "only"), exit_code=1, at=world.moment)
    world.live(hours=1)
    world.ended(run)
    return world, run


def closed_late(world: World, run: str, act: Callable[[], object]) -> None:
    """A cleanup's message comes again just before `act` reads the run, and deletes the patrol's row just after `act` is over."""
    tables, late = world.tables, []
    read, delete = tables.read, tables.delete
    begun: list[bool] = []

    def reading(partition: str, row: str) -> Any:
        is_there = tables.rows.get(("open", run)) is not None
        if is_there and not begun and (partition, row) == (run, "run"):
            begun.append(True)
            tables.delete = lambda *given: late.append(given)
            clean_up(world.services, StepCleanup(run=run, step="only"))
            tables.delete = delete
        return read(partition, row)

    tables.read = reading
    act()
    tables.read = read
    for given in late:
        with suppress(Conflict):
            delete(*given)


def test_a_run_that_somebody_lets_go_of_while_it_is_resumed_stays_known_to_the_patrol() -> None:
    world, run = over()

    closed_late(world, run.id, lambda: control.resume(world.services, run.id, {}))

    assert world.tables.list("open")
