"""A run that has just failed because a message about one of its steps is poison, while another step is still at work."""

from __future__ import annotations

from loadme import store
from loadme.core.messages import StepCheck, StepCleanup, StepOutcome, StepRequest
from loadme.core.outcome import Error
from loadme.core.state import Run
from loadme.handlers import poison
from tests.world import World, attempt_id

LATER = (StepCheck.queue, StepCleanup.queue)
"""What comes with a delay."""


def poisoned_end(text: str, *, first: str, then: str, poisoned: str) -> tuple[World, Run, str]:
    """`first` has succeeded, so that `then` is at work, whose attempt is given back; the outcome of `poisoned` is poison. The run's end is
    told; the request that stops `then` is a moment late."""
    world = World(text)
    run = world.start()
    world.drain(keep=LATER)
    begun = [attempt_id(run, name) for name in (first, poisoned)]
    for name in begun:
        world.arm.start(name, at=world.moment)
    world.report(begun[0])
    world.drain(keep=LATER)
    left = attempt_id(run, then)
    world.arm.start(left, at=world.moment)
    world.report(begun[1])
    world.queues.sent[:] = [one for one in world.queues.sent if one.queue != StepOutcome.queue]
    message = StepOutcome(run=run.id, step=poisoned, attempt=1)
    poison._fail_run(world.services, message, Error(kind="poison", message="twice"))
    for name in begun:
        world.arm.finish(name, at=world.moment)
    world.drain(keep=(StepRequest.queue, *LATER))
    assert store.read_run(world.tables, run.id).run.announced
    return world, run, left
