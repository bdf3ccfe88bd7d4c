"""Messages that could not be handled: kept, sent again once, then an explained failure; and a person can send them again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.functions.queue import QueueMessage

from loadme import transaction, triggers
from loadme.core.messages import Notify, StepCheck, StepCleanup, StepOutcome, StepRequest, decode, encode
from loadme.core.outcome import Value
from loadme.core.poison import MAX_DEQUEUE, Cause, explained, with_cause
from loadme.errors import Rejected, Terminal, Unavailable
from loadme.handlers import control, poison
from tests.world import HANDLERS, World, attempt_id, launched

ONE = "name: sample\nsteps: {only: {image: img}}"
TWO = "name: sample\nsteps: {first: {image: img}, second: {image: img, needs: [first]}}"
RETRIED = "name: sample\nsteps: {only: {image: img, retry: {attempts: 3, delay: 1m, jitter: none}}}"
LATER = (StepCheck.queue, StepCleanup.queue, Notify.queue)


def poisoned(world: World, message: Any, cause: str = "KeyError: …") -> int:
    """The message comes to the poison queue, and the patrol comes by."""
    body = with_cause(encode(message).encode(), Cause(cause, MAX_DEQUEUE)) if cause else encode(message)
    world.queues.send(f"{message.queue}-poison", body)
    return poison.drain(world.services)


def poison_queues(world: World) -> list[str]:
    return [one.body for one in world.queues.sent if one.queue.endswith("-poison")]


def listed(world: World) -> list[dict[str, Any]]:
    return poison.kept(world.services, "")["messages"]


def the_only(world: World, run: Any) -> dict[str, Any]:
    return next(step for step in world.show(run)["steps"] if step["name"] in ("only", "first"))


def deployments_end(world: World) -> None:
    """Every container has been started."""
    world.arm.deployments.update({name: replace(one, state="Succeeded") for name, one in world.arm.deployments.items()})


def check(run: Any, number: int = 2, step: str = "only") -> StepCheck:
    return StepCheck(run=run.id, step=step, number=number)


def test_the_number_of_tries_is_the_one_that_the_host_knows():
    host = json.loads((Path(__file__).parents[2] / "host.json").read_text())
    assert host["extensions"]["queues"]["maxDequeueCount"] == MAX_DEQUEUE


def test_a_message_that_was_poison_is_kept_with_its_cause_and_sent_again_once():
    world, run, _ = launched(ONE)
    transaction.perform_due(world.services, transaction.load(world.services, run.id, ("only", 0)).state)
    world.deliver(encode(check(run, 1)), StepCheck.queue)
    world.queues.sent.clear()

    assert poisoned(world, check(run)) == 1

    assert poison_queues(world) == []
    assert [decode(body).message for body in world.queues.bodies(StepCheck.queue)] == [check(run)]
    kept = listed(world)[0]
    assert (kept["queue"], kept["run"], kept["step"], kept["why"], kept["dequeued"]) == (
        "loadme-checks", run.id, "only", "KeyError: …", 10,
    )  # fmt: skip
    assert kept["kept_at"] == "2030-01-01T12:00:00.000Z"
    assert kept["id"].startswith(run.id)
    assert world.statuses(run) == {"only": "running"}


def test_the_second_time_the_item_fails_with_an_explanation_and_is_not_tried_again():
    world, run, _ = launched(RETRIED)
    poisoned(world, check(run))
    poisoned(world, check(run))
    deployments_end(world)
    world.drain(within=600)

    error = the_only(world, run)["error"]
    kept = listed(world)
    assert [one["id"] for one in kept] == [kept[0]["id"]]
    assert error["kind"] == "poison"
    assert "KeyError: …" in error["message"]
    assert f"loadme replay {kept[0]['id']}" in error["hint"]
    assert f"loadme resume {run.id}" in error["hint"]
    assert world.show(run)["status"] == "failed"
    world.assert_nothing_left()


def test_what_was_given_away_while_its_container_ran_on_changes_nothing_once_it_has_reported():
    world, run, attempt = launched(ONE)
    poisoned(world, check(run))
    world.report(attempt)
    poisoned(world, check(run))
    world.drain(within=600)
    assert world.show(run)["status"] == "succeeded"


def test_a_request_that_was_never_handled_fails_its_step_the_second_time():
    world = World(ONE)
    run = world.start()
    request = decode(world.queues.pop(StepRequest.queue).body).message
    poisoned(world, request)
    assert [decode(body).message for body in world.queues.bodies(StepRequest.queue)] == [request]
    world.queues.sent.clear()

    poisoned(world, request)
    world.drain(within=600)

    assert the_only(world, run)["error"]["kind"] == "poison"
    assert world.arm.starts == {}
    assert world.show(run)["status"] == "failed"


def test_a_request_of_what_is_deployed_already_harms_nobody():
    world, run, attempt = launched(ONE)
    world.drain(within=60, keep=(StepCleanup.queue,))
    request = StepRequest(run=run.id, step="only", variables=Value(inline={}))
    poisoned(world, request)
    poisoned(world, request)
    world.report(attempt)
    world.drain(within=600)
    assert world.show(run)["status"] == "succeeded"


def test_a_request_for_the_next_attempt_that_is_poison_twice_ends_the_trying():
    world, run, attempt = launched(RETRIED)
    world.arm.finish(attempt, exit_code=3, at=world.moment)
    world.drain(within=40, keep=(StepRequest.queue, Notify.queue))
    request = decode(world.queues.bodies(StepRequest.queue)[0]).message
    world.queues.sent[:] = [one for one in world.queues.sent if one.queue != StepRequest.queue]
    poisoned(world, request)
    poisoned(world, request)
    world.drain(within=600)
    assert the_only(world, run)["error"]["exit_code"] == 3
    assert world.show(run)["status"] == "failed"
    assert len(world.arm.starts) == 1


def test_a_check_of_an_attempt_that_is_over_does_not_end_the_trying():
    world, run, attempt = launched(RETRIED)
    world.arm.finish(attempt, exit_code=3, at=world.moment)
    world.drain(within=40, keep=(StepRequest.queue, Notify.queue))
    poisoned(world, check(run, 1))
    poisoned(world, check(run, 1))
    assert the_only(world, run)["retry"]["attempt"] == 2


def test_an_outcome_that_cannot_be_brought_into_its_run_fails_the_run_and_leaves_nothing():
    world = World("name: sample\nsteps: {first: {image: img}, other: {image: img}, second: {image: img, needs: [first]}}")
    run = world.start()
    world.drain(keep=LATER)
    world.report(attempt_id(run, "first"))
    outcome = decode(world.queues.pop(StepOutcome.queue).body).message
    poisoned(world, outcome)
    world.queues.sent[:] = [one for one in world.queues.sent if one.queue != StepOutcome.queue]

    poisoned(world, outcome)

    shown = world.show(run)
    assert (shown["status"], shown["error"]["kind"]) == ("failed", "poison")
    assert "first" in shown["error"]["message"]
    assert world.queues.bodies(StepOutcome.queue) == [], "nothing waits for what cannot be handled"
    stops = [decode(body).message.step for body in world.queues.bodies(StepRequest.queue)]
    assert stops == ["other"]
    deployments_end(world)
    world.live(0.5)
    world.assert_nothing_left()
    assert world.statuses(run)["second"] == "cancelled"


def test_an_outcome_whose_run_has_gone_on_long_since_fails_nothing():
    world = World(TWO)
    run = world.start()
    world.drain(keep=LATER)
    world.report(attempt_id(run, "first"))
    outcome = decode(world.queues.bodies(StepOutcome.queue)[0]).message
    world.drain(keep=LATER)
    poisoned(world, outcome)
    poisoned(world, outcome)
    assert world.statuses(run) == {"first": "succeeded", "second": "running"}


def test_cleanup_is_never_given_up():
    world, run, attempt = launched(ONE)
    world.report(attempt)
    world.drain(keep=(StepCheck.queue, StepCleanup.queue))
    world.queues.sent.clear()
    cleanup = StepCleanup(run=run.id, step="only", number=1)
    for _ in range(3):
        world.queues.sent.clear()
        poisoned(world, cleanup)
        assert len(world.queues.bodies(StepCleanup.queue)) == 1
    world.drain(within=600)
    assert world.arm.container_groups == {}
    assert len(listed(world)) == 1


def test_an_end_that_cannot_be_told_does_not_keep_its_run_open():
    world, run, attempt = launched(ONE)
    world.report(attempt)
    world.drain(within=600, keep=(Notify.queue,))
    notify = decode(world.queues.bodies(Notify.queue)[0]).message
    world.queues.sent.clear()

    poisoned(world, notify)
    assert [decode(body).message for body in world.queues.bodies(Notify.queue)] == [notify]
    assert not transaction.load(world.services, run.id).state.run.announced
    world.queues.sent.clear()
    poisoned(world, notify)

    assert transaction.load(world.services, run.id).state.run.announced
    assert listed(world)[0]["queue"] == "loadme-notify"


@pytest.mark.parametrize("body", ["{}", "not json", '{"loadme":{"version":9}}', '{"loadme": 1, "poison": 3}', "\u0000\ufffd"])
def test_what_cannot_be_read_is_kept_and_can_be_sent_again(body):
    world = World(ONE)
    world.queues.send("loadme-steps-poison", body)
    assert poison.drain(world.services) == 1
    kept = listed(world)[0]
    assert (kept["run"], kept["queue"]) == ("", "loadme-steps")
    assert kept["why"]

    answer = poison.replay(world.services, kept["id"])

    assert world.queues.bodies("loadme-steps") == [body]
    assert "could not be read" in answer["note"]


def test_a_message_of_a_run_that_is_gone_is_kept_and_nothing_else():
    world = World(ONE)
    assert poisoned(world, StepCheck(run="0123456789abcdefghjk", step="only")) == 1
    assert world.queues.sent == []
    assert len(listed(world)) == 1


def test_a_message_with_an_odd_run_is_kept_under_a_name_of_ours():
    world = World(ONE)
    poisoned(world, StepCheck(run="../../x", step="only"))
    assert poison.KEPT_ID.fullmatch(listed(world)[0]["id"])


@pytest.mark.parametrize("seam", ["tables.read", "queues.send", "queues.delete"])
def test_a_message_whose_handling_is_cut_is_kept_once_and_counts_once(seam):
    world, run, _ = launched(ONE)
    name, method = seam.split(".")
    world.queues.send("loadme-checks-poison", encode(check(run)))
    world.calls(name, method, Unavailable("no answer"))
    before = len(world.queues.bodies(StepCheck.queue))
    assert poison.drain(world.services) == 0
    world.recover(name, method)
    assert poison.drain(world.services) == 0, "it is hidden"

    world.queues.pass_time(poison.HIDDEN)
    assert poison.drain(world.services) == 1

    assert len(listed(world)) == 1
    assert len(world.queues.bodies(StepCheck.queue)) <= before + 2
    assert world.queues.bodies(StepOutcome.queue) == []


def test_a_message_that_cannot_even_be_looked_into_is_kept_and_let_go_in_the_end(monkeypatch):
    world, run, _ = launched(ONE)
    monkeypatch.setattr(transaction, "load", lambda *_: {}["state"])
    world.queues.send("loadme-checks-poison", encode(check(run)))
    settled = 0
    for _ in range(poison.MOST_TRIES):
        assert settled == 0
        settled += poison.drain(world.services)
        world.queues.pass_time(poison.HIDDEN)
    assert settled == 1
    assert poison_queues(world) == []
    assert len(listed(world)) == 1


def test_a_message_that_cannot_be_kept_stays_where_it_is():
    world, run, _ = launched(ONE)
    world.calls("blobs", "put", Terminal("no role"))
    world.queues.send("loadme-checks-poison", encode(check(run)))
    for _ in range(poison.MOST_TRIES + 2):
        assert poison.drain(world.services) == 0
        world.queues.pass_time(poison.HIDDEN)
    assert len(poison_queues(world)) == 1


def test_one_queue_that_cannot_be_read_does_not_keep_the_others_from_being_emptied():
    world = World(ONE)
    world.queues.send("loadme-cleanup-poison", "{}")
    real = world.queues.receive

    def receive(queue: str, **given: Any) -> Any:
        if queue == "loadme-steps-poison":
            raise Unavailable("no answer")
        return real(queue, **given)

    world.queues.receive = receive
    assert poison.drain(world.services) == 1


def test_a_drain_ends_in_time_whatever_there_is():
    world = World(ONE)
    for number in range(20):
        world.queues.send("loadme-steps-poison", f"{number}")
    real = world.blobs.put

    def slow(*args: Any, **given: Any) -> None:
        world.pass_time(5)
        real(*args, **given)

    world.blobs.put = slow
    assert poison.drain(world.services) == 3
    assert len(poison_queues(world)) == 17


def test_the_kept_messages_are_paged():
    world = World(ONE)
    for number in range(poison.PAGE + 3):
        world.queues.send("loadme-steps-poison", f"{number}")
    poison.drain(world.services)
    poison.drain(world.services)
    first = poison.kept(world.services, "")
    second = poison.kept(world.services, first["continuation"])
    ids = [one["id"] for one in (*first["messages"], *second["messages"])]
    assert (len(set(ids)), len(second["messages"]), second["continuation"]) == (poison.PAGE + 3, 3, None)
    with pytest.raises(Rejected, match="continuation"):
        poison.kept(world.services, "../definitions/")


def test_a_replayed_message_is_kept_no_longer_and_one_that_is_not_there_is_refused():
    world, run, _ = launched(ONE)
    poisoned(world, check(run))
    world.queues.sent.clear()
    kept = listed(world)[0]["id"]

    assert poison.replay(world.services, kept) == {"status": "sent", "note": None}

    assert [decode(body).message for body in world.queues.bodies(StepCheck.queue)] == [check(run)]
    assert listed(world) == []
    for name in (kept, "../definitions/x", ""):
        with pytest.raises(Rejected) as refused:
            poison.replay(world.services, name)
        assert refused.value.status == 404


def test_a_replay_says_that_a_run_that_has_failed_must_be_resumed_and_then_it_starts_afresh():
    world, run, _ = launched(ONE)
    poisoned(world, check(run))
    poisoned(world, check(run))
    deployments_end(world)
    world.drain(within=600)
    assert f"loadme resume {run.id}" in poison.replay(world.services, listed(world)[0]["id"])["note"]

    control.resume(world.services, run.id, {})
    world.drain(keep=(StepCheck.queue, Notify.queue))
    poisoned(world, StepCheck(run=run.id, step="only", attempt=2, number=2))
    assert world.statuses(run) == {"only": "running"}


def test_the_last_try_of_the_host_gives_the_message_away_with_its_cause_and_the_ones_before_raise():
    world = World(ONE)
    world.start()
    body = world.queues.pop(StepRequest.queue).body

    def broken(*_: Any) -> None:
        raise KeyError("Pa$$w0rd")

    early = QueueMessage(id="1", body=body, dequeue_count=MAX_DEQUEUE - 1)
    with pytest.raises(KeyError):
        triggers.handle(world.services, early, broken, StepRequest)
    assert world.queues.sent == []

    triggers.handle(world.services, QueueMessage(id="1", body=body, dequeue_count=MAX_DEQUEUE), broken, StepRequest)

    given = world.queues.bodies("loadme-steps-poison")
    assert decode(given[0]).message == decode(body).message
    assert "Pa$$w0rd" not in given[0]
    poison.drain(world.services)
    kept = listed(world)[0]
    assert kept["why"].startswith("KeyError: '…' (test_poison.py:")
    assert kept["dequeued"] == MAX_DEQUEUE
    assert json.loads(world.queues.bodies(StepRequest.queue)[0]).keys() == {"loadme"}


def test_what_the_host_itself_moved_there_has_no_cause_and_is_dealt_with_all_the_same():
    world, run, _ = launched(ONE)
    poisoned(world, check(run), cause="")
    poisoned(world, check(run), cause="")
    world.drain(within=600)
    assert "the app's log says" in the_only(world, run)["error"]["message"]


def test_an_explanation_has_no_token_no_quoted_data_and_is_short():
    token = f"v1.k1.1234.{'a' * 43}"
    said = explained(ValueError(f"bad {token} and 'secret' and \"more\" " + "x" * 5000))
    assert token not in said
    assert "secret" not in said
    assert "more" not in said
    assert len(said) <= 500


def test_every_queue_of_ours_is_drained():
    assert set(poison.QUEUES) == set(HANDLERS)


def test_kept_messages_without_a_run_sort_by_their_time():
    world = World(ONE)
    for hour in (2, 1):
        world.queues._now = lambda hour=hour: datetime(2030, 1, 1, hour, tzinfo=UTC)
        world.queues.send("loadme-steps-poison", f"at {hour}")
    poison.drain(world.services)
    bodies = [json.loads(world.blobs.get(name))["body"] for name in world.blobs.names("poison/")]
    assert bodies == ["at 1", "at 2"]
