"""The settings of the function app, read once from the environment into a frozen object."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadme.core.policies import Policy
from loadme.definitions.names import PREFIX
from loadme.errors import LoadmeError

KEY_BYTES = 16
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
REQUIRED = ("LOADME_SUBSCRIPTION_ID", "LOADME_RESOURCE_GROUP", "LOADME_LOCATION", "LOADME_TEMPLATE_SPEC", "LOADME_TOKEN_KEYS")


class BadSettings(LoadmeError):
    """The app cannot work with its settings; the message names every one that is wrong and what it should be."""


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Where the storage account is: a connection string, or the three endpoints that the app's identity is used with."""

    connection: str = ""
    blob: str = ""
    queue: str = ""
    table: str = ""
    client_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the README's table of settings says of each; times in seconds."""

    storage: Storage
    subscription: str
    resource_group: str
    location: str
    template_spec: str
    token_keys: Mapping[str, bytes]
    public_url: str
    container_identity: str = ""
    client_id: str = ""
    arm_endpoint: str = "https://management.azure.com"
    ca_file: str = ""
    workflows: Path
    variable_prefix: str = PREFIX
    files_container: str = "loadme-files"
    policy: Policy

    @property
    def files_url(self) -> str:
        """The container that has a folder for each run's files; empty if only a connection string is known."""
        return f"{self.storage.blob.rstrip('/')}/{self.files_container}" if self.storage.blob else ""


def read(environment: Mapping[str, str], app_folder: Path) -> Settings:
    """The settings in an environment. Raises BadSettings, naming every setting that is missing or malformed."""
    problems = [f"{name} is not set" for name in REQUIRED if not environment.get(name)]
    storage = _storage(environment)
    if not storage.connection and not (storage.blob and storage.queue and storage.table):
        problems.append(
            "AzureWebJobsStorage (a connection string) or AzureWebJobsStorage__blobServiceUri, …queueServiceUri and …tableServiceUri"
        )
    keys, policy = _token_keys(environment.get("LOADME_TOKEN_KEYS", ""), problems), _policy(environment, problems)
    if problems:
        raise BadSettings("settings of the function app are missing or wrong: " + "; ".join(problems))
    return Settings(
        storage=storage,
        subscription=environment["LOADME_SUBSCRIPTION_ID"],
        resource_group=environment["LOADME_RESOURCE_GROUP"],
        location=environment["LOADME_LOCATION"],
        template_spec=environment["LOADME_TEMPLATE_SPEC"],
        token_keys=keys,
        public_url=_public_url(environment),
        container_identity=environment.get("LOADME_CONTAINER_IDENTITY", ""),
        client_id=environment.get("LOADME_CLIENT_ID", ""),
        arm_endpoint=environment.get("LOADME_ARM_ENDPOINT", "https://management.azure.com"),
        ca_file=environment.get("LOADME_CA_FILE", ""),
        workflows=Path(app_folder, environment.get("LOADME_WORKFLOWS", "workflows")),
        variable_prefix=environment.get("LOADME_VARIABLE_PREFIX") or PREFIX,
        files_container=environment.get("LOADME_FILES_CONTAINER", "loadme-files"),
        policy=policy,
    )


def _storage(environment: Mapping[str, str]) -> Storage:
    name = "AzureWebJobsStorage"
    account = environment.get(f"{name}__accountName", "")

    def endpoint(service: str) -> str:
        default = f"https://{account}.{service}.core.windows.net" if account else ""
        return environment.get(f"{name}__{service}ServiceUri", default)

    return Storage(
        connection=environment.get(name, ""),
        blob=endpoint("blob"),
        queue=endpoint("queue"),
        table=endpoint("table"),
        client_id=environment.get(f"{name}__clientId", ""),
    )


def _public_url(environment: Mapping[str, str]) -> str:
    # Never from a request's Host header: a caller could have tokens sent elsewhere.
    host = environment.get("WEBSITE_HOSTNAME", "localhost:7071")
    return environment.get("LOADME_PUBLIC_URL", f"https://{host}").rstrip("/")


def _token_keys(text: str, problems: list[str]) -> dict[str, bytes]:
    keys = {}
    for number, part in enumerate(text.split(","), 1) if text.strip() else ():
        kid, _, encoded = part.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        # Never what it says: it may be the key that stands in the wrong place.
        if not KEY_ID.fullmatch(kid) or len(key) < KEY_BYTES:
            problems.append(f"LOADME_TOKEN_KEYS: key {number} must be id:base64: an id of letters, digits, - and _, and {KEY_BYTES} bytes")
        keys[kid] = key
    return keys


def _policy(environment: Mapping[str, str], problems: list[str]) -> Policy:
    found = {}
    for name in Policy.__struct_fields__:
        setting = f"LOADME_{name.upper()}"
        try:
            found[name] = float(environment.get(setting) or getattr(Policy(), name))
        except ValueError:
            problems.append(f"{setting} is {environment[setting]!r}, not a number of seconds")
    return Policy(**found)
