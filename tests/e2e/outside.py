"""What is really there, asked by other means than the app's own code: storage, ARM, processes; and who is told of the ends of runs."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from localcloud.cloud import Cloud
from localcloud.settings import CONTAINER_GROUP, group_id

VERSION = "2023-05-01"


class Storage:
    """The storage account, with its connection string."""

    def __init__(self, cloud: Cloud) -> None:
        self._account: dict[str, Any] = {
            "conn_str": cloud.azurite.connection_string,
            "connection_verify": cloud.environment["LOADME_CA_FILE"],
        }

    def naming(self, *words: str) -> list[str]:
        """The blobs with one of the words in their names, and the rows with one anywhere."""
        return [one for one in (*self._blobs(), *self._rows()) if any(word in one for word in words)]

    def _blobs(self) -> Iterator[str]:
        with BlobServiceClient.from_connection_string(**self._account) as client:
            for container in client.list_containers():
                yield from (f"{container.name}/{blob}" for blob in client.get_container_client(container.name).list_blob_names())

    def _rows(self) -> Iterator[str]:
        with TableServiceClient.from_connection_string(**self._account) as client:
            for table in client.list_tables():
                yield from (f"{table.name}: {dict(row)}" for row in client.get_table_client(table.name).list_entities())

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """The first messages on a queue, which stay there."""
        with QueueClient.from_connection_string(**self._account, queue_name=queue) as client:
            return [json.loads(base64.b64decode(message.content)) for message in client.peek_messages(max_messages=32)]


class Arm:
    """Somebody with the right to create container groups beside the app."""

    def __init__(self, cloud: Cloud) -> None:
        token = cloud.credential().get_token("https://management.azure.com/.default").token
        self._client = httpx.Client(
            base_url=f"{cloud.arm_url}{group_id(CONTAINER_GROUP)}/providers/Microsoft.ContainerInstance/containerGroups/",
            headers={"authorization": f"Bearer {token}"},
            params={"api-version": VERSION},
            verify=ssl.create_default_context(cafile=cloud.environment["LOADME_CA_FILE"]),
            trust_env=False,
        )

    def __enter__(self) -> Arm:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def put(self, name: str, **tags: str) -> None:
        """A container group that works for ten minutes."""
        container = {
            "image": "loadme.local/shell:1",
            "command": ["sh", "-c", "sleep 600"],
            "environmentVariables": [{"name": "LOADME_ATTEMPT_ID", "value": name}],
            "resources": {"requests": {"cpu": 1, "memoryInGB": 1}},
        }
        properties = {"osType": "Linux", "restartPolicy": "Never", "containers": [{"name": "main", "properties": container}]}
        answer = self._client.put(name, json={"location": "westus3", "tags": tags, "properties": properties})
        assert answer.is_success, answer.text

    def exists(self, name: str) -> bool:
        return self._client.get(name).status_code == 200


def processes(attempt: str) -> list[int]:
    """The processes of the attempt's container."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"LOADME_ATTEMPT_ID={attempt}".encode() in environment:
            found.append(int(process.name))
    return found


@dataclass
class Receiver:
    """A webhook that is busy the first time that it is told of an event."""

    url: str = ""
    told: Counter[str] = field(default_factory=Counter)
    events: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, event: dict[str, Any]) -> int:
        self.told[event["id"]] += 1
        if self.told[event["id"]] == 1:
            return 503
        self.events.append(event)
        return 204


@contextmanager
def receiver() -> Iterator[Receiver]:
    """The webhook, served on this machine."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(state.answer(json.loads(body)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the test says what it got."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}/events"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
