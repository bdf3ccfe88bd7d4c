from __future__ import annotations

import pytest

from loadme import claims, store
from loadme.azure.storage.tables import MAX_BODY
from loadme.core import runs
from loadme.core.events import Collected, LanesSeen
from loadme.core.messages import StepRequest
from loadme.core.outcome import SHORT, Error, Outcome, Value
from loadme.core.state import Lane, Run
from loadme.definitions import sizes
from loadme.definitions.validation import parse
from loadme.handlers.expand import expand
from tests.world import World

STEPS = 500


def world_of(step: str) -> World:
    steps = "".join(f"  a-step-with-a-long-name-{number:03}: {{{step}, on_error: continue}}\n" for number in range(STEPS))
    return World(f"name: sample\nvariables: {{text: x}}\nsteps:\n{steps}")


def size(run: Run) -> int:
    assert run.status == "succeeded"
    world = World("name: sample\nsteps: {only: {image: img}}\n")
    store.write(world.tables, store.StoredRun(run=run))
    row = world.tables.read(run.id, "run")
    assert row is not None
    return len(row.body)


@pytest.mark.parametrize("char", ["x", "漢", "\x01"])
def test_the_errors_of_500_steps_have_room_in_the_row_of_their_run_whatever_they_are_written_in(char: str):
    world = world_of("image: img")
    run, workflow = world.start(), world.services.catalogue.workflows["sample"]
    error = Error(kind="exit_code", message=char * 2000, exit_code=1, hint="h" * SHORT)
    for name in workflow.steps:
        run = runs.applied(workflow, run, name, Outcome(status="failed", at=world.moment, error=error), world.moment)
    assert size(run) < MAX_BODY


def test_500_steps_with_items_have_room_in_the_row_of_their_run():
    world = world_of("image: img, for_each: [1], outputs: {a: string}")
    workflow = world.services.catalogue.workflows["sample"]
    run, room = world.start(text="x" * 950), sizes.room(workflow)
    for name in workflow.steps:
        expand(world.services, StepRequest(run=run.id, step=name, part="expand", variables=Value(inline={})))
    run = store.read_run(world.tables, run.id).run
    error = Error(kind="exit_code", message="x" * SHORT, exit_code=1, item=0)
    for name in workflow.steps:
        lane = Lane(run=run.id, step=name, lane=0, item=1, is_over=True, failed=1, error=error)
        run = runs.changed(workflow, run, LanesSeen(step=name, generation=0, lanes=(lane,)), world.moment)
        outputs = claims.keep(world.blobs, "outputs", {"outputs": {"a": ["y" * (room - 30)]}}, room)
        assert outputs.inline
        run = runs.changed(workflow, run, Collected(step=name, generation=0, outputs=outputs), world.moment)
    assert size(run) < MAX_BODY


@pytest.mark.parametrize(("count", "most"), [(1, sizes.MOST_OUTPUTS), (STEPS, sizes.ALL_OUTPUTS // STEPS)])
def test_outputs_that_a_catch_gives_are_refused_when_the_runs_row_has_no_room_for_every_steps(count: int, most: int) -> None:
    def problems(size: int) -> list[str]:
        text = "x" * (size - len('{"a":""}'))
        step = {"image": "i", "outputs": {"a": "string"}, "catch": [{"outputs": {"a": text}}]}
        rest = {f"s{number}": {"image": "i"} for number in range(1, count)}
        return [problem.path for problem in parse({"name": "w", "steps": {"s0": step, **rest}})[1]]

    assert problems(most) == []
    assert problems(most + 1) == ["steps.s0.catch[0].outputs"]
