"""Queue storage: sending. Receiving is the Functions host's."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from loadme.azure.client import error_code, translated
from loadme.azure.storage import Account

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient

FOREVER = -1  # time to live: the default, 7 days, would lose the messages of a long outage
MAX_DELAY = 7 * 24 * 3600  # Queue storage: seconds


class Queues(Protocol):
    """All queues of the account."""

    def send(self, queue: str, body: str, delay: float = 0.0) -> None:
        """Sends a message that nobody sees for `delay` seconds. More than 7 days are cut to 7 days."""


class AzureQueues:
    """Queues in Azure, each created when it turns out to be missing. Messages are base64 text, as host.json says."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._clients: dict[str, QueueClient] = {}

    def send(self, queue: str, body: str, delay: float = 0.0) -> None:
        """See Queues. A body of more than 48 KiB is Terminal."""
        client = self._clients.get(queue) or self._clients.setdefault(queue, self._open(queue))
        with translated(f"sending to queue {queue}"):
            self._send(client, body, min(math.ceil(delay), MAX_DELAY))

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
