"""Queues in memory."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple

from loadme.azure.storage.queues import MAX_RECEIVED, Received
from loadme.errors import Terminal

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Message(NamedTuple):
    """A message that was sent; `delay` is for how long nobody sees it, because it was sent so or because it was received."""

    queue: str
    body: str
    delay: float
    id: str = ""
    receipt: str = ""
    dequeued: int = 0
    inserted_at: datetime = NOW


class FakeQueues:
    """`sent` holds all messages that were neither popped nor deleted, oldest first. Time stands still until `pass_time`."""

    def __init__(self, now: Callable[[], datetime] = lambda: NOW) -> None:
        self.sent: list[Message] = []
        self._now = now
        self._numbers = count(1)

    def send(self, queue: str, body: str, delay: float = 0.0) -> None:
        if len(base64.b64encode(body.encode())) > 64 * 1024:
            raise Terminal(f"The message to {queue} is too large.", code="RequestBodyTooLarge")
        self.sent.append(Message(queue, body, delay, str(next(self._numbers)), inserted_at=self._now()))

    def receive(self, queue: str, limit: int = MAX_RECEIVED, hidden: float = 60.0) -> list[Received]:
        found = [at for at, message in enumerate(self.sent) if message.queue == queue and message.delay <= 0]
        for at in found[: min(limit, MAX_RECEIVED)]:
            dequeued = self.sent[at].dequeued + 1
            self.sent[at] = self.sent[at]._replace(delay=hidden, receipt=str(next(self._numbers)), dequeued=dequeued)
        taken = [self.sent[at] for at in found[: min(limit, MAX_RECEIVED)]]
        return [Received(one.id, one.receipt, one.body, one.dequeued, one.inserted_at) for one in taken]

    def delete(self, queue: str, received: Received) -> None:
        gone = (queue, received.id, received.receipt)
        self.sent[:] = [one for one in self.sent if (one.queue, one.id, one.receipt) != gone]

    def count(self, queue: str) -> int:
        return len(self.bodies(queue))

    def bodies(self, queue: str) -> list[str]:
        """What is in a queue, whatever its delay."""
        return [message.body for message in self.sent if message.queue == queue]

    def pop(self, queue: str | None = None) -> Message | None:
        """Takes the message that comes next, the one with the shortest delay first, of one queue or of all."""
        waiting = [message for message in self.sent if queue in (None, message.queue)]
        if not waiting:
            return None
        found = min(waiting, key=lambda message: message.delay)
        self.sent.remove(found)
        return found

    def pass_time(self, seconds: float) -> None:
        """Delays come to their ends, and received messages are seen again."""
        self.sent[:] = [one._replace(delay=one.delay - seconds) for one in self.sent]
