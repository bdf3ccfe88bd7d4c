"""What every implementation of Queues does."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from loadme.azure.storage import Account
from loadme.azure.storage.queues import MAX_DELAY, AzureQueues, Queues, Received
from loadme.errors import Terminal, Unavailable
from tests.fakes.queues import FakeQueues


@dataclass(frozen=True)
class Kind:
    """An implementation; the bodies that a receiver would see now; how to let seconds pass."""

    queues: Queues
    visible: Callable[[str], list[str]]
    wait: Callable[[float], None]


def a_queue_name() -> str:
    return f"q{uuid.uuid4().hex}"


@pytest.fixture(params=["fake", "azure", "connection string"])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    if request.param == "fake":
        fake = FakeQueues()
        yield Kind(fake, lambda queue: [one.body for one in fake.sent if one.queue == queue and one.delay <= 0], fake.pass_time)
        return
    account: Account = request.getfixturevalue("account" if request.param == "azure" else "keyed_account")
    keyed: Account = request.getfixturevalue("keyed_account")
    with closing(AzureQueues(account)) as queues:
        yield Kind(queues, lambda queue: _peek(keyed, queue), time.sleep)


def _peek(account: Account, queue: str) -> list[str]:
    with _client(account, queue) as client:
        try:
            return [base64.b64decode(message.content, validate=True).decode() for message in client.peek_messages(32)]
        except ResourceNotFoundError:
            return []


def _client(account: Account, queue: str) -> QueueClient:
    return QueueClient.from_connection_string(account.connection_string, queue, connection_verify=account.ca_file)


class TestQueues:
    def test_a_message_arrives_in_its_queue_as_it_was_sent(self, kind: Kind) -> None:
        queue, other = a_queue_name(), a_queue_name()

        kind.queues.send(queue, '{"naïve": "✓ <&>"}')
        kind.queues.send(queue, "second")

        assert sorted(kind.visible(queue)) == ["second", '{"naïve": "✓ <&>"}']
        assert kind.visible(other) == []

    def test_a_delayed_message_is_not_seen_yet(self, kind: Kind) -> None:
        queue = a_queue_name()

        kind.queues.send(queue, "later", delay=60)
        kind.queues.send(queue, "soon", delay=0.2)
        kind.queues.send(queue, "in years", delay=MAX_DELAY * 100)

        assert kind.visible(queue) == []

    def test_48_kb_fit_and_more_do_not(self, kind: Kind) -> None:
        queue = a_queue_name()

        kind.queues.send(queue, "x" * 48 * 1024)

        assert [len(body) for body in kind.visible(queue)] == [48 * 1024]
        with pytest.raises(Terminal) as refused:
            kind.queues.send(queue, "x" * (48 * 1024 + 1))
        assert refused.value.code == "RequestBodyTooLarge"

    def test_a_received_message_is_hidden_until_it_is_deleted(self, kind: Kind) -> None:
        queue = a_queue_name()
        kind.queues.send(queue, '{"naïve": "✓ <&>"}')

        (received,) = kind.queues.receive(queue)

        assert (received.body, received.dequeued) == ('{"naïve": "✓ <&>"}', 1)
        assert received.inserted_at is not None
        assert received.inserted_at.tzinfo is not None
        assert kind.queues.receive(queue) == []
        assert kind.queues.count(queue) == 1
        kind.queues.delete(queue, received)
        assert kind.queues.count(queue) == 0

    def test_a_message_that_was_not_deleted_comes_again(self, kind: Kind) -> None:
        queue = a_queue_name()
        kind.queues.send(queue, "x")

        (first,) = kind.queues.receive(queue, hidden=1)
        kind.wait(1.5)
        (second,) = kind.queues.receive(queue)

        assert (second.id, second.dequeued) == (first.id, 2)

    def test_who_lost_a_message_to_another_cannot_delete_it(self, kind: Kind) -> None:
        queue = a_queue_name()
        kind.queues.send(queue, "x")
        (first,) = kind.queues.receive(queue, hidden=1)
        kind.wait(1.5)
        (second,) = kind.queues.receive(queue)

        kind.queues.delete(queue, first)
        assert kind.queues.count(queue) == 1
        kind.queues.delete(queue, second)
        kind.queues.delete(queue, second)
        assert kind.queues.count(queue) == 0

    def test_no_more_messages_are_received_than_asked_for_and_never_more_than_32(self, kind: Kind) -> None:
        queue = a_queue_name()
        for number in range(40):
            kind.queues.send(queue, str(number))

        assert len(kind.queues.receive(queue, limit=3)) == 3
        assert len(kind.queues.receive(queue, limit=100)) == 32
        assert len(kind.queues.receive(queue)) == 5
        assert kind.queues.count(queue) == 40

    def test_a_message_that_is_delayed_is_counted_and_not_received(self, kind: Kind) -> None:
        queue = a_queue_name()
        kind.queues.send(queue, "x", delay=60)

        assert kind.queues.receive(queue) == []
        assert kind.queues.count(queue) == 1

    def test_a_queue_that_does_not_exist_is_empty(self, kind: Kind) -> None:
        queue = a_queue_name()

        assert kind.queues.receive(queue) == []
        assert kind.queues.count(queue) == 0
        kind.queues.delete(queue, Received("00000000-0000-4000-8000-000000000000", "AgAAAAMAAAAAAAAA", "", 1))


@pytest.mark.parametrize(
    ("content", "body"),
    [
        ("plain, not base64", "plain, not base64"),
        ("✓", "✓"),
        (base64.b64encode(b"a\xff\xfeb").decode(), "a\ufffd\ufffdb"),
        ("", ""),
    ],
    ids=["plain", "not ASCII", "not UTF-8", "empty"],
)
def test_a_message_of_others_is_received_as_text(account: Account, keyed_account: Account, content: str, body: str) -> None:
    queue = a_queue_name()
    with _client(keyed_account, queue) as client:
        client.create_queue()
        client.send_message(content)

    with closing(AzureQueues(account)) as queues:
        (received,) = queues.receive(queue)
        queues.delete(queue, received)

        assert received.body == body
        assert queues.count(queue) == 0


def test_many_senders_may_find_that_the_queue_is_missing(account: Account, keyed_account: Account) -> None:
    queue = a_queue_name()
    with closing(AzureQueues(account)) as queues, ThreadPoolExecutor(8) as senders:
        sent = [senders.submit(queues.send, queue, str(number)) for number in range(8)]
        assert [one.result() for one in sent] == [None] * 8

    assert sorted(_peek(keyed_account, queue)) == [str(number) for number in range(8)]


def test_a_message_never_expires(account: Account, keyed_account: Account) -> None:
    queue = a_queue_name()
    with closing(AzureQueues(account)) as queues:
        queues.send(queue, "x")

    with _client(keyed_account, queue) as client:
        message = next(iter(client.receive_messages()))
    assert message.expires_on is not None
    assert message.expires_on.year == 9999


def test_an_outage_is_told_to_the_caller_soon(account: Account) -> None:
    away = replace(account, queue_endpoint="https://127.0.0.1:1/devstoreaccount1")
    begin = time.monotonic()
    with closing(AzureQueues(away)) as queues, pytest.raises(Unavailable):
        queues.send(a_queue_name(), "x")
    assert time.monotonic() - begin < 10
