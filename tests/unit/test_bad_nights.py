"""One bad thing in the world, and hours pass: the run has ended right, nothing has multiplied, nothing is left."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loadme import store
from loadme.core import tokens
from loadme.core.arm import ContainerState
from loadme.core.messages import StepRequest, decode
from loadme.errors import Absent, Conflict, Retryable, Terminal, Unavailable
from loadme.handlers import callback as callbacks
from loadme.handlers import queries
from loadme.handlers.patrol import patrol
from tests.world import KEY, PARAMETERS, SPEC, World, attempt_id, die, launched

ONE = "name: sample\nsteps: {only: {image: img, timeout: 2h}}"
COUNTED = "name: sample\nsteps: {only: {image: img, outputs: {rows: integer}}}"
REFUSED = Terminal("the role is missing", code="AuthorizationFailed")
TRANSITION = Retryable("409", code="ContainerGroupTransitioning")


def test_many_failures_with_long_logs_end_the_run():
    world, run, _ = launched("name: sample\nsteps: {" + ", ".join(f"s{number}: {{image: img}}" for number in range(14)) + "}")
    lines = ["\u4e16" * 500] * 20
    for attempt in list(world.arm.container_groups):
        callbacks.failure(world.services, world.call(attempt, {"message": "m" * 2000, "log": lines, "details": lines}))
        world.arm.finish(attempt, exit_code=1, at=world.moment)
    world.live(0.5)
    world.ended(run)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ('{"loadme": {"attempt": "ID", "status": "succeeded", "outputs": [1]}}', "succeeded"),
        ('{"loadme": {"attempt": "ID", "status": "failed", "exit_code": ' + "9" * 30 + "}}", "failed"),
        ('{"loadme": [1]}', "succeeded"),
        ('{"a":' + "[" * 7000 + "]" * 7000 + "}", "succeeded"),
    ],
)
def test_whatever_a_container_writes_its_run_ends(words, status):
    world, run, attempt = launched(ONE)
    world.arm.finish(attempt, log=f"::{words.replace('ID', attempt)}::\n", at=world.moment)
    world.live(3)
    world.ended(run, status)


def test_a_verdict_counts_although_the_log_was_out_of_reach_at_first():
    world, run, attempt = launched(ONE)
    said = {"loadme": {"attempt": attempt, "status": "failed", "exit_code": 3}}
    world.arm.finish(attempt, log=f"::{json.dumps(said)}::\n", at=world.moment)
    world.arm.errors["logs"] = [REFUSED, TRANSITION]
    world.live(1)
    assert world.ended(run)["exit_code"] == 3


def test_outputs_that_are_missing_at_the_end_are_explained_with_the_log_and_the_exit_code():
    world, run, attempt = launched(COUNTED)
    world.arm.finish(attempt, log="why it did not\n", at=world.moment)
    world.live(0.5)
    error = world.ended(run)
    assert (error["kind"], error["log"], error["exit_code"]) == ("outputs", ("why it did not",), 0)


def test_an_exit_code_counts_although_the_log_is_refused_for_ever():
    world, run, attempt = launched(ONE)
    world.calls("arm", "logs", REFUSED)
    world.arm.finish(attempt, exit_code=3, at=world.moment)
    world.live(0.5)
    assert world.ended(run)["exit_code"] == 3


@pytest.mark.parametrize("trouble", [REFUSED, TRANSITION])
def test_a_log_that_cannot_be_read_does_not_hold_the_cleanup_up(trouble):
    world, run, attempt = launched(ONE)
    world.calls("arm", "logs", trouble)
    world.arm.fail_deployment(attempt, "InaccessibleImage", "no")
    world.live(0.5)
    assert world.ended(run)["kind"] == "image"


def test_cleanup_that_is_refused_is_tried_once_a_minute_until_it_may():
    world, run, attempt = launched(ONE)
    world.report(attempt)
    world.arm.finish(attempt, at=world.moment)
    deletes = world.calls("arm", "delete_group", Terminal("locked", code="ScopeLocked"))
    world.live(3)
    assert 1 <= len([one for one in deletes if one > world.moment - timedelta(hours=1)]) <= 61
    assert len(world.queues.sent) == 1
    world.recover("arm", "delete_group")
    world.live(0.1)
    world.ended(run, "succeeded")


def test_cleanup_leaves_a_deployment_alone_that_is_still_active_and_deletes_what_it_brings():
    world, run, attempt = launched(ONE)
    late = world.arm.container_groups.pop(attempt)
    world.report(attempt)
    world.live(1)
    assert attempt in world.arm.deployments
    world.arm.container_groups[attempt] = late
    world.arm.start(attempt, at=world.moment)
    world.live(0.2)
    world.ended(run, "succeeded")


def test_the_patrol_reaches_every_one_of_205_runs():
    world = World(ONE)
    runs = [world.start().id for _ in range(205)]
    world.queues.sent.clear()
    world.pass_time(301)
    assert [patrol(world.services)["looked"] for _ in range(3)] == [200, 5, 0]
    assert sorted(decode(body).message.run for body in world.queues.bodies(StepRequest.queue)) == sorted(runs)


@pytest.mark.parametrize("trouble", [Retryable("409 MissingSubscriptionRegistration"), Conflict("409 ResourceAlreadyExists")])
def test_a_launch_that_is_refused_for_now_waits_with_one_request_and_says_why(trouble):
    world = World(ONE)
    run, puts = world.start(), world.calls("arm", "deploy", trouble)
    for _ in range(4):
        begun = world.moment
        world.live(1)
        assert 1 <= len([put for put in puts if put >= begun]) <= 20
        assert len(world.queues.bodies(StepRequest.queue)) == 1
        assert str(trouble) in world.show(run)["steps"][0]["waiting"]["why"]
    world.recover("arm", "deploy")
    world.live(0.2)
    step, attempt = world.show(run)["steps"][0], attempt_id(run, "only")
    assert (world.arm.starts[attempt], step["status"], step["waiting"]) == (1, "running", None)
    assert tokens.verify({"k1": KEY}, world.environment(attempt)["LOADME_CALLBACK_TOKEN"], attempt, world.moment)
    assert world.environment(attempt)["LOADME_DEADLINE"] > f"{world.moment + timedelta(hours=2):%FT%T}"


def test_a_container_that_is_restarted_after_its_start_is_still_at_work():
    world, run, attempt = launched(ONE)
    world.arm.start(attempt, at=world.moment)
    world.live(0.7)
    world.arm._set(attempt, "Running", ContainerState("Waiting", detail_status="CrashLoopBackOff", restart_count=1))
    world.live(0.1)
    assert world.show(run)["status"] == "running"


def test_restarts_do_not_begin_the_timeout_anew():
    world, run, attempt = launched("name: sample\nsteps: {only: {image: img, timeout: 15m}}")
    for _ in range(10):
        if attempt in world.arm.container_groups:
            world.arm.start(attempt, at=world.moment)
        world.live(1 / 12)
    assert world.ended(run)["kind"] == "timed_out"


def test_a_group_that_somebody_deleted_with_its_record_is_missed():
    world, run, attempt = launched("name: sample\nsteps: {only: {image: img, retry: {infrastructure: 0}}}")
    world.arm.start(attempt, at=world.moment)
    world.live(0.1)
    world.arm.container_groups.clear()
    world.arm.deployments.clear()
    world.live(0.2)
    assert "somebody deleted them" in world.ended(run)["message"]


def test_a_run_whose_values_somebody_deleted_ends():
    world = World("name: sample\nvariables: {text: ''}\nsteps: {only: {image: img}}")
    run = world.start(text="x" * 60_000)
    world.blobs.data = {name: data for name, data in world.blobs.data.items() if not name.startswith("runs/")}
    world.live(1)
    assert "somebody deleted it" in store.read_run(world.tables, run.id).run.error.message
    world.assert_nothing_left()


def test_a_put_whose_answer_was_lost_and_that_comes_late_leaks_nothing():
    world = World(ONE)
    run = world.start()
    world.arm.errors["deploy"] = [Unavailable("504"), REFUSED]
    world.live(1 / 60)
    assert world.show(run)["status"] == "failed"
    world.arm.deploy(attempt_id(run, "only"), SPEC, {})
    world.arm.start(attempt_id(run, "only"))
    world.live(3)
    world.ended(run)


@pytest.mark.parametrize("row", ["run", "i~only~00000"])
def test_a_write_that_met_itself_holds_nothing_up(row):
    world, lost = World(ONE), []
    real = world.tables.write

    def write(rows: Any) -> Any:
        written = real(rows)
        if rows[0].row == row and not lost:
            lost.append(row)
            raise Conflict("the write that is sent again meets itself")
        return written

    world.tables.write = write
    run = world.start()
    world.live(1 / 20)
    assert (lost, world.arm.starts[attempt_id(run, "only")]) == ([row], 1)


def test_a_start_that_could_send_nothing_is_durable_and_goes_on_later():
    world = World(ONE)
    world.calls("queues", "send", Unavailable("no answer"))
    run = world.start()
    world.recover("queues", "send")
    world.live(0.2)
    assert world.arm.starts[attempt_id(run, "only")] == 1


def test_a_queue_that_is_gone_does_not_make_the_patrol_forget_a_run():
    world = World(ONE)
    run = world.start()
    world.queues.sent.clear()
    world.calls("queues", "send", Absent("there is no such queue"))
    world.live(0.2)
    assert [row.row for row in world.tables.list("open")] == [run.id]


def test_what_is_left_of_a_start_that_was_cut_is_not_listed_for_ever():
    world = World(ONE)
    del world.tables.rows[world.start().id, "run"]
    world.live(0.2)
    assert queries.list_runs(world.services, queries.Query())["runs"] == []
    world.assert_nothing_left()


def test_a_start_that_is_retried_while_the_patrol_drops_the_cut_one_stays_known_to_it():
    world = World(ONE)
    world.before("write", 4, die)
    with pytest.raises(MemoryError):
        world.start(key="k")
    world.recover("tables", "write")
    world.pass_time(301)
    world.before("delete", 1, lambda: world.start(key="k"))
    patrol(world.services)
    assert [row.row for row in world.tables.list("open")] == [world.start(key="k").id]


def test_two_hosts_with_the_same_request_deploy_once():
    world = World(ONE)
    world.start()
    body, puts = world.queues.pop(StepRequest.queue).body, world.calls("arm", "deploy")
    world.before("write", 1, lambda: world.deliver(body, StepRequest.queue))
    world.deliver(body, StepRequest.queue)
    assert len(puts) == 1


def test_two_patrols_at_once_look_at_a_run_once():
    world, others = World(ONE), []
    world.start()
    world.queues.sent.clear()
    world.pass_time(301)
    world.before("write", 1, lambda: others.append(patrol(world.services)["looked"]))
    assert (patrol(world.services)["looked"], others) == (0, [1])
    assert len(world.queues.bodies(StepRequest.queue)) == 1


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_two_starts_at_once_with_one_key_are_one_run(number):
    world, others = World(ONE), []
    world.before("write", number, lambda: others.append(world.start(key="k").id))
    assert [world.start(key="k").id] == others
    assert len(queries.list_runs(world.services, queries.Query())["runs"]) == 1
    world.live(0.1)
    assert list(world.arm.starts.values()) == [1]


@pytest.mark.parametrize("part", [{"name": None}, {"environment": "object"}, {"environment": "securestring"}])
def test_a_template_that_would_leak_a_group_or_a_token_is_not_deployed(part):
    world = World(ONE)
    declared = [replace(one, type=part.get(one.name, one.type), has_default=True) for one in PARAMETERS]
    world.arm.specs[SPEC] = tuple(one for one in declared if one.type)
    run, puts = world.start(), world.calls("arm", "deploy")
    world.live(0.2)
    assert next(iter(part)) in world.ended(run)["message"]
    assert puts == []


def test_a_token_that_a_container_prints_is_in_no_log_no_archive_and_no_answer(caplog):
    caplog.set_level(logging.DEBUG)
    world, run, attempt = launched(ONE)
    token = world.environment(attempt)["LOADME_CALLBACK_TOKEN"]
    world.arm.start(attempt, at=world.moment)
    world.arm.contents[attempt] = f"TOKEN={token}\n"
    answers = [queries.read_log(world.services, run.id, "only")]
    callbacks.failure(world.services, world.call(attempt, {"message": "no", "log": [token], "details": [token]}))
    world.arm.finish(attempt, exit_code=1, log=f"TOKEN={token}\n", at=world.moment)
    world.live(0.5)
    answers += [queries.read_log(world.services, run.id, "only"), repr(world.ended(run))]
    assert answers[:2] == ["TOKEN=v1.***\n"] * 2
    assert token not in "".join(answers) + caplog.text + repr(world.tables.rows) + repr(world.blobs.data)
