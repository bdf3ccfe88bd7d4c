"""The worst nights: poisoned ends that are resumed at once, launches that die, storage that is slow while everything is due."""

from __future__ import annotations

import json

from loadme import store
from loadme.core.messages import StepOutcome, StepRequest
from loadme.core.outcome import Error
from loadme.handlers import callback as callbacks
from loadme.handlers import control, poison
from tests.unit.poisoned_ends import LATER, poisoned_end
from tests.world import World, attempt_id

TEXT = json.dumps(
    {
        "name": "sample",
        "steps": {
            "w": {"image": "img"},
            "y": {"image": "img"},
            "x": {"image": "img", "needs": ["w"], "retry": {"attempts": 3, "delay": "1s", "max_delay": "1s"}},
        },
    }
)


def resumed_with_an_old_item():
    """x is at work; the outcome of y is poison, so the run fails; its end is told; the request that stops x is a
    moment late; resume from w.
    """
    world, run, x = poisoned_end(TEXT, first="w", then="x", poisoned="y")
    control.resume(world.services, run.id, {"from": "w"})
    world.drain(keep=LATER)  # the late request is of an old generation and does nothing
    return world, run, x


def test_an_old_item_that_would_be_tried_again_does_not_multiply_messages():
    world, run, x = resumed_with_an_old_item()
    callbacks.failure(world.services, world.call(x, {"message": "no"}))  # within a minute of the resume: x has not been stopped yet
    world.arm.finish(x, exit_code=1, at=world.moment)
    w = attempt_id(run, "w", attempt=2)
    for _ in range(10):
        if w in world.arm.container_groups:
            break
        world.live(1 / 60)
    world.arm.finish(w, exit_code=1, at=world.moment)  # so x is skipped, and the run is over
    y = attempt_id(run, "y", attempt=2)
    if y in world.arm.container_groups:
        world.arm.finish(y, exit_code=1, at=world.moment)
    world.live(3)
    assert world.show(run)["status"] == "failed"
    world.assert_nothing_left()


def test_a_step_that_is_given_up_does_not_forget_an_attempt_that_is_at_work():
    world, run, _x = resumed_with_an_old_item()
    from loadme.core.outcome import Value
    from loadme.handlers.give_up import fail

    message = StepRequest(run=run.id, step="x", generation=1, variables=Value(inline={}))
    # x is to run again in generation 1, and its request is poison twice while the old container still works
    w = attempt_id(run, "w", attempt=2)
    for _ in range(20):
        if w in world.arm.container_groups:
            break
        world.drain(within=30, keep=(StepOutcome.queue,))
    world.arm.start(w, at=world.moment)
    world.report(w)
    world.drain(keep=(StepRequest.queue, *LATER))
    before = store.read_item(world.tables, run.id, "x", 0).item
    assert before.outcome is None, "precondition: the old attempt is at work"
    fail(world.services, message, Error(kind="poison", message="twice"))
    item = store.read_item(world.tables, run.id, "x", 0).item
    assert item.numbered(1) is not None, "the attempt whose container is at work is in nobody's mind any more"


def test_a_tenth_claim_that_lives_is_not_failed_by_a_second_message():
    world = World("name: sample\nsteps: {only: {image: img}}")
    run = world.start()
    request = world.queues.bodies(StepRequest.queue)[0]
    real = world.arm.deploy

    def deploy(*given):
        if item().attempt.claims >= 10:
            world.arm.deploy = real
            world.deliver(request, StepRequest.queue)  # the same message a second time, while the first one is about to PUT
            return real(*given)
        raise MemoryError

    def item():
        return store.read_item(world.tables, run.id, "only", 0).item

    world.arm.deploy = deploy
    from loadme.handlers import launch_step as module

    keep = module._release
    module._release = lambda *_: None  # the process is dead: nothing is given back
    try:
        for _ in range(10):
            try:
                world.deliver(request, StepRequest.queue)
            except MemoryError:
                world.pass_time(121)
    finally:
        module._release = keep
    assert item().outcome is None, item().outcome.error.message


def test_a_resumed_step_does_not_wait_for_the_old_generations_next_try():
    text = json.dumps(
        {
            "name": "sample",
            "steps": {
                "y": {"image": "img"},
                "x": {"image": "img", "retry": {"attempts": 3, "delay": "6h", "max_delay": "6h"}},
            },
        }
    )
    world = World(text)
    run = world.start()
    world.drain(keep=LATER)
    x, y = attempt_id(run, "x"), attempt_id(run, "y")
    for name in (x, y):
        world.arm.start(name, at=world.moment)
    callbacks.failure(world.services, world.call(x, {"message": "no"}))
    world.arm.finish(x, exit_code=1, at=world.moment)
    world.report(y)
    world.queues.sent[:] = [one for one in world.queues.sent if one.queue != StepOutcome.queue]
    world.arm.finish(y, at=world.moment)
    poison._fail_run(world.services, StepOutcome(run=run.id, step="y", attempt=1), Error(kind="poison", message="twice"))
    world.drain(keep=(StepRequest.queue, *LATER))  # the end is told; the request that stops x is a moment late
    control.resume(world.services, run.id, {})
    world.live(0.5)
    assert attempt_id(run, "x", attempt=2) in world.arm.starts, world.show(run)["steps"]


