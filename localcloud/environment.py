"""The app's settings in the local cloud: the names are those of Azure, only the addresses differ."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from pathlib import Path

from localcloud.settings import (
    CONTAINER_GROUP,
    CONTAINER_IDENTITY,
    LOCATION,
    SUBSCRIPTION,
    VAULT,
    CloudSettings,
    identity_id,
    template_spec_id,
)


def token_keys() -> str:
    """A new key that signs the attempts' tokens."""
    return f"local:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def storage_settings(blob: str, queue: str, table: str) -> dict[str, str]:
    """The storage account, reached with the app's identity."""
    name = "AzureWebJobsStorage"
    return {
        f"{name}__blobServiceUri": blob,
        f"{name}__queueServiceUri": queue,
        f"{name}__tableServiceUri": table,
        f"{name}__credential": "managedidentity",
    }


def app_settings(
    settings: CloudSettings, *, url: str, arm: str, vaults: str, identity: str, identity_secret: str, ca: Path, storage: Mapping[str, str]
) -> dict[str, str]:
    """All of them; `settings.environment` wins."""
    workflows = {"LOADME_WORKFLOWS": str(settings.workflows.resolve())} if settings.workflows else {}
    return {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        # Polling a local queue costs nothing: what waits between two steps is not worth a second.
        "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.250",
        **storage,
        "IDENTITY_ENDPOINT": f"{identity}/msi/token",
        "IDENTITY_HEADER": identity_secret,
        "LOADME_SUBSCRIPTION_ID": SUBSCRIPTION,
        "LOADME_RESOURCE_GROUP": CONTAINER_GROUP,
        "LOADME_LOCATION": LOCATION,
        "LOADME_TEMPLATE_SPEC": template_spec_id(),
        "LOADME_CONTAINER_IDENTITY": identity_id(CONTAINER_IDENTITY),
        "LOADME_ARM_ENDPOINT": arm,
        "LOADME_CA_FILE": str(ca),
        "LOADME_KEY_VAULT": f"{vaults}/{VAULT}",
        "LOADME_KEY_VAULT_ENDPOINT": f"{vaults}/{{vault}}",
        "LOADME_PUBLIC_URL": url,
        "LOADME_TOKEN_KEYS": token_keys(),
        "LOADME_CHECK_FIRST": f"{settings.check_first:g}",
        "LOADME_CHECK_MAX": f"{settings.check_max:g}",
        "LOADME_QUOTA_CREATES_5M": str(settings.limits.five_minutes),
        "LOADME_QUOTA_CREATES_1H": str(settings.limits.hour),
        **workflows,
        **settings.environment,
    }
