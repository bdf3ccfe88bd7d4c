"""One queue function: polls its queue, and starts a task for each message."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseError

from .backoff import Backoff
from .queue_message import Processor
from .queue_seam import Polled, Stored
from .settings import QueueOptions

log = logging.getLogger("host.queue")


class QueueListener:
    """The listener of one function. `fail` is called with what the real host shuts down on."""

    def __init__(
        self,
        queue: Polled,
        processor: Processor,
        options: QueueOptions,
        backoff: Backoff,
        fail: Callable[[BaseException], None],
    ) -> None:
        self.queue = queue
        self._processor = processor
        self._options = options
        self._backoff = backoff
        self._fail = fail
        self._wake = asyncio.Event()
        self._polling = asyncio.Lock()
        self._stopping = False
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Poll until stopped. A storage error that is not an outage is raised: the real host shuts down on it."""
        async with self._polling:
            await self._poll()

    async def _poll(self) -> None:
        exists = False
        while not self._stopping:
            try:
                exists = exists or await self.queue.exists()  # looked at again after any error
                batch = await self._receive() if exists else []
            except AzureError as error:
                if not is_outage(error):
                    raise
                log.warning("queue %s: %s", self.queue.name, str(error).splitlines()[0])
                exists, batch = False, []
            if batch:
                await self._start(batch)
            else:
                await self._sleep(self._backoff.next())

    def wake(self) -> None:
        """Poll at once: this host has written to the queue itself."""
        self._wake.set()

    async def stop(self) -> None:
        """Ask for nothing more; wait for what has been asked for and for all that runs. The caller limits the wait."""
        self._stopping = True
        self._wake.set()
        async with self._polling:  # an answer that is on its way brings messages that are hidden already
            while self._running:
                await asyncio.wait(self._running)

    async def abandon(self) -> None:
        """Leave what still runs as it is, hidden until its lease is over: the process is about to end."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _receive(self) -> Sequence[Stored]:
        return await self.queue.receive(self._options.batch_size, self._options.lease)

    async def _start(self, batch: Sequence[Stored]) -> None:
        self._backoff.work_found()
        for message in batch:
            task = asyncio.create_task(self._process(message))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        while len(self._running) > self._options.new_batch_threshold and not self._stopping:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    async def _process(self, message: Stored) -> None:
        try:
            await self._processor.process(message)
        except Exception as error:
            log.error("queue %s: message %s stays hidden: %s", self.queue.name, message.id, str(error).splitlines()[0])  # noqa: TRY400
            self._fail(error)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        if not self._stopping:
            self._wake.clear()


def is_outage(error: AzureError) -> bool:
    """A 5xx, or a queue that is missing or being deleted: the listener backs off and looks again.

    So it does when there is no answer at all, where the real host would shut down: an emulator is restarted more often than Azure is.
    """
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        codes = {"QueueNotFound", "QueueBeingDeleted"}
        known = getattr(error, "error_code", None)
        return error.status_code >= 500 or (error.status_code in {404, 409} and (known is None or known in codes))
    return isinstance(error, (ServiceRequestError, ServiceResponseError))
