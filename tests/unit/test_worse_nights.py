"""Nights on which more than one thing goes wrong: bugs in a launch, PUTs that come late, resumes in a hurry, a patrol that is too busy."""

from __future__ import annotations

import json
from datetime import timedelta

from loadme import store
from loadme.core import ids
from loadme.core.arm import ContainerState, Deployment, Group
from loadme.core.messages import StepCheck, StepCleanup, StepRequest
from loadme.errors import Rejected, Retryable, Terminal, Unavailable
from loadme.handlers import callback as callbacks
from loadme.handlers import control, patrol, poison, sweep
from tests.unit.poisoned_ends import LATER, poisoned_end
from tests.world import SPEC, World, attempt_id, launched

ONE = "name: sample\nsteps: {only: {image: img}}"


def open_messages(world, queue):
    return [m for m in world.queues.sent if m.queue == queue]


def test_a_launch_that_meets_a_bug_each_time_ends_its_run():
    world = World(ONE)
    run = world.start()
    calls = world.calls("arm", "deploy", ValueError("a bug"))
    world.live(2)
    (kept,) = poison.kept(world.services, "")["messages"]
    error = world.show(run)["error"]
    assert (error["kind"], kept["id"] in error["message"] + error["hint"], len(calls)) == ("poison", True, 20)
    world.recover("arm", "deploy")


def test_the_patrol_reaches_every_run_however_many_are_open(monkeypatch):
    monkeypatch.setattr(patrol, "BATCH", 2)
    world = World(ONE)
    runs = [world.start() for _ in range(14)]
    world.queues.sent.clear()  # all messages are lost
    looked: set[str] = set()
    real = patrol._look_after
    monkeypatch.setattr(patrol, "_look_after", lambda services, run, etag: (looked.add(run), real(services, run, etag))[1])
    for _ in range(120):
        world.pass_time(60)
        patrol.patrol(world.services)
        world.queues.sent.clear()
    assert len(looked) == len(runs), f"{len(looked)} of {len(runs)} runs looked at in two hours"


def test_a_put_that_comes_late_after_a_cancel_leaves_no_group_at_work():
    world = World(ONE)
    run = world.start()
    attempt_id(run, "only")
    world.arm.errors["deploy"].append(Unavailable("no answer"))  # ARM carries it out 20 s later
    world.drain(keep=LATER)
    control.cancel(world.services, run.id, {})
    world.drain(within=20)
    state = store.read_item(world.tables, run.id, "only", 0).item
    assert state.attempt.cleanup != "done", "counted as gone 20 s after a PUT whose answer was lost (functionTimeout is 120 s)"


def test_no_second_group_is_started_beside_a_put_that_comes_late():
    world = World(ONE)
    run = world.start()
    name = attempt_id(run, "only")
    world.arm.errors["deploy"].append(Unavailable("no answer"))
    world.drain(keep=LATER)
    control.cancel(world.services, run.id, {})
    world.drain(within=20)
    control.resume(world.services, run.id, {})
    world.arm.deploy(name, SPEC, {"location": "westeurope", "tags": {}})  # ARM carries the first PUT out now, 20 s after it was sent
    world.drain(within=10)
    assert len(world.arm.container_groups) <= 1, sorted(world.arm.container_groups)


def test_a_group_that_is_created_between_the_two_looks_of_a_cleanup_is_not_forgotten():
    world, run, name = launched(ONE)
    group = world.arm.container_groups.pop(name)  # ARM is slow: the deployment runs, the group is not there yet
    world.pass_time(200)  # past functionTimeout
    world.moment += timedelta(0)
    control.cancel(world.services, run.id, {})
    world.drain(keep=(StepCheck.queue, StepCleanup.queue))
    real = world.arm.group

    def slow(asked):
        found = real(asked)
        if found is None and asked == name and name in world.arm.deployments and not world.arm.deployments[name].is_over:
            world.arm.container_groups[name] = group
            world.arm.start(name, at=world.moment)
        return found

    world.arm.group = slow
    world.drain(within=300, keep=(StepCheck.queue,))
    item = store.read_item(world.tables, run.id, "only", 0).item
    assert (item.attempt.cleanup, name in world.arm.container_groups) != ("done", True)


TWO = "name: sample\nsteps: {x: {image: img}, y: {image: img}, b: {image: img, needs: [x], timeout: 12h}}"


def poisoned_run():
    """x has succeeded, b is at work, the outcome of y is poison: the run has failed and its end was told; b is to be stopped."""
    return poisoned_end(TWO, first="x", then="b", poisoned="y")


