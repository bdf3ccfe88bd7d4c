"""Queues, through the genuine SDK: a connection string or an identity, as the app's settings say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from .settings import HostError

if TYPE_CHECKING:  # a second's work: done while the app is being loaded, by `connect`
    from azure.storage.queue import QueueClient, QueueServiceClient

EMULATOR = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
)


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
    """One queue, with the few calls that a listener makes. They block; storage errors are azure.core's own."""

    def __init__(self, client: QueueClient) -> None:
        self.name = str(client.queue_name)
        self._client = client

    def exists(self) -> bool:
        """Whether the queue is there: the host does not create the queue of a trigger."""
        try:
            self._client.get_queue_properties()
        except ResourceNotFoundError:
            return False
        return True

    def receive(self, count: int, lease: float) -> list[StoredMessage]:
        """Up to `count` messages, hidden from everybody else for `lease` seconds. One request, whatever it brings."""
        pages = self._client.receive_messages(messages_per_page=count, visibility_timeout=int(lease)).by_page()
        return [_stored(message) for message in next(pages, ())]

    def hide(self, message_id: str, pop_receipt: str, seconds: float) -> str:
        """Show the message again in so many seconds; returns the new pop receipt."""
        return str(self._client.update_message(message_id, pop_receipt=pop_receipt, visibility_timeout=int(seconds)).pop_receipt)

    def delete(self, message_id: str, pop_receipt: str) -> None:
        """Remove the message for good; raises when the receipt is no longer the newest."""
        self._client.delete_message(message_id, pop_receipt)

    def send(self, content: str) -> None:
        """Append a message with the default time to live; the queue is created when it is missing."""
        try:
            self._client.send_message(content)
        except ResourceNotFoundError:
            self.create()
            self._client.send_message(content)

    def create(self) -> None:
        """Create the queue; one that exists is fine."""
        try:
            self._client.create_queue()
        except ResourceExistsError:
            return


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


def owner_lost(error: HttpResponseError) -> bool:
    """Whether somebody else has the message now, or it is gone."""
    return error.status_code in {404, 409} or getattr(error, "error_code", "") == "PopReceiptMismatch"


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


def preload() -> None:
    """Import what `connect` needs: it takes a while, and may be done at the side."""
    import azure.identity
    import azure.storage.queue  # noqa: F401


def connect(connection: str, settings: Mapping[str, str]) -> Queues:
    """The queues of the connection of this name: `AzureWebJobs{name}` or `{name}`, a string or a section of settings."""
    from azure.identity import ManagedIdentityCredential
    from azure.storage.queue import QueueServiceClient

    for name in (f"AzureWebJobs{connection}", connection):
        if text := settings.get(name):
            return Queues(
                QueueServiceClient.from_connection_string(EMULATOR if text == "UseDevelopmentStorage=true" else text, **_options(settings))
            )
        if endpoint := _endpoint(name, settings):
            credential = ManagedIdentityCredential(client_id=settings.get(f"{name}__clientId") or None)
            return Queues(QueueServiceClient(endpoint, credential=credential, **_options(settings)))
    raise HostError(f"the connection {connection!r} is not set: give AzureWebJobsStorage or AzureWebJobsStorage__queueServiceUri")


def _endpoint(name: str, settings: Mapping[str, str]) -> str | None:
    if account := settings.get(f"{name}__accountName"):
        return f"https://{account}.queue.core.windows.net"
    return settings.get(f"{name}__queueServiceUri") or settings.get(f"{name}__serviceUri")


def _options(settings: Mapping[str, str]) -> dict[str, Any]:
    authority = settings.get("LOADME_CA_FILE") or settings.get("REQUESTS_CA_BUNDLE")
    options: dict[str, Any] = {"retry_total": 3, "retry_connect": 0, "connection_timeout": 10, "read_timeout": 30}
    return {**options, "connection_verify": authority} if authority and Path(authority).is_file() else options
