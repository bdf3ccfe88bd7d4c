"""A storage queue in memory, in the time of the running loop: visibility, dequeue counts and pop receipts as in Azure."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from azure.core.exceptions import AzureError, HttpResponseError

from localcloud.host.storage import StoredMessage

ARRIVAL = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class Message:
    content: str
    id: str
    visible_at: float = 0.0
    dequeue_count: int = 0
    receipt: str = ""


@dataclass
class FakeQueue:
    """`faults` are raised by the next calls of a method; `calls` counts them. What is received arrives after `answers_after` seconds."""

    name: str = "work"
    is_there: bool = True
    messages: list[Message] = field(default_factory=list)
    faults: dict[str, list[AzureError]] = field(default_factory=lambda: defaultdict(list))
    calls: list[tuple[float, str]] = field(default_factory=list)
    answers_after: float = 0.0
    receipts: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def times(self, method: str) -> list[float]:
        return [round(time, 3) for time, name in self.calls if name == method]

    def put(self, content: str, dequeue_count: int = 0) -> Message:
        self.messages.append(Message(content, f"m{len(self.messages)}", dequeue_count=dequeue_count))
        return self.messages[-1]

    async def exists(self) -> bool:
        await self._called("exists")
        return self.is_there

    async def receive(self, count: int, lease: float) -> list[StoredMessage]:
        await self._called("receive")
        if not self.is_there:
            raise error(404, "QueueNotFound")
        taken = [message for message in self.messages if message.visible_at <= self._now()][:count]
        received = [self._take(message, lease) for message in taken]
        await asyncio.sleep(self.answers_after)
        return received

    async def hide(self, message_id: str, pop_receipt: str, seconds: float) -> str:
        await self._called("hide")
        message = self._owned(message_id, pop_receipt)
        message.visible_at, message.receipt = self._now() + seconds, f"r{next(self.receipts)}"
        return message.receipt

    async def delete(self, message_id: str, pop_receipt: str) -> None:
        await self._called("delete")
        self.messages.remove(self._owned(message_id, pop_receipt))

    async def send(self, content: str) -> None:
        await self._called("send")
        self.put(content)

    def _take(self, message: Message, lease: float) -> StoredMessage:
        message.visible_at, message.receipt = self._now() + lease, f"r{next(self.receipts)}"
        message.dequeue_count += 1
        return StoredMessage(
            id=message.id,
            content=message.content,
            pop_receipt=message.receipt,
            dequeue_count=message.dequeue_count,
            inserted_on=ARRIVAL,
            expires_on=ARRIVAL + timedelta(days=7),
            next_visible_on=ARRIVAL + timedelta(seconds=message.visible_at),
        )

    def _owned(self, message_id: str, receipt: str) -> Message:
        message = next((message for message in self.messages if message.id == message_id), None)
        if message is None:
            raise error(404, "MessageNotFound")
        if message.receipt != receipt:
            raise error(400, "PopReceiptMismatch")
        return message

    async def _called(self, method: str) -> None:
        self.calls.append((self._now(), method))
        await asyncio.sleep(0)
        if self.faults[method]:
            raise self.faults[method].pop(0)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def error(status: int, code: str = "") -> HttpResponseError:
    """What the storage SDK raises for an answer with this status and code."""
    found = HttpResponseError(message=code or str(status))
    found.status_code = status
    found.error_code = code or None  # type: ignore[attr-defined]
    return found
