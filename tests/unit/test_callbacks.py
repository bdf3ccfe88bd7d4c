"""What the callback answers, and that a wrong call changes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from loadme.core import tokens
from loadme.core.messages import StepCheck, StepCleanup, StepOutcome
from loadme.errors import Rejected
from loadme.handlers import callback as callbacks
from loadme.handlers import queries
from tests.world import KEY, World, attempt_id

LATER = (StepCheck.queue, StepCleanup.queue)
WORKFLOW = """
name: sample
variables: {day: {type: string, default: monday}}
steps:
  only: {image: img, outputs: {rows: integer}}
  other: {image: img}
"""


@pytest.fixture
def world() -> World:
    return World(WORKFLOW)


@pytest.fixture
def attempt(world: World) -> str:
    run = world.start()
    world.drain(keep=LATER)
    return attempt_id(run, "only")


def status_of(call, *args) -> int:
    with pytest.raises(Rejected) as refused:
        call(*args)
    return refused.value.status


def shot(world: World) -> object:
    """All that is stored or sent."""
    return dict(world.tables.rows), dict(world.blobs.data), list(world.queues.sent)


def bad_tokens(world: World, attempt: str) -> dict[str, str]:
    good = world.environment(attempt)["LOADME_CALLBACK_TOKEN"]
    other = attempt.replace("-only-", "-other-")
    later = world.moment + timedelta(days=1)
    return {
        "none": "",
        "forged": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "truncated": good[:-1],
        "longer": good + "A",
        "foreign": world.environment(other)["LOADME_CALLBACK_TOKEN"],
        "expired": tokens.sign({"k1": KEY}, attempt, world.moment),
        "of another key": tokens.sign({"k1": b"another key of sixteen bytes"}, attempt, later),
        "of an unknown key id": tokens.sign({"k9": KEY}, attempt, later),
        "another expiry": ".".join([*good.split(".")[:2], "99999999999", good.split(".")[3]]),
        "not ascii": "é" * 60,
    }


def test_a_wrong_token_is_refused_always_the_same_and_changes_nothing(world, attempt):
    before = shot(world)
    answers = set()
    for token in bad_tokens(world, attempt).values():
        with pytest.raises(Rejected) as refused:
            callbacks.callback(world.services, world.call(attempt, {"rows": 1}, token=token))
        answers.add((refused.value.status, refused.value.title, refused.value.detail))
    unknown = attempt.replace("lm-", "lm-0")
    with pytest.raises(Rejected) as refused:
        callbacks.callback(world.services, world.call(attempt, {}, attempt=unknown))
    answers.add((refused.value.status, refused.value.title, refused.value.detail))

    assert len(answers) == 1
    assert answers.pop()[0] == 401
    assert shot(world) == before


def test_a_token_is_checked_before_the_body_is_read(world, attempt):
    assert status_of(callbacks.callback, world.services, world.call(attempt, token="no", body=b"x" * 2_000_000)) == 401


@pytest.mark.parametrize(
    ("body", "is_chunked", "status"),
    [
        (b"{", False, 400),
        (b"[1]", False, 400),
        (b'"x"', False, 400),
        (b"", True, 411),
        (b" " * 1_048_577, False, 413),
        (b"\xff", False, 400),
    ],
)
def test_a_bad_body_is_refused_and_the_attempt_stays_open(world, attempt, body, is_chunked, status):
    before = shot(world)
    call = world.call(attempt, body=body, is_chunked=is_chunked)
    assert status_of(callbacks.callback, world.services, call) == status
    assert shot(world) == before
    assert world.report(attempt, rows=1) == "accepted"


def test_the_same_report_again_is_accepted_and_its_message_sent_again(world, attempt):
    world.report(attempt, rows=1)
    world.queues.sent.clear()
    assert world.report(attempt, rows=1) == "accepted"
    assert len(world.queues.bodies(StepOutcome.queue)) == 1
    world.drain(keep=LATER)
    assert world.report(attempt, rows=1) == "accepted"


def test_another_report_after_an_accepted_one_is_a_conflict_and_the_first_one_stands(world, attempt):
    world.report(attempt, rows=1)
    before = shot(world)
    assert status_of(callbacks.callback, world.services, world.call(attempt, {"rows": 2})) == 409
    assert status_of(callbacks.failure, world.services, world.call(attempt, {"message": "no"})) == 409
    assert shot(world) == before


def test_an_attempt_that_a_check_has_ended_is_gone_for_its_container(world, attempt):
    world.arm.finish(attempt, exit_code=1, at=world.moment)
    world.drain(within=20, keep=(StepCleanup.queue,))
    before = shot(world)
    for call in (callbacks.callback, callbacks.failure, callbacks.heartbeat, callbacks.given_variables):
        assert status_of(call, world.services, world.call(attempt, {"rows": 1})) == 410
    assert shot(world) == before


def test_an_attempt_of_a_run_that_is_gone_is_over(world, attempt):
    world.tables.rows.clear()
    assert status_of(callbacks.callback, world.services, world.call(attempt, {"rows": 1})) == 410


@pytest.mark.parametrize("outputs", [{"rows": "many"}, {}, {"rows": 1, "bad name": 2}, {"rows": True}])
def test_outputs_of_another_shape_are_refused_by_name_and_fail_the_attempt(world, attempt, outputs):
    with pytest.raises(Rejected) as refused:
        callbacks.callback(world.services, world.call(attempt, outputs))
    world.drain(keep=LATER)

    assert refused.value.status == 422
    assert {error["field"] for error in refused.value.errors} <= {"rows", "bad name"}
    shown = queries.get_run(world.services, attempt.split("-")[1])
    failed = next(step for step in shown["steps"] if step["name"] == "only")
    assert (failed["status"], failed["error"]["kind"]) == ("failed", "outputs")


def test_outputs_may_carry_the_prefix_and_text_is_parsed_as_declared(world, attempt):
    callbacks.callback(world.services, world.call(attempt, {"___ROWS": "12", "___extra": [1]}))
    world.drain(keep=LATER)
    shown = queries.get_run(world.services, attempt.split("-")[1])
    assert shown["outputs"] == {"rows": 12, "extra": [1]}


def test_a_reported_failure_is_shown_with_its_log(world, attempt):
    given = {"kind": "exit_code", "message": "it broke", "exit_code": 3, "log": ["a", "b\x1b[31m"]}
    assert callbacks.failure(world.services, world.call(attempt, given)) == "accepted"
    world.drain(keep=LATER)
    error = next(step["error"] for step in queries.get_run(world.services, attempt.split("-")[1])["steps"] if step["name"] == "only")
    assert (error["kind"], error["message"], error["exit_code"], error["log"]) == ("exit_code", "it broke", 3, ("a", "b[31m"))


def test_progress_is_shown_and_a_fraction_must_be_one(world, attempt):
    callbacks.heartbeat(world.services, world.call(attempt, {"fraction": 0.5, "text": "half"}))
    step = next(step for step in queries.get_run(world.services, attempt.split("-")[1])["steps"] if step["name"] == "only")
    assert (step["progress"]["fraction"], step["progress"]["text"]) == (0.5, "half")
    for wrong in (2, -1, "x", True):
        assert status_of(callbacks.heartbeat, world.services, world.call(attempt, {"fraction": wrong})) == 422


def test_variables_come_with_their_types(world, attempt):
    assert callbacks.given_variables(world.services, world.call(attempt)) == {"day": "monday"}


def test_no_token_is_in_a_table_a_blob_a_queue_or_an_answer(world, attempt):
    token = world.environment(attempt)["LOADME_CALLBACK_TOKEN"]
    world.report(attempt, rows=1)
    world.drain(within=300)
    kept = repr(shot(world)) + repr(queries.get_run(world.services, attempt.split("-")[1]))
    assert token not in kept
    assert token.split(".")[3] not in kept
