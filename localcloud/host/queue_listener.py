"""One queue function: polls its queue, keeps what it runs hidden, deletes, releases or moves to the poison queue."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseError

from .backoff import Backoff
from .engine import Engine
from .metadata import trigger_metadata
from .protocol import Finished, QueueTrigger
from .settings import QueueOptions
from .storage import Queue, StoredMessage, owner_lost

log = logging.getLogger("host.queue")
LONGEST_QUEUE_NAME = 63


@dataclass
class Receipt:
    """What proves that a message is ours: each renewal changes it."""

    message_id: str
    pop_receipt: str


class QueueListener:
    """The listener of one function. `notify` is called with the name of a queue that the host itself has written to."""

    def __init__(
        self,
        function: str,
        queue: Queue,
        poison: Queue,
        options: QueueOptions,
        engine: Engine,
        backoff: Backoff,
        notify: Callable[[str], None],
    ) -> None:
        self.function = function
        self.queue = queue
        self._poison = poison
        self._options = options
        self._engine = engine
        self._backoff = backoff
        self._notify = notify
        self._wake = asyncio.Event()
        self._stopping = False
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Poll until stopped. A storage error that is not an outage is raised: the real host shuts down on it."""
        exists = False
        while not self._stopping:
            try:
                exists = exists or await asyncio.to_thread(self.queue.exists)
                batch = await self._receive() if exists else []
            except AzureError as error:
                if not _is_outage(error):
                    raise
                log.warning("queue %s: %s", self.queue.name, str(error).splitlines()[0])
                exists, batch = False, []
            if batch:
                await self._start(batch)
            else:
                await self._sleep(self._backoff.next())

    def wake(self) -> None:
        """Poll at once."""
        self._wake.set()

    async def stop(self) -> None:
        """Receive nothing more and wait for what is running; the caller limits the wait."""
        self._stopping = True
        self._wake.set()
        while self._running:
            await asyncio.wait(self._running)

    async def _receive(self) -> list[StoredMessage]:
        return await asyncio.to_thread(self.queue.receive, self._options.batch_size, self._options.lease)

    async def _start(self, batch: list[StoredMessage]) -> None:
        self._backoff.work_found()
        for message in batch:
            task = asyncio.create_task(self._process_safely(message))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        while len(self._running) > self._options.new_batch_threshold and not self._stopping:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        if not self._stopping:
            self._wake.clear()

    async def _process_safely(self, message: StoredMessage) -> None:
        """Where the real host would shut down and start again, the message stays hidden until its lease is over: the same to it."""
        try:
            await self._process(message)
        except AzureError as error:
            log.error("queue %s: message %s stays hidden: %s", self.queue.name, message.id, str(error).splitlines()[0])  # noqa: TRY400

    async def _process(self, message: StoredMessage) -> None:
        receipt = Receipt(message.id, message.pop_receipt)
        body = self._decoded(message.content)
        exhausted = message.dequeue_count > self._options.max_dequeue_count and not self.queue.name.endswith("-poison")
        if body is None or exhausted:
            await self._move_to_poison(message, receipt)
            return
        finished = await self._invoke(message, body, receipt)
        if not finished.error:
            await self._complete(receipt)
        elif message.dequeue_count >= self._options.max_dequeue_count:
            await self._move_to_poison(message, receipt)
        else:
            await self._release(receipt)

    def _decoded(self, content: str) -> bytes | None:
        """The body; None when it is not base64: such a message never runs."""
        if not self._options.base64:
            return content.encode()
        try:
            return base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            return None

    async def _invoke(self, message: StoredMessage, body: bytes, receipt: Receipt) -> Finished:
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            log.error("function %s: message %s is not UTF-8: %s", self.function, message.id, error)  # noqa: TRY400
            return Finished("", error=str(error))
        ended = asyncio.Event()
        renewal = asyncio.create_task(self._renew(receipt, ended))
        finished = await self._engine.invoke(self.function, QueueTrigger(text, trigger_metadata(message, text)))
        ended.set()
        await renewal  # one that is under way changes the receipt: let it finish
        if finished.error:
            log.warning(
                "function %s failed (delivery %d of message %s): %s", self.function, message.dequeue_count, message.id, finished.error
            )
        return finished

    async def _renew(self, receipt: Receipt, ended: asyncio.Event) -> None:
        while not ended.is_set():
            try:
                async with asyncio.timeout(self._options.renewal):
                    await ended.wait()
            except TimeoutError:
                if not await self._renew_once(receipt):
                    return

    async def _renew_once(self, receipt: Receipt) -> bool:
        try:
            receipt.pop_receipt = await asyncio.to_thread(self.queue.hide, receipt.message_id, receipt.pop_receipt, self._options.lease)
        except AzureError as error:
            log.warning("queue %s: lost message %s while it runs: %s", self.queue.name, receipt.message_id, str(error).splitlines()[0])
            return False
        return True

    async def _complete(self, receipt: Receipt) -> None:
        await self._unless_lost(self.queue.delete, receipt.message_id, receipt.pop_receipt)

    async def _release(self, receipt: Receipt) -> None:
        await self._unless_lost(self.queue.hide, receipt.message_id, receipt.pop_receipt, self._options.visibility_timeout)

    async def _move_to_poison(self, message: StoredMessage, receipt: Receipt) -> None:
        """Copy, then delete: not atomic, so the poison queue may see a message twice."""
        if self.queue.name.endswith("-poison") or len(self._poison.name) > LONGEST_QUEUE_NAME:
            return
        log.error("queue %s: message %s moves to %s", self.queue.name, message.id, self._poison.name)
        await asyncio.to_thread(self._poison.send, message.content)
        self._notify(self._poison.name)
        await self._complete(receipt)

    async def _unless_lost(self, call: Callable[..., object], *arguments: object) -> None:
        try:
            await asyncio.to_thread(call, *arguments)
        except HttpResponseError as error:
            if not owner_lost(error):
                raise
            log.warning("queue %s: somebody else has message %s by now", self.queue.name, arguments[0])


def _is_outage(error: AzureError) -> bool:
    """No answer, a 5xx, or a queue that is missing or being deleted: the listener backs off and looks again."""
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return error.status_code >= 500 or error.status_code in {404, 409, 429}
    return isinstance(error, (ServiceRequestError, ServiceResponseError))