def test_a_resume_soon_after_a_poisoned_end_does_not_wait_for_the_old_container():
    world, run, _b = poisoned_run()
    control.resume(world.services, run.id, {})
    world.live(2)
    assert attempt_id(run, "b", attempt=2) in world.arm.starts, "the resumed step still waits for the old generation's container"


def test_requests_do_not_multiply_while_a_resumed_step_waits():
    world, run, _b = poisoned_run()
    control.resume(world.services, run.id, {})
    world.live(2)
    assert len(open_messages(world, StepRequest.queue)) <= 2, len(open_messages(world, StepRequest.queue))


def test_a_resumed_run_whose_old_item_was_not_applied_is_let_go_of_in_the_end():
    world, run, b = poisoned_run()
    control.resume(world.services, run.id, {"from": "x"})
    world.live(1 / 60)
    world.arm.finish(b, at=world.moment)
    world.live(0.2)
    for step in ("x", "y"):
        name = attempt_id(run, step, attempt=2)
        world.arm.finish(name, exit_code=1, at=world.moment)
    world.live(3)
    assert world.show(run)["status"] == "failed"
    world.assert_nothing_left()


def test_failures_that_are_reported_by_callback_are_tried_again_with_jitter():
    delays = set()
    for seed in range(5):
        world = World(
            json.dumps(
                {
                    "name": "sample",
                    "steps": {"only": {"image": "img", "retry": {"attempts": 2, "delay": "1000s", "max_delay": "1h", "jitter": "full"}}},
                }
            )
        )
        world.random.seed(seed)
        run = world.start()
        world.drain(keep=LATER)
        callbacks.failure(world.services, world.call(attempt_id(run, "only"), {"message": "no"}))
        item = store.read_item(world.tables, run.id, "only", 0).item
        delays.add((item.retry.at - world.moment).total_seconds())
    assert delays != {1000.0}, delays


def test_a_check_waits_as_long_as_arm_asks():
    world, _run, name = launched(ONE)
    world.arm.start(name, at=world.moment)
    when = world.calls("arm", "group", Retryable("throttled", after=300.0, code="SubscriptionRequestsThrottled"))
    world.drain(within=280)
    assert len(when) == 1, [str(one.time()) for one in when]


def test_a_full_deployment_history_is_waited_for():
    world = World(ONE)
    run = world.start()
    world.calls("arm", "deploy", Retryable("quota of 800", code="DeploymentQuotaExceeded"))
    world.live(1.0)
    world.recover("arm", "deploy")
    assert world.show(run)["status"] == "running", world.show(run)["error"]["message"]


def test_the_sweep_touches_no_record_of_another_app():
    world = World(ONE)
    world.arm.deployments["x"] = Deployment("x", "Succeeded")
    other = f"lm-{ids.earliest(world.moment - timedelta(hours=3))}-only-0-1"
    world.arm.deployments[other] = Deployment(other, "Failed")  # of another app's attempt: quota, no group; its check comes in a moment
    sweep.sweep(world.services, world.moment + timedelta(seconds=30))
    assert other in world.arm.deployments


def test_the_sweep_touches_no_untagged_group_of_another_app():
    world = World(ONE)
    other = f"lm-{ids.earliest(world.moment - timedelta(hours=3))}-only-0-1"
    world.arm.container_groups[other] = Group(other, "Succeeded", "Running", {other: ContainerState("Running")}, {}, location="westeurope")
    sweep.sweep(world.services, world.moment + timedelta(seconds=30))
    assert other in world.arm.container_groups


def test_many_failures_with_long_words_of_any_language_spend_all_their_attempts():
    text = json.dumps({"name": "sample", "steps": {"only": {"image": "img", "retry": {"attempts": 25, "delay": "1s", "max_delay": "1s"}}}})
    world = World(text)
    run = world.start()
    lines = ["漢" * 500] * 20
    for number in range(1, 25):
        name = attempt_id(run, "only", attempt=number)
        for _ in range(20):
            if name in world.arm.container_groups:
                break
            world.live(1 / 60)
        assert name in world.arm.container_groups, (number, world.show(run)["status"], (world.show(run)["error"] or {}).get("message"))
        world.arm.start(name, at=world.moment)
        callbacks.failure(world.services, world.call(name, {"message": "no", "details": lines, "log": lines}))
        world.arm.finish(name, exit_code=1, at=world.moment)
        world.live(1 / 15)


