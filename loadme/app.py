"""Putting the app together: the services of this process, made when the first function needs them."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from loadme import log
from loadme import settings as app_settings
from loadme.azure.arm import AzureArm
from loadme.azure.credentials import managed_identity
from loadme.azure.keyvault import AzureVault
from loadme.azure.storage import Account
from loadme.azure.storage.blobs import AzureBlobs
from loadme.azure.storage.queues import AzureQueues
from loadme.azure.storage.tables import AzureTables
from loadme.azure.webhook import HttpWebhook
from loadme.definitions.names import PREFIX
from loadme.definitions.workflow_files import Catalogue, load_folder
from loadme.services import Services
from loadme.settings import Settings

if TYPE_CHECKING:
    from azure.identity import ManagedIdentityCredential

FOLDER = Path(__file__).resolve().parent.parent
STATE = "loadme"
"""The name of the table and of the blob container that hold all state."""

_lock = threading.Lock()


@cache
def catalogue() -> Catalogue:
    """The workflow files of this deployment. Never raises: a broken file is reported and takes down only itself."""
    prefix = os.environ.get("LOADME_VARIABLE_PREFIX") or PREFIX
    found = load_folder(Path(FOLDER, os.environ.get("LOADME_WORKFLOWS") or "workflows"), prefix)
    for one in found.broken:
        log.warning("broken-workflow", file=one.file, problems="; ".join(str(problem) for problem in one.problems))
    return found


def services() -> Services:
    """The services of this process. Raises BadSettings."""
    with _lock:
        return _services()


@cache
def _services() -> Services:
    return connect(app_settings.read(os.environ, FOLDER), catalogue())


def connect(settings: Settings, workflows: Catalogue) -> Services:
    """Services over the genuine clients. Nothing is asked of Azure yet."""
    credential = managed_identity(settings.client_id)
    account = storage_account(settings, credential)
    return Services(
        settings=settings,
        catalogue=workflows,
        tables=AzureTables(account, STATE),
        blobs=AzureBlobs(account, STATE),
        files=AzureBlobs(account, settings.files_container),
        queues=AzureQueues(account),
        arm=AzureArm(credential, settings.subscription, settings.resource_group, endpoint=settings.arm_endpoint, ca_file=settings.ca_file),
        vault=AzureVault(credential, settings.vault, endpoint=settings.vaults, ca_file=settings.ca_file),
        webhook=HttpWebhook(settings.events.webhook),
        now=lambda: datetime.now(UTC),
        random_bytes=os.urandom,
        sleep=time.sleep,
    )


def storage_account(settings: Settings, credential: ManagedIdentityCredential) -> Account:
    """The one storage account that a function app has anyway, reached with the app's credential unless it has a client id of its own."""
    storage = settings.storage
    own = credential if storage.client_id == settings.client_id else managed_identity(storage.client_id)
    return Account(
        blob_endpoint=storage.blob,
        queue_endpoint=storage.queue,
        table_endpoint=storage.table,
        credential=None if storage.connection else own,
        connection_string=storage.connection,
        ca_file=settings.ca_file,
    )
