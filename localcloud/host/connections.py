"""Which storage account a binding's `connection` means: the app's settings have a connection string for it, or an identity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .settings import HostError

EMULATOR = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
)
PREFIXES = ("ConnectionStrings:", "CUSTOMCONNSTR_")
OTHER_CREDENTIALS = ("clientSecret", "certificate", "sasToken")

Setting = Callable[[str], str | None]


@dataclass(frozen=True)
class Connection:
    """How an account's queues are reached: with a string, or at an endpoint with the managed identity that the ids name."""

    string: str = ""
    endpoint: str = ""
    client_id: str = ""
    resource_id: str = ""


def find_connection(name: str, setting: Setting) -> Connection:
    """The connection of this name: the first that there is of its names, with the host's prefix before the bare one."""
    wanted = name or "Storage"
    for candidate in (f"AzureWebJobs{wanted}", wanted):
        for key in (*(f"{prefix}{candidate}" for prefix in PREFIXES), candidate):
            if text := setting(key):
                return Connection(string=EMULATOR if text.rstrip(";").lower() == "usedevelopmentstorage=true" else text)
        if endpoint := _endpoint(candidate, setting):
            return _identity(candidate, endpoint, setting)
    raise HostError(f"the connection {wanted!r} is not set: give AzureWebJobsStorage or AzureWebJobsStorage__queueServiceUri")


def _endpoint(section: str, setting: Setting) -> str | None:
    if account := setting(f"{section}:accountName"):
        return f"https://{account}.queue.core.windows.net"
    return setting(f"{section}:queueServiceUri") or setting(f"{section}:serviceUri")


def _identity(section: str, endpoint: str, setting: Setting) -> Connection:
    credential = (setting(f"{section}:credential") or "managedidentity").lower()
    if credential != "managedidentity" or any(setting(f"{section}:{name}") for name in OTHER_CREDENTIALS):
        raise HostError(f"the connection {section!r} asks for another credential than a managed identity: the local host has no other")
    return Connection(
        endpoint=endpoint,
        client_id=setting(f"{section}:clientId") or "",
        resource_id=setting(f"{section}:managedIdentityResourceId") or "",
    )