def test_a_request_of_a_later_attempt_has_its_own_second_chance():
    text = json.dumps({"name": "sample", "steps": {"only": {"image": "img", "retry": {"attempts": 3, "delay": "1s", "max_delay": "1s"}}}})
    world = World(text)
    run = world.start()
    body = world.queues.bodies(StepRequest.queue)[0]
    world.queues.sent.clear()
    world.queues.send(f"{StepRequest.queue}-poison", body)  # killed ten times
    poison.drain(world.services)
    world.live(1 / 30)
    world.arm.finish(attempt_id(run, "only"), exit_code=1, at=world.moment)
    world.drain(within=200, keep=(StepRequest.queue, StepCleanup.queue))
    later = world.queues.bodies(StepRequest.queue)
    world.queues.sent[:] = [one for one in world.queues.sent if one.queue != StepRequest.queue]
    for one in later[:1]:
        world.queues.send(f"{StepRequest.queue}-poison", one)
    poison.drain(world.services)
    assert store.read_item(world.tables, run.id, "only", 0).item.retry is not None, "poison once, and given up"


def test_a_token_in_arms_words_is_masked():
    world = World(ONE)
    run = world.start()
    attempt_id(run, "only")

    def refuse(asked, spec, parameters):
        raise Terminal(f"the value '{parameters['environment']['secure']['LOADME_CALLBACK_TOKEN']}' is not valid", code="InvalidTemplate")

    world.arm.deploy = refuse
    world.live(0.1)
    text = json.dumps(world.show(run)) + "".join(row.body.decode() for row in world.tables.rows.values())
    assert "v1.k1." not in text


def test_a_refusal_that_no_table_knows_and_that_lasts_ends_the_run():
    world = World(ONE)
    run = world.start()
    calls = world.calls("arm", "deploy", Retryable("409: the resource group is being deleted", code="ResourceGroupBeingDeleted"))
    world.live(24)
    assert world.show(run)["status"] == "failed", f"after a day: {world.show(run)['status']}, {len(calls)} PUTs"


def test_a_resume_that_was_not_done_is_not_confirmed():
    world = World("name: sample\nvariables: {day: monday}\nsteps: {only: {image: img}}")
    run = world.start()
    control.cancel(world.services, run.id, {})
    world.live(0.2)
    world.before("write", 2, lambda: control.resume(world.services, run.id, {}))
    try:
        control.resume(world.services, run.id, {"variables": {"day": "friday"}})
    except (Rejected, Retryable):
        return
    assert world.show(run)["variables"] == {"day": "friday"}, "202, and the variables that were asked for are dropped"


def test_a_busy_patrol_still_removes_what_leaked():
    world = World(ONE)
    for _ in range(60):
        world.start()
    world.queues.sent.clear()
    old = ids.earliest(world.moment - timedelta(days=1))
    name = f"lm-{old}-only-0-1"
    tags = {"loadme-app": "loadme", "loadme-run": old, "loadme-step": "only", "loadme-item": "0", "loadme-attempt": "1"}
    world.arm.container_groups[name] = Group(name, "Succeeded", "Running", {name: ContainerState("Running")}, tags, location="westeurope")
    real = store.read_items

    def slow(*given, **named):
        world.pass_time(3)  # a tick's 30 s are over after ten runs; ordinary storage needs some 300 runs that are due for that
        return real(*given, **named)

    from loadme.handlers import patrol as module

    module.store.read_items = slow
    try:
        for _ in range(120):
            world.pass_time(60)
            patrol.patrol(world.services)
            world.queues.sent.clear()
    finally:
        module.store.read_items = real
    assert name not in world.arm.container_groups, "after two hours of ticks the sweep has not been made once"


def test_retention_does_not_depend_on_arm(monkeypatch):
    world = World(ONE)
    looked: list[bool] = []
    monkeypatch.setattr("loadme.handlers.retention.sweep", lambda *_: looked.append(True) or (0,))
    world.arm.errors["groups"].append(Unavailable("down"))
    patrol.patrol(world.services)
    assert looked


def test_a_run_whose_end_cannot_be_told_can_be_let_go_of():
    world = World(ONE)
    run = world.start()
    world.live(1 / 30)
    real = world.queues.send

    def send(queue, body, delay=0.0):
        if queue == "loadme-events":
            raise Terminal("403: no role on this queue")
        real(queue, body, delay)

    world.queues.send = send
    world.arm.finish(attempt_id(run, "only"), at=world.moment)
    world.live(24)
    assert world.tables.list("open") == []
