"""Queues, through the genuine SDK: a connection string or an identity, as the app's settings say."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from .connections import Connection, find_connection
from .settings import HostSettings

if TYPE_CHECKING:  # a second's work: done while the app is being loaded, by `connect`
    from azure.storage.queue import QueueClient, QueueServiceClient


@dataclass(frozen=True, kw_only=True)
class StoredMessage:
    """A message as the queue gave it out; `content` is raw, encoded or not."""

    id: str
    content: str
    pop_receipt: str
    dequeue_count: int
    inserted_on: datetime | None = None
    expires_on: datetime | None = None
    next_visible_on: datetime | None = None


class Queue:
    """One queue, with the few calls that a listener makes; storage errors are azure.core's own."""

    def __init__(self, client: QueueClient) -> None:
        self.name = str(client.queue_name)
        self._client = client

    async def exists(self) -> bool:
        """Whether the queue is there: the host does not create the queue of a trigger."""
        try:
            await asyncio.to_thread(self._client.get_queue_properties)
        except ResourceNotFoundError:
            return False
        return True

    async def receive(self, count: int, lease: float) -> list[StoredMessage]:
        """Up to `count` messages, hidden from everybody else for `lease` seconds. One request, whatever it brings."""

        def one_page() -> list[StoredMessage]:
            pages = self._client.receive_messages(messages_per_page=count, visibility_timeout=int(lease)).by_page()
            return [_stored(message) for message in next(pages, ())]

        return await asyncio.to_thread(one_page)

    async def hide(self, message_id: str, pop_receipt: str, seconds: float) -> str:
        """Show the message again in so many seconds; returns the new pop receipt."""
        hiding = asyncio.to_thread(self._client.update_message, message_id, pop_receipt, visibility_timeout=int(seconds))
        return str((await hiding).pop_receipt)

    async def delete(self, message_id: str, pop_receipt: str) -> None:
        """Remove the message for good; raises when the receipt is no longer the newest."""
        await asyncio.to_thread(self._client.delete_message, message_id, pop_receipt)

    async def send(self, content: str) -> None:
        """Append a message with the default time to live; the queue is created when it is missing."""
        await asyncio.to_thread(self._send, content)

    def _send(self, content: str) -> None:
        try:
            self._client.send_message(content)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):  # somebody else was quicker
                self._client.create_queue()
            self._client.send_message(content)


def _stored(message: Any) -> StoredMessage:
    return StoredMessage(
        id=message.id,
        content=message.content,
        pop_receipt=message.pop_receipt,
        dequeue_count=message.dequeue_count,
        inserted_on=message.inserted_on,
        expires_on=message.expires_on,
        next_visible_on=message.next_visible_on,
    )


class Queues:
    """The queues of one connection. Without encoding policies: a poison message moves as it is, byte for byte."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service

    def queue(self, name: str) -> Queue:
        """The queue of this name, whether it exists or not."""
        return Queue(self._service.get_queue_client(name))

    def close(self) -> None:
        """Close the connections."""
        self._service.close()


class Storage:
    """The queues of every connection that the app's bindings name. `notify` is called with a queue that was written to."""

    def __init__(self, settings: HostSettings, notify: Callable[[str], None]) -> None:
        self._settings = settings
        self._notify = notify
        self._connected: dict[str, Queues] = {}

    def queue(self, connection: str, name: str) -> Queue:
        """A queue; raises HostError when the settings do not say where it is."""
        if connection not in self._connected:
            self._connected[connection] = connect(find_connection(connection, self._settings.setting), self._settings)
        return self._connected[connection].queue(name)

    async def send(self, connection: str, queue: str, body: bytes) -> None:
        """Append a message, encoded as the app's host.json says; a queue that is missing is created first."""
        content = base64.b64encode(body).decode() if self._settings.queues.base64 else body.decode(errors="replace")
        await self.queue(connection, queue).send(content)
        self._notify(queue)

    def close(self) -> None:
        """Close the connections."""
        for queues in self._connected.values():
            queues.close()


def preload() -> None:
    """Import what `connect` needs: it takes a while, and may be done at the side."""
    import azure.identity
    import azure.storage.queue  # noqa: F401


def connect(connection: Connection, settings: HostSettings) -> Queues:
    """The queues of this connection."""
    from azure.identity import ManagedIdentityCredential
    from azure.storage.queue import LinearRetry, QueueServiceClient

    # The client's own policy would wait for minutes: a listener must see at once that storage is there again.
    retry = LinearRetry(backoff=1, retry_total=3, random_jitter_range=0)
    options = {"retry_policy": retry, **_options(settings)}
    if connection.string:
        return Queues(QueueServiceClient.from_connection_string(connection.string, **options))
    by_resource = {"identity_config": {"resource_id": connection.resource_id}} if connection.resource_id else {}
    credential = ManagedIdentityCredential(client_id=connection.client_id or None, **by_resource)
    return Queues(QueueServiceClient(connection.endpoint, credential=credential, **options))


def _options(settings: HostSettings) -> dict[str, Any]:
    authority = settings.setting("LOADME_CA_FILE") or settings.setting("REQUESTS_CA_BUNDLE")
    options: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 30}
    return {**options, "connection_verify": authority} if authority and Path(authority).is_file() else options
