"""One message of a queue function, from its receipt to its end: kept hidden while it runs, then deleted, released or moved to poison."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from azure.core.exceptions import HttpResponseError

from .invoker import Invokes, Outcome
from .metadata import trigger_metadata
from .protocol import QueueTrigger
from .queue_seam import Kept, Stored
from .settings import QueueOptions

log = logging.getLogger("host.queue")
LONGEST_QUEUE_NAME = 63
POISON = "-poison"
LOST = frozenset({"MessageNotFound", "QueueNotFound", "PopReceiptMismatch", "QueueBeingDeleted", "QueueDisabled"})


@dataclass
class Receipt:
    """What proves that a message is ours: each renewal changes it."""

    message_id: str
    pop_receipt: str


class Processor:
    """Processes the messages of one function. `notify` is called with the name of a queue that it has written to.

    `process` raises what the real host shuts down on: storage that fails while a message is kept, released or deleted.
    """

    def __init__(
        self, function: str, queue: Kept, poison: Kept, options: QueueOptions, invoker: Invokes, notify: Callable[[str], None]
    ) -> None:
        self.function = function
        self._queue = queue
        self._poison = poison
        self._options = options
        self._invoker = invoker
        self._notify = notify

    async def process(self, message: Stored) -> None:
        """From what was received to its end."""
        receipt = Receipt(message.id, message.pop_receipt)
        body = self._decoded(message.content)
        exhausted = message.dequeue_count > self._options.max_dequeue_count and not self._queue.name.endswith(POISON)
        if body is None or exhausted:
            await self._move_to_poison(message, receipt)
            return
        outcome = await self._run(message, body, receipt)
        if not outcome.error:
            await self._unless_lost(self._queue.delete(receipt.message_id, receipt.pop_receipt))
        elif message.dequeue_count >= self._options.max_dequeue_count:
            await self._move_to_poison(message, receipt)
        else:
            await self._unless_lost(self._queue.hide(receipt.message_id, receipt.pop_receipt, self._options.visibility_timeout))

    def _decoded(self, content: str) -> bytes | None:
        """The body; None when it is not base64: such a message never runs."""
        if not self._options.base64:
            return content.encode()
        try:
            return base64.b64decode("".join(content.split()), validate=True)  # .NET passes white space over
        except (binascii.Error, ValueError):
            return None

    async def _run(self, message: Stored, body: bytes, receipt: Receipt) -> Outcome:
        """Run the function, keeping the message hidden; raises what made keeping it fail."""
        running = asyncio.create_task(self._invoke(message, body))
        renewal = asyncio.create_task(self._renew(receipt, running))
        try:
            await asyncio.wait((running, renewal), return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                await renewal
            outcome = await running
            await renewal  # one that is under way changes the receipt: let it finish
            return outcome
        finally:
            for task in (running, renewal):
                task.cancel()

    async def _invoke(self, message: Stored, body: bytes) -> Outcome:
        try:
            text = body.decode()
        except UnicodeDecodeError as error:  # the message cannot be bound to a string: an ordinary failure
            outcome = Outcome(f"the message is not UTF-8: {error}")
        else:
            outcome = await self._invoker.invoke(self.function, QueueTrigger(text, trigger_metadata(message, text)))
        if outcome.error:
            log.warning(
                "function %s failed (delivery %d of message %s): %s", self.function, message.dequeue_count, message.id, outcome.error
            )
        return outcome

    async def _renew(self, receipt: Receipt, running: asyncio.Task[Outcome]) -> None:
        """Hide the message again and again until the function has ended, or somebody else has the message: it then runs twice at once."""
        while not (await asyncio.wait((running,), timeout=self._options.renewal))[0]:
            try:
                receipt.pop_receipt = await self._queue.hide(receipt.message_id, receipt.pop_receipt, self._options.lease)
            except HttpResponseError as error:
                if not owner_lost(error):
                    raise
                log.warning("queue %s: lost message %s while it runs", self._queue.name, receipt.message_id)
                return

    async def _move_to_poison(self, message: Stored, receipt: Receipt) -> None:
        """Copy, then delete: not atomic, so the poison queue may see a message twice."""
        if self._queue.name.endswith(POISON) or len(self._poison.name) > LONGEST_QUEUE_NAME:
            return  # there is no poison queue: it stays hidden until its lease is over, and runs again
        log.error("queue %s: message %s moves to %s", self._queue.name, message.id, self._poison.name)
        await self._poison.send(message.content)
        self._notify(self._poison.name)
        await self._unless_lost(self._queue.delete(receipt.message_id, receipt.pop_receipt))

    async def _unless_lost(self, call: Awaitable[object]) -> None:
        try:
            await call
        except HttpResponseError as error:
            if not owner_lost(error):
                raise
            log.warning("queue %s: somebody else has the message by now", self._queue.name)


def owner_lost(error: HttpResponseError) -> bool:
    """Whether somebody else has the message now, or it is gone, or its queue is."""
    code = getattr(error, "error_code", None)
    return code in LOST if code else error.status_code in {404, 409}