def test_a_sweep_that_runs_out_of_time_reaches_the_last_groups_some_time():
    from datetime import timedelta

    from loadme.core import ids
    from loadme.core.arm import ContainerState, Group
    from loadme.handlers import sweep

    world = World("name: sample\nsteps: {only: {image: img}}")
    [world.start() for _ in range(20)]
    world.drain(keep=LATER)  # twenty groups of ours at work come first in ARM's list
    base = ids.earliest(world.moment - timedelta(days=1))
    name = f"lm-{base}-only-0-1"
    tags = {"loadme-app": world.services.settings.app, "loadme-run": base, "loadme-step": "only", "loadme-item": "0", "loadme-attempt": "1"}
    world.arm.container_groups[name] = Group(name, "Succeeded", "Running", {name: ContainerState("Running")}, tags, location="westeurope")
    real = sweep._judged

    def slow(*given):
        world.pass_time(3)  # some 30 ms for each of 1,000 groups
        return real(*given)

    sweep._judged = slow
    try:
        for _ in range(20):
            world.pass_time(601)
            sweep.sweep(world.services, world.moment + timedelta(seconds=30))
    finally:
        sweep._judged = real
    assert name not in world.arm.container_groups, "twenty sweeps, and the leaked group was never looked at"


def test_a_run_that_is_cancelled_soon_after_a_resume_ends_soon():
    world, run, _x = resumed_with_an_old_item()
    # y (generation 1) and w (generation 1) wait for their old groups; cancel now
    control.cancel(world.services, run.id, {})
    started = world.moment
    for _ in range(40):
        world.live(1 / 60)
        if world.show(run)["status"] == "cancelled":
            break
    took = (world.moment - started).total_seconds()
    assert took <= 120, took


def misfits_of(template, tmp_path):
    from loadme.cli import templates
    from loadme.definitions.workflow_files import load

    file = tmp_path / "t.json"
    file.write_text(json.dumps(template))
    workflow, _ = load("name: sample\nsteps: {only: {image: img}}", "s.yaml")
    return list(templates.misfits(workflow, templates.read([str(file)])))


def test_validate_finds_a_template_that_has_no_environment(tmp_path):
    assert misfits_of({"parameters": {"name": {"type": "string"}, "image": {"type": "string"}}}, tmp_path)


def make_slow(world, seam, method):
    """The seam's method answers after half a second from now on."""
    real = getattr(seam, method)

    def slow(*given, **named):
        world.pass_time(0.5)
        return real(*given, **named)

    setattr(seam, method, slow)


def test_a_tick_of_the_patrol_ends_before_its_function_is_killed():
    from datetime import timedelta

    from loadme.core import ids
    from loadme.core.arm import ContainerState, Group
    from loadme.handlers import patrol

    world = World("name: sample\nsteps: {only: {image: img}}")
    old = [world.start() for _ in range(60)]
    for one in old:
        control.cancel(world.services, one.id, {})
    world.live(0.2)
    world.pass_time(91 * 24 * 3600)  # sixty runs that retention takes away, 5 each in this tick
    for _ in range(100):
        world.start()
    for number in range(200):
        world.queues.send("loadme-checks-poison", json.dumps({"number": number}))
        world.queues.send("loadme-steps-poison", json.dumps({"number": number}))
    for number in range(100):
        base = ids.earliest(world.moment - timedelta(days=1, seconds=number))
        tags = {
            "loadme-app": world.services.settings.app,
            "loadme-run": base,
            "loadme-step": "only",
            "loadme-item": "0",
            "loadme-attempt": "1",
        }
        name = f"lm-{base}-only-0-1"
        world.arm.container_groups[name] = Group(
            name, "Succeeded", "Running", {name: ContainerState("Running")}, tags, location="westeurope"
        )
    world.pass_time(700)
    seams = [(world.tables, ("read", "write", "list", "delete", "remove")), (world.blobs, ("get", "put", "list", "remove"))]
    for seam, methods in seams:
        for method in methods:
            make_slow(world, seam, method)
    began = world.moment
    patrol.patrol(world.services)
    took = (world.moment - began).total_seconds()
    assert took <= world.services.settings.policy.function_timeout, f"{took} s: the host kills the worker with all that runs in it"
