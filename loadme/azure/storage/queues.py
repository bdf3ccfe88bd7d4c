"""Queue storage. Most receiving is the Functions host's; loadme itself receives from the poison queues."""

from __future__ import annotations

import base64
import binascii
import math
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from loadme.azure.client import error_code, translated
from loadme.azure.storage import Account
from loadme.errors import Absent, Terminal

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueMessage

FOREVER = -1  # time to live: the default, 7 days, would lose the messages of a long outage
MAX_DELAY = 7 * 24 * 3600  # Queue storage: seconds
MAX_RECEIVED = 32  # Queue storage: messages of one answer
MISPLACED = "PopReceiptMismatch"  # the message was hidden no longer, and somebody else has received it


class Received(NamedTuple):
    """A message that was received, and is hidden from others for a while.

    `receipt` is the right to delete it until somebody else receives it; `dequeued` counts how often it was received, this time
    included. A body that is not base64 of UTF-8 is given as the text that it is, with replacement characters.
    """

    id: str
    receipt: str
    body: str
    dequeued: int
    inserted_at: datetime | None = None


class Queues(Protocol):
    """All queues of the account."""

    def send(self, queue: str, body: str, delay: float = 0.0) -> None:
        """Sends a message that nobody sees for `delay` seconds. More than 7 days are cut to 7 days."""

    def receive(self, queue: str, limit: int = MAX_RECEIVED, hidden: float = 60.0) -> list[Received]:
        """At most `limit` (and 32) messages, hidden from others for `hidden` seconds. A queue that does not exist has none."""

    def delete(self, queue: str, received: Received) -> None:
        """Deletes a message; one that is gone, or was received by somebody else since, is no error."""

    def count(self, queue: str) -> int:
        """About how many messages there are, hidden ones included."""


class AzureQueues:
    """Queues in Azure, each created when it turns out to be missing. Messages are base64 text, as host.json says."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._clients: dict[str, QueueClient] = {}

    def send(self, queue: str, body: str, delay: float = 0.0) -> None:
        """See Queues. A body of more than 48 KiB is Terminal."""
        with translated(f"sending to queue {queue}"):
            self._send(self._client(queue), body, min(math.ceil(delay), MAX_DELAY))

    def receive(self, queue: str, limit: int = MAX_RECEIVED, hidden: float = 60.0) -> list[Received]:
        """See Queues."""
        wanted, seconds = min(limit, MAX_RECEIVED), min(max(1, math.ceil(hidden)), MAX_DELAY)
        try:
            with translated(f"receiving from queue {queue}"):
                found = self._client(queue).receive_messages(messages_per_page=wanted, max_messages=wanted, visibility_timeout=seconds)
                return [_received(message) for message in found]
        except Absent:
            return []

    def delete(self, queue: str, received: Received) -> None:
        """See Queues."""
        try:
            with translated(f"deleting a message of queue {queue}"):
                self._client(queue).delete_message(received.id, received.receipt)
        except Absent:
            pass
        except Terminal as refused:
            if refused.code != MISPLACED:
                raise

    def count(self, queue: str) -> int:
        """See Queues."""
        try:
            with translated(f"reading queue {queue}"):
                return self._client(queue).get_queue_properties().approximate_message_count or 0
        except Absent:
            return 0

    def _client(self, queue: str) -> QueueClient:
        return self._clients.get(queue) or self._clients.setdefault(queue, self._open(queue))

    def _open(self, queue: str) -> QueueClient:
        from azure.storage.queue import QueueClient, TextBase64EncodePolicy

        options = self._account.options() | {"message_encode_policy": TextBase64EncodePolicy()}
        if self._account.connection_string:
            return QueueClient.from_connection_string(self._account.connection_string, queue, **options)
        return QueueClient(self._account.queue_endpoint, queue, credential=self._account.credential, **options)

    @staticmethod
    def _send(client: QueueClient, body: str, delay: int) -> None:
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        try:
            client.send_message(body, visibility_timeout=delay, time_to_live=FOREVER)
        except ResourceNotFoundError as error:
            if error_code(error) != "QueueNotFound":
                raise
            with suppress(ResourceExistsError):  # another instance was faster; Azure itself answers 204 then
                client.create_queue()
            client.send_message(body, visibility_timeout=delay, time_to_live=FOREVER)

    def close(self) -> None:
        """Closes the connections."""
        for client in self._clients.values():
            client.close()


def _received(message: QueueMessage) -> Received:
    return Received(str(message.id), str(message.pop_receipt), text(message.content), message.dequeue_count or 0, message.inserted_on)


def text(content: str) -> str:
    """What was sent, of a message's content: base64 of UTF-8 from loadme and from the host, anything from others."""
    try:
        return base64.b64decode(content, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return content.encode(errors="replace").decode()
