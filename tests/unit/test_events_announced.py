"""Who is told of an end, and what becomes of it when nobody listens."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from loadme import store
from loadme.core import cloudevents
from loadme.core.messages import Notify, decode
from loadme.core.outcome import Outcome
from loadme.errors import Retryable, RunAbsent, Terminal, Unavailable
from loadme.handlers import announce
from loadme.settings import Events
from tests.unit.event_factories import RUN, SECRET, World, a_run, an_item

WEBHOOK = Events(webhook="https://hooks.example/in?code=very-secret", secrets=(SECRET,))
BY_QUEUE = Notify(run=RUN)
BY_WEBHOOK = Notify(run=RUN, to="webhook")


def events(world: World) -> list[dict[str, Any]]:
    return [json.loads(body) for body in world.queues.bodies("loadme-events")]


def messages(world: World) -> list[Any]:
    return [decode(body).message for body in world.queues.bodies("loadme-notify")]


def is_announced(world: World) -> bool:
    return store.read_run(world.tables, world.run.id).run.announced


def test_the_end_of_a_run_is_told_on_the_queue_of_events_and_then_counts_as_announced() -> None:
    world = World()
    assert not is_announced(world)

    announce.notify(world.services, BY_QUEUE)

    assert [event["id"] for event in events(world)] == [f"{RUN}-0-succeeded"]
    assert messages(world) == []
    assert is_announced(world)


def test_a_run_is_not_announced_before_the_queue_has_its_event() -> None:
    world = World(events=WEBHOOK)
    services = world.services

    def away(*_: Any) -> None:
        raise Unavailable("the queue does not answer")

    services.queues = SimpleNamespace(send=away)
    with pytest.raises(Unavailable):
        announce.notify(services, BY_QUEUE)

    assert not is_announced(world)


def test_a_message_that_comes_again_tells_the_same_event() -> None:
    world = World()

    for _ in range(2):
        announce.notify(world.services, BY_QUEUE)

    assert len(set(world.queues.bodies("loadme-events"))) == 1
    assert len(events(world)) == 2


def test_a_webhook_gets_a_message_of_its_own_that_holds_no_outputs_and_no_address() -> None:
    world = World(events=WEBHOOK)

    announce.notify(world.services, BY_QUEUE)

    assert messages(world) == [BY_WEBHOOK]
    assert "very-secret" not in str(world.queues.sent)
    assert world.webhook.posts == []


def test_a_run_that_goes_on_is_not_told() -> None:
    world = World(run=a_run(status="running", ended_at=None), events=WEBHOOK)

    announce.notify(world.services, BY_QUEUE)
    announce.notify(world.services, BY_WEBHOOK)

    assert (world.queues.sent, world.webhook.posts) == ([], [])


def test_steps_are_told_only_if_the_operator_asks_for_them() -> None:
    silent, asked = World(events=WEBHOOK), World(events=Events(webhook="https://hooks.example", steps=True))

    for world in (silent, asked):
        announce.step_ended(world.services, world.run, an_item())
    announce.step_ended(asked.services, asked.run, an_item(outcome=None))

    assert silent.queues.sent == []
    assert [event["type"] for event in events(asked)] == ["io.loadme.step.succeeded"]
    assert messages(asked) == [Notify(run=RUN, step="convert", to="webhook")]


def test_the_webhook_gets_the_event_of_the_queue_signed() -> None:
    world = World(events=WEBHOOK)
    announce.notify(world.services, BY_QUEUE)

    announce.notify(world.services, messages(world)[0])

    [post] = world.webhook.posts
    assert post.body.decode() == world.queues.bodies("loadme-events")[0]
    assert post.headers["webhook-id"] == json.loads(post.body)["id"]
    signature = cloudevents.signature(SECRET, post.headers["webhook-id"], post.headers["webhook-timestamp"], post.body)
    assert post.headers["webhook-signature"] == signature


def test_the_webhook_gets_the_end_of_an_item_too() -> None:
    world = World(items=(an_item(item=7),), events=Events(webhook="https://hooks.example", steps=True))
    announce.step_ended(world.services, world.run, world.items[0])

    announce.notify(world.services, messages(world)[0])

    assert [json.loads(post.body)["data"]["item"] for post in world.webhook.posts] == [7]


@pytest.mark.parametrize(
    "message", [BY_QUEUE, BY_WEBHOOK, Notify(run=RUN, step="convert", to="webhook"), Notify(run=RUN, step="publish", to="webhook")]
)
def test_an_end_that_does_not_stand_any_more_is_not_told(message: Notify) -> None:
    world = World(run=a_run(generation=1), items=(an_item(generation=1),), events=WEBHOOK)

    announce.notify(world.services, message)

    assert (world.queues.sent, world.webhook.posts) == ([], [])
    assert not is_announced(world)


def test_a_webhook_that_is_no_longer_configured_is_forgotten() -> None:
    world = World()

    announce.notify(world.services, BY_WEBHOOK)

    assert world.webhook.posts == []


def test_the_end_of_a_run_that_was_deleted_is_for_the_trigger_to_drop() -> None:
    world = World(run=a_run(id="01jg8qk3m0000000000b"), events=WEBHOOK)

    with pytest.raises(RunAbsent):
        announce.notify(world.services, BY_WEBHOOK)


def trouble(world: World, status: int, headers: dict[str, str] | None = None) -> Retryable:
    world.webhook.answers = [(status, headers or {})]
    with pytest.raises(Retryable) as raised:
        announce.notify(world.services, BY_WEBHOOK)
    return raised.value


@pytest.mark.parametrize("status", [0, 408, 425, 429, 500, 503])
def test_a_webhook_in_trouble_is_tried_again(status: int) -> None:
    world = World(events=WEBHOOK)

    assert str(status or "did not answer") in str(trouble(world, status))
    announce.notify(world.services, BY_WEBHOOK)

    assert json.loads(world.webhook.posts[-1].body)["id"] == f"{RUN}-0-succeeded"


def test_the_delay_grows_with_the_age_of_the_event_and_retry_after_is_honoured() -> None:
    world = World(events=WEBHOOK)
    end, delays = world.now, []
    for age in (0, 60, 3600, 50 * 3600):
        world.now = end + timedelta(seconds=age)
        delays.append(trouble(world, 503).after)

    assert delays == [2.0, 30.0, 1800.0, 3600.0]
    assert trouble(world, 429, {"Retry-After": "7200"}).after == 7200.0
    world.now = end
    assert trouble(world, 429, {"retry-after": "90"}).after == 90.0


def test_a_webhook_is_tried_for_more_than_a_day_and_then_given_up(caplog: pytest.LogCaptureFixture) -> None:
    world = World(events=WEBHOOK)
    tries, end = 0, world.now
    for _ in range(1000):
        world.webhook.answers = [(503, {})]
        tries += 1
        try:
            announce.notify(world.services, BY_WEBHOOK)
            break
        except Retryable as again:
            world.now += timedelta(seconds=again.after)

    assert timedelta(days=1) < world.now - end < timedelta(days=4)
    assert 30 < tries < 200
    assert [record.getMessage().split()[0] for record in caplog.records if record.levelname == "ERROR"] == ["notify-refused"]
    assert "given up" in caplog.text


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410, 413])
def test_what_can_never_be_posted_is_logged_once_and_given_up(status: int, caplog: pytest.LogCaptureFixture) -> None:
    world = World(events=WEBHOOK)
    world.webhook.answers = [(status, {"Location": "https://hooks.example/elsewhere?code=very-secret"})]

    announce.notify(world.services, BY_WEBHOOK)

    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert str(status) in record.getMessage()
    assert RUN in record.getMessage()
    assert "very-secret" not in caplog.text
    assert len(world.webhook.posts) == 1


def test_a_definition_that_is_gone_gives_up_instead_of_going_round(caplog: pytest.LogCaptureFixture) -> None:
    world = World(events=WEBHOOK)
    services = world.services

    def gone(digest: str) -> Any:
        raise Terminal("the blob is gone")

    services.definitions.get = gone
    announce.notify(services, BY_WEBHOOK)

    assert "the blob is gone" in caplog.text


def test_an_item_that_failed_for_good_is_told_as_failed() -> None:
    world = World(events=Events(steps=True))

    announce.step_ended(world.services, world.run, an_item(outcome=Outcome(status="timed_out", at=world.now)))

    assert [event["type"] for event in events(world)] == ["io.loadme.step.timed_out"]
