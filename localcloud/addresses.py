"""What the state file says of a cloud that is up: where everything is, and how to get in."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.settings import SUBSCRIPTION

if TYPE_CHECKING:
    from localcloud.cloud import Cloud


def addresses(cloud: Cloud, ca: Path) -> dict[str, Any]:
    """Of a cloud that has been started."""
    azure, azurite = cloud.azure, cloud.azurite
    return {
        "url": cloud.url,
        "key": cloud.key,
        "arm": azure.arm_url,
        "vaults": azure.vault_url,
        "ca": str(ca),
        "identity": azure.identity_url,
        **azure.logins.describe(azure.login_url, azure.identity_url, azure.identity_tls_url),
        "app_identity_header": azure.header_secret,
        "proxy": azure.proxy_url,
        "storage": {"blob": azurite.blob_url, "queue": azurite.queue_url, "table": azurite.table_url},
        "pid": os.getpid(),
        "subscription": SUBSCRIPTION,
        "registry": asdict(azure.registry) if azure.registry else None,
        "app": str(cloud.settings.app.resolve()),
    }
