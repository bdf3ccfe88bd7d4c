"""Queues in memory."""

from __future__ import annotations

import base64
from typing import NamedTuple

from loadme.errors import Terminal


class Message(NamedTuple):
    """A message that was sent."""

    queue: str
    body: str
    delay: float


class FakeQueues:
    """`sent` holds all messages that were not popped, oldest first."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, queue: str, body: str, delay: float = 0.0) -> None:
        if len(base64.b64encode(body.encode())) > 64 * 1024:
            raise Terminal(f"The message to {queue} is too large.", code="RequestBodyTooLarge")
        self.sent.append(Message(queue, body, delay))

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
