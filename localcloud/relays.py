"""Where the app and storage are reached: by themselves, or, when that is asked for, by a relay at the side door."""

from __future__ import annotations

import socket
from collections.abc import Callable

from localcloud.azure import Azure
from localcloud.azurite import ACCOUNT, Azurite
from localcloud.environment import storage_settings
from localcloud.ports import LOOPBACK, number
from localcloud.settings import CloudSettings

STORAGE_URLS = ("blob_url", "queue_url", "table_url")


def public_url(azure: Azure, public: socket.socket, host: socket.socket) -> str:
    """The function app's address, for everybody: the host's own, or that of a relay, if another socket is the public one."""
    if public is host:
        return _url(host)
    return azure.relay("functions", lambda: _url(host), public)


def _url(listening: socket.socket) -> str:
    return f"http://{LOOPBACK}:{number(listening)}"


def storage_of(settings: CloudSettings, azure: Azure, azurite: Azurite) -> dict[str, str]:
    """The app's settings of its storage account. To be asked once when it is relayed: each time makes new relays."""
    if "storage" not in settings.relay:
        return storage_settings(azurite.blob_url, azurite.queue_url, azurite.table_url)
    blob, queue, table = (f"{azure.relay('storage', _origin(azurite, name))}/{ACCOUNT}" for name in STORAGE_URLS)
    return storage_settings(blob, queue, table)


def _origin(azurite: Azurite, name: str) -> Callable[[], str]:
    """Where the service is whenever it is asked for: it may yet have to take other ports."""
    return lambda: str(getattr(azurite, name)).rpartition("/")[0]
