"""A host that runs the sample app, for the tests of what the host does."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from localcloud.azurite import Azurite
from localcloud.certificates import Authority
from localcloud.child import HostChild, HostCommand
from localcloud.host.keys import Keys, load_keys

SAMPLE_APP = Path(__file__).parent / "sample_app"


@dataclass
class SampleHost:
    """One running host with its journal and the queue `sample-…` of its own."""

    child: HostChild
    journal: Path
    azurite: Azurite
    authority: Authority
    queue: str
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=20, trust_env=False))

    @property
    def keys(self) -> Keys:
        return load_keys(self.child.command.keys)

    @property
    def log(self) -> str:
        return self.child.command.log.read_text()

    def get(self, path: str, key: str = "") -> httpx.Response:
        return self.request("GET", path, headers={"x-functions-key": key} if key else {})

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.client.request(method, f"{self.child.url}{path}", **options)

    def queue_client(self, suffix: str = "") -> QueueClient:
        return QueueClient.from_connection_string(
            self.azurite.connection_string, f"{self.queue}{suffix}", connection_verify=str(self.authority.ca)
        )

    def create_queue(self, suffix: str = "") -> None:
        with self.queue_client(suffix) as client:
            client.create_queue()

    def send(self, body: Mapping[str, Any] | str, suffix: str = "", *, encoded: bool = True) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        with self.queue_client(suffix) as client:
            client.send_message(base64.b64encode(text.encode()).decode() if encoded else text)

    def poison(self, suffix: str = "") -> list[str]:
        """The raw messages of a queue's poison queue, if there is one."""
        return self.peek(f"{suffix}-poison")

    def peek(self, suffix: str) -> list[str]:
        """The raw messages of a queue, if there is one."""
        with self.queue_client(suffix) as client:
            try:
                return [message.content for message in client.peek_messages(32)]
            except ResourceNotFoundError:
                return []

    def outputs(self, suffix: str) -> list[bytes]:
        """The decoded messages of a queue."""
        return [base64.b64decode(content) for content in self.peek(suffix)]

    def waiting(self) -> int:
        """How many messages the queue holds, hidden ones included."""
        with self.queue_client() as client:
            return client.get_queue_properties().approximate_message_count or 0

    def notes(self, function: str, **where: Any) -> list[dict[str, Any]]:
        """What a function has noted so far."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        noted = [json.loads(line) for line in lines]
        return [note for note in noted if note["function"] == function and all(note.get(key) == value for key, value in where.items())]

    def close(self) -> None:
        self.child.stop()
        self.client.close()


def sample_host(
    folder: Path, azurite: Azurite, authority: Authority, queue: str, app: Path = SAMPLE_APP, engine: str = "sdk", **environment: str
) -> SampleHost:
    """A host that has been started; the queue does not exist yet."""
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "LOADME_CA_FILE": str(authority.ca),
        "SAMPLE_QUEUE": queue,
        "SAMPLE_JOURNAL": str(folder / "journal"),
        "AzureWebJobs.switched_off.Disabled": "true",
        **environment,
    }
    child = HostChild(HostCommand(app=app, port=0, folder=folder / "host", environment=settings, engine=engine))
    child.start()
    return SampleHost(child, folder / "journal", azurite, authority, queue)
