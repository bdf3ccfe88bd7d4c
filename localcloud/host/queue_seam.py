"""What the listener of a queue function asks of its queue. Storage errors are azure.core's own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class Stored(Protocol):
    """A message as the queue gave it out; `content` is raw, encoded or not."""

    @property
    def id(self) -> str:
        """Its id, which stays."""

    @property
    def content(self) -> str:
        """Its text."""

    @property
    def pop_receipt(self) -> str:
        """What proves that it is ours, as it was received."""

    @property
    def dequeue_count(self) -> int:
        """How often it has been received, this time included."""

    @property
    def inserted_on(self) -> datetime | None:
        """When it was sent."""

    @property
    def expires_on(self) -> datetime | None:
        """When it is dropped unread."""

    @property
    def next_visible_on(self) -> datetime | None:
        """Until when it is hidden."""


class Kept(Protocol):
    """A queue as it is needed for the messages received from it."""

    name: str

    async def hide(self, message_id: str, pop_receipt: str, seconds: float) -> str:
        """Show the message again in so many seconds; returns the new pop receipt."""

    async def delete(self, message_id: str, pop_receipt: str) -> None:
        """Remove the message for good."""

    async def send(self, content: str) -> None:
        """Append a message; the queue is created when it is missing."""


class Polled(Protocol):
    """A queue as the listener polls it."""

    name: str

    async def exists(self) -> bool:
        """Whether the queue is there: the host does not create the queue of a trigger."""

    async def receive(self, count: int, lease: float) -> Sequence[Stored]:
        """Up to `count` messages, hidden from everybody else for `lease` seconds."""
