"""Outages that last for hours: nothing multiplies, and when they are over the run ends right."""

from __future__ import annotations

import json

import pytest

from loadme.core.messages import StepCheck
from loadme.errors import Retryable, Unavailable
from loadme.handlers import callback as callbacks
from tests.world import World, launched

ONE = "name: sample\nsteps: {only: {image: img, timeout: 2h}}"


def test_a_log_that_stays_in_transition_ends_the_run():
    world, run, attempt = launched(ONE)
    world.calls("arm", "logs", Retryable("409", code="ContainerGroupTransitioning"))
    world.arm.finish(attempt, exit_code=3, at=world.moment)
    world.live(4)
    assert world.ended(run)["exit_code"] == 3


@pytest.mark.parametrize("method", ["group", "logs"])
def test_checks_do_not_multiply_in_an_outage_of_arm(method):
    world, _run, attempt = launched(ONE)
    world.arm.finish(attempt, at=world.moment)
    world.calls("arm", method, Unavailable("503"))
    world.live(4)
    assert len(world.queues.bodies(StepCheck.queue)) <= 2


def test_cleanups_do_not_multiply_in_an_outage_of_arm():
    world, _run, attempt = launched(ONE)
    world.report(attempt)
    world.calls("arm", "group", Unavailable("503"))
    world.live(4)
    assert len(world.queues.sent) <= 2


def test_outcomes_do_not_multiply_in_an_outage_of_blobs():
    world, _run, attempt = launched(ONE)
    world.report(attempt)
    world.calls("tables", "write", Unavailable("503"))
    world.live(4)
    assert len(world.queues.sent) <= 5


def test_requests_do_not_multiply_in_an_outage_of_tables_writes():
    world = World(ONE)
    world.start()
    world.calls("tables", "write", Unavailable("503"))
    world.live(4)
    assert len(world.queues.sent) <= 5


def test_requests_do_not_multiply_when_the_template_spec_is_out_of_reach():
    world = World(ONE)
    world.start()
    world.calls("arm", "template_parameters", Unavailable("503"))
    world.live(4)
    assert len(world.queues.sent) <= 3


def test_requests_do_not_multiply_when_a_definition_is_out_of_reach():
    text = "name: sample\nvariables: {text: ''}\nsteps: {only: {image: img}}"
    world = World(text)
    world.start(text="x" * 60_000)
    world.calls("blobs", "get", Unavailable("503"))
    world.live(4)
    assert len(world.queues.sent) <= 3


@pytest.mark.parametrize("how", ["failure", "verdict", "heartbeat"])
def test_a_token_in_a_message_is_masked(how):
    world, run, attempt = launched(ONE)
    token = world.environment(attempt)["LOADME_CALLBACK_TOKEN"]
    if how == "failure":
        callbacks.failure(world.services, world.call(attempt, {"message": token}))
    elif how == "heartbeat":
        callbacks.heartbeat(world.services, world.call(attempt, {"text": token}))
    else:
        said = {"loadme": {"attempt": attempt, "status": "failed", "exit_code": 1, "message": token}}
        world.arm.finish(attempt, log=f"::{json.dumps(said)}::\n", at=world.moment)
    world.live(0.2)
    assert token not in repr(world.show(run)) + repr(world.tables.rows)
