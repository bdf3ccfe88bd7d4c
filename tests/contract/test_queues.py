"""What every implementation of Queues does. Receiving is not in the seam, so each kind brings its own way to look."""

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
from loadme.azure.storage.queues import MAX_DELAY, AzureQueues, Queues
from loadme.errors import Terminal, Unavailable
from tests.fakes.queues import FakeQueues


@dataclass(frozen=True)
class Kind:
    """An implementation, and the bodies that a receiver would see now."""

    queues: Queues
    visible: Callable[[str], list[str]]


def a_queue_name() -> str:
    return f"q{uuid.uuid4().hex}"


@pytest.fixture(params=["fake", "azure", "connection string"])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    if request.param == "fake":
        fake = FakeQueues()
        yield Kind(fake, lambda queue: [message.body for message in fake.sent if message.queue == queue and not message.delay])
        return
    account: Account = request.getfixturevalue("account" if request.param == "azure" else "keyed_account")
    keyed: Account = request.getfixturevalue("keyed_account")
    with closing(AzureQueues(account)) as queues:
        yield Kind(queues, lambda queue: _peek(keyed, queue))


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
