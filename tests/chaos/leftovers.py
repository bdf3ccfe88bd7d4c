"""What is still there: messages, open rows, container groups, deployments. Asked by other means than the app's own code."""

from __future__ import annotations

import ssl
from typing import Any

import httpx
from azure.core.exceptions import AzureError
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from localcloud.cloud import Cloud

TABLE = "loadme"
FOR_OTHERS = ("loadme-events",)
"""Queues that the app fills for somebody else to empty."""

KINDS = {"containerGroups": ("Microsoft.ContainerInstance", "2023-05-01"), "deployments": ("Microsoft.Resources", "2022-09-01")}


class Leftovers:
    """Looks at one local cloud."""

    def __init__(self, cloud: Cloud) -> None:
        storage: dict[str, Any] = {"conn_str": cloud.azurite.connection_string, "connection_verify": cloud.environment["LOADME_CA_FILE"]}
        self._cloud = cloud
        self._queues = QueueServiceClient.from_connection_string(**storage)
        self._tables = TableServiceClient.from_connection_string(**storage)
        self._arm = httpx.Client(verify=ssl.create_default_context(cafile=cloud.environment["LOADME_CA_FILE"]), trust_env=False, timeout=30)

    def __enter__(self) -> Leftovers:
        return self

    def __exit__(self, *_: object) -> None:
        for client in (self._queues, self._tables, self._arm):
            client.close()

    def found(self) -> dict[str, int]:
        """How much there is of what should be gone, by its name."""
        counts = {f"queue {name}": count for name, count in self.messages().items() if name not in FOR_OTHERS}
        counts["open rows"] = self.open_rows()
        counts.update({kind: self._listed(kind) for kind in KINDS})
        return {name: count for name, count in counts.items() if count}

    def messages(self) -> dict[str, int]:
        """The messages of every queue, those too that cannot be seen at the moment."""
        counts = {}
        for queue in self._queues.list_queues():
            with self._queues.get_queue_client(queue.name) as client:
                counts[queue.name] = client.get_queue_properties().approximate_message_count or 0
        return counts

    def open_rows(self) -> int:
        """The runs that the patrol still looks after."""
        return len(list(self._tables.get_table_client(TABLE).query_entities("PartitionKey eq 'open'", select=["RowKey"])))

    def _listed(self, kind: str) -> int:
        provider, version = KINDS[kind]
        group = f"/subscriptions/{self._cloud.environment['LOADME_SUBSCRIPTION_ID']}/resourceGroups/loadme-containers"
        token = self._cloud.credential().get_token("https://management.azure.com/.default").token
        address = f"{self._cloud.arm_url}{group}/providers/{provider}/{kind}?api-version={version}"
        answer = self._arm.get(address, headers={"authorization": f"Bearer {token}"})
        return len(answer.raise_for_status().json()["value"])


def found_or_trouble(leftovers: Leftovers) -> dict[str, int]:
    """As `found`; that it cannot be looked at is something that is left, too."""
    try:
        return leftovers.found()
    except (AzureError, httpx.HTTPError) as trouble:
        return {f"{type(trouble).__name__}": 1}
