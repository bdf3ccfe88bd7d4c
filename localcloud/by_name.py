"""The local cloud under Azure's own names: a proxy that leads each to the part that answers to it."""

from __future__ import annotations

from contextlib import ExitStack
from urllib.parse import urlsplit

from localcloud.azure import Azure
from localcloud.azurite import Azurite
from localcloud.ports import listen, usual_or_free
from localcloud.proxy import Proxy
from localcloud.settings import PROXY_PORT, CloudSettings


def serve_names(stack: ExitStack, settings: CloudSettings, azure: Azure, azurite: Azurite) -> None:
    """Serves the proxy until the stack is closed."""
    listening = usual_or_free(PROXY_PORT, settings.say) if settings.fixed_ports else listen()
    proxy = Proxy(stack.enter_context(listening), lambda part: port_of(part, azure, azurite))
    stack.callback(proxy.stop)
    azure.proxy_url = proxy.start().url
    settings.say(f"proxy     {azure.proxy_url} (HTTPS_PROXY for clients that use Azure's names)")


def port_of(part: str, azure: Azure, azurite: Azurite) -> int | None:
    """Where the part listens at this moment: storage may have moved. None for a part that is not there."""
    addresses = {
        "arm": azure.arm_url,
        "login": azure.login_url,
        "vaults": azure.vault_url,
        "blob": azurite.blob_url,
        "queue": azurite.queue_url,
        "table": azurite.table_url,
    }
    return urlsplit(addresses[part]).port if part in addresses else None
