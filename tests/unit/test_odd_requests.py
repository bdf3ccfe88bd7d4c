"""Requests that are odd, wrong or come twice, and settings that are wrong: what they are answered, and that they leave nothing behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadme import settings
from loadme.core.messages import StepRequest
from loadme.errors import Rejected, Terminal
from loadme.handlers import callback as callbacks
from loadme.handlers import queries, scheduled
from loadme.handlers.start import Start, start
from tests.world import World, attempt_id, die, launched

ONE = "name: sample\nsteps: {only: {image: img}}"
COUNTED = "name: sample\nsteps: {only: {image: img, outputs: {rows: integer}}}"
SECRET = "QUFBQUFBQUFBQUFBQUFBQUFB"


def status_of(call: Any, *args: Any) -> int:
    """The status with which a request is refused."""
    with pytest.raises(Rejected) as refused:
        call(*args)
    return refused.value.status


def test_outputs_and_a_failure_with_the_same_body_are_two_reports():
    world, _, attempt = launched(ONE)
    assert world.report(attempt) == "accepted"
    assert status_of(callbacks.failure, world.services, world.call(attempt, {})) == 409


def test_outputs_that_are_refused_are_refused_again_when_they_come_again():
    world, run, attempt = launched(COUNTED)
    assert [status_of(callbacks.callback, world.services, world.call(attempt, {"rows": "many"})) for _ in range(3)] == [422] * 3
    world.live(1)
    assert status_of(callbacks.callback, world.services, world.call(attempt, {"rows": "many"})) == 422
    assert world.show(run)["error"]["kind"] == "outputs"


def test_a_body_of_a_million_bytes_is_the_largest_and_a_larger_one_leaves_the_attempt_open():
    world, _, attempt = launched(ONE)
    body = json.dumps({"text": ""}).encode()
    fits = body.replace(b'""', b'"' + b"x" * (1_000_000 - len(body)) + b'"')
    assert status_of(callbacks.callback, world.services, world.call(attempt, body=fits + b" ")) == 413
    assert callbacks.callback(world.services, world.call(attempt, body=fits)) == "accepted"


@pytest.mark.parametrize("code", [99999999999999999999999999, 18446744073709551615, -1, True, "3", None])
def test_a_failure_with_an_odd_exit_code_is_accepted_and_ends_its_run(code):
    world, run, attempt = launched(ONE)
    assert callbacks.failure(world.services, world.call(attempt, {"exit_code": code})) == "accepted"
    world.arm.finish(attempt, exit_code=1, at=world.moment)
    world.live(0.5)
    world.ended(run)


def test_text_that_is_half_a_character_is_refused_and_leaves_the_attempt_open():
    world, _, attempt = launched(ONE)
    assert status_of(callbacks.failure, world.services, world.call(attempt, body=b'{"message":"\\ud800"}')) == 400
    assert world.report(attempt) == "accepted"


def test_a_step_that_is_named_at_run_time_is_read():
    first = "first: {image: img, outputs: {n: integer}}"
    only = "only: {image: img, needs: [first], env: {N: '${{ steps[variables.which].outputs.n }}'}}"
    world, run, attempt = launched(f"name: sample\nvariables: {{which: first}}\nsteps: {{{first}, {only}}}")
    world.report(attempt_id(run, "first"), n=7)
    world.live(1 / 60)
    assert world.environment(attempt)["N"] == "7"


@pytest.mark.parametrize("query", [{"status": "failed"}, {"workflow": "other"}, {"status": "failed", "workflow": "other"}])
def test_a_filter_of_the_listing_finds_the_run_that_it_names(query):
    world = World(ONE, ONE.replace("sample", "other"))
    world.start()
    run = world.start("other")
    world.calls("arm", "deploy", Terminal("no"))
    world.deliver(world.queues.bodies(StepRequest.queue)[1], StepRequest.queue)
    world.drain(keep=(StepRequest.queue,))
    assert [one["id"] for one in queries.list_runs(world.services, queries.Query(**query))["runs"]] == [run.id]


def test_a_limit_of_five_thousand_digits_is_refused():
    assert status_of(queries.list_runs, World(ONE).services, queries.Query(limit="9" * 5000)) == 400


def test_a_function_key_in_the_query_is_no_part_of_what_an_idempotency_key_stands_for():
    world = World(ONE)
    first = start(world.services, Start(workflow="sample", query={"code": "secret"}, key="k"))
    assert start(world.services, Start(workflow="sample", key="k")).id == first.id


def test_a_default_that_names_the_run_names_the_one_that_a_cut_start_reserved():
    world = World("name: sample\nvariables: {mine: {type: string, default: '${{ run.id }}'}}\nsteps: {only: {image: img}}")
    world.before("write", 2, die)
    with pytest.raises(MemoryError):
        world.start(key="k")
    run = world.start(key="k")
    assert world.show(run)["variables"] == {"mine": run.id}


def test_a_caller_cannot_take_the_key_of_a_schedule():
    world = World("name: sample\nvariables: {n: 1}\nschedules: [{cron: '0 0 * * * *', variables: {n: 5}}]\nsteps: {only: {image: img}}")
    world.start(key="schedule 0 2030-01-01T12:00:00.000Z", n=9)
    assert scheduled.start(world.services, "sample", 0) == 1
    (newest, _) = queries.list_runs(world.services, queries.Query())["runs"]
    assert queries.get_run(world.services, newest["id"])["variables"] == {"n": 5}


@pytest.mark.parametrize("keys", [f"{SECRET}:k1", f"2030.01:{SECRET}", f"k1:{SECRET[:8]}", f"k1{SECRET}"])
def test_bad_signing_keys_are_refused_and_not_shown(keys):
    with pytest.raises(settings.BadSettings, match="LOADME_TOKEN_KEYS: key 1") as wrong:
        settings.read({"LOADME_TOKEN_KEYS": keys}, Path())
    assert SECRET[:8] not in str(wrong.value)
