"""The settings of the function app, read once from the environment into a frozen object."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loadme.core.ledger import Limits
from loadme.core.policies import Policy
from loadme.definitions import durations
from loadme.definitions.names import PREFIX
from loadme.errors import LoadmeError

KEY_BYTES = 16
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
VAULT_NAME = "{vault}"
VAULTS = f"https://{VAULT_NAME}.vault.azure.net"
REGISTRY_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ContainerRegistry/registries/[A-Za-z0-9]+", re.IGNORECASE
)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
FOR_EVER = "forever"
SECRET_BYTES = (24, 64)
"""The least and the most that Standard Webhooks allows."""
QUOTA: Mapping[str, tuple[str, type[int] | type[float]]] = {
    "groups": ("LOADME_QUOTA_GROUPS", int),
    "cores": ("LOADME_QUOTA_CORES", float),
    "per_5_minutes": ("LOADME_QUOTA_CREATES_5M", int),
    "per_hour": ("LOADME_QUOTA_CREATES_1H", int),
}
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
class Events:
    """Who is told of the end of runs: always a queue, and the webhook if there is one. `steps` if the end of steps is told too."""

    # Neither is in the repr: the address may hold a secret too.
    webhook: str = field(default="", repr=False)
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    steps: bool = False


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Seconds for which a run is kept after its end, and a log or file after its last change; None is for ever.

    A run goes with its logs and files.
    """

    runs: float | None = 90 * 86_400.0
    logs: float | None = None
    files: float | None = None

    @property
    def of_logs(self) -> float | None:
        """Seconds for logs: as long as their run, unless they go earlier."""
        return self.runs if self.logs is None else self.logs

    @property
    def of_files(self) -> float | None:
        """Seconds for files: as long as their run, unless they go earlier."""
        return self.runs if self.files is None else self.files


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the README's table of settings says of each; times in seconds."""

    storage: Storage
    subscription: str
    resource_group: str
    location: str
    app: str = "loadme"
    template_spec: str
    token_keys: Mapping[str, bytes]
    public_url: str
    container_identity: str = ""
    registry: str = ""
    client_id: str = ""
    arm_endpoint: str = "https://management.azure.com"
    ca_file: str = ""
    vault: str = ""
    vaults: str = VAULTS
    workflows: Path
    variable_prefix: str = PREFIX
    files_container: str = "loadme-files"
    policy: Policy
    limits: Limits = field(default_factory=Limits)
    events: Events = Events()
    retention: Retention = Retention()

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
    limits, events = _limits(environment, problems), _events(environment, problems)
    registry, retention = _registry(environment, problems), _retention(environment, problems)
    vault, vaults = _vaults(environment, problems)
    if problems:
        raise BadSettings("settings of the function app are missing or wrong: " + "; ".join(problems))
    return Settings(
        storage=storage,
        subscription=environment["LOADME_SUBSCRIPTION_ID"],
        resource_group=environment["LOADME_RESOURCE_GROUP"],
        location=environment["LOADME_LOCATION"],
        app=environment.get("LOADME_APP") or environment.get("WEBSITE_SITE_NAME") or "loadme",
        template_spec=environment["LOADME_TEMPLATE_SPEC"],
        token_keys=keys,
        public_url=_public_url(environment),
        container_identity=environment.get("LOADME_CONTAINER_IDENTITY", ""),
        registry=registry,
        client_id=environment.get("LOADME_CLIENT_ID", ""),
        arm_endpoint=environment.get("LOADME_ARM_ENDPOINT", "https://management.azure.com"),
        ca_file=environment.get("LOADME_CA_FILE", ""),
        vault=vault,
        vaults=vaults,
        workflows=Path(app_folder, environment.get("LOADME_WORKFLOWS", "workflows")),
        variable_prefix=environment.get("LOADME_VARIABLE_PREFIX") or PREFIX,
        files_container=environment.get("LOADME_FILES_CONTAINER", "loadme-files"),
        policy=policy,
        limits=limits,
        events=events,
        retention=retention,
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


def _registry(environment: Mapping[str, str], problems: list[str]) -> str:
    found = environment.get("LOADME_REGISTRY", "").rstrip("/")
    if found and not REGISTRY_ID.fullmatch(found):
        example = "/subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerRegistry/registries/NAME"
        problems.append(f"LOADME_REGISTRY is {found!r}, not the resource id of a container registry like {example}")
    return found


def _vaults(environment: Mapping[str, str], problems: list[str]) -> tuple[str, str]:
    own = environment.get("LOADME_KEY_VAULT", "").rstrip("/")
    vaults = environment.get("LOADME_KEY_VAULT_ENDPOINT") or VAULTS
    if own and not re.fullmatch(r"https://[!-~]+", own):
        problems.append(f"LOADME_KEY_VAULT is {own!r}, not the address of a key vault like https://NAME.vault.azure.net")
    if not re.fullmatch(r"https://[!-z]*\{vault\}[!-z]*", vaults):
        problems.append(f"LOADME_KEY_VAULT_ENDPOINT is {vaults!r}; it must be an address like {VAULTS}")
    return own, vaults.rstrip("/")


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


def _limits(environment: Mapping[str, str], problems: list[str]) -> Limits:
    found: dict[str, Any] = {}
    for name, (setting, kind) in QUOTA.items():
        if given := environment.get(setting):
            try:
                found[name] = kind(given)
            except ValueError:
                found[name] = 0
            if not 0 < found[name] < math.inf:
                problems.append(f"{setting} is {given!r}, not a {'whole ' if kind is int else ''}number above 0")
    return Limits(**found)


def _policy(environment: Mapping[str, str], problems: list[str]) -> Policy:
    found = {}
    for name in Policy.__struct_fields__:
        setting = f"LOADME_{name.upper()}"
        try:
            found[name] = float(environment.get(setting) or getattr(Policy(), name))
        except ValueError:
            problems.append(f"{setting} is {environment[setting]!r}, not a number of seconds")
    return Policy(**found)


def _retention(environment: Mapping[str, str], problems: list[str]) -> Retention:
    found: dict[str, float | None] = {}
    for name in ("runs", "logs", "files"):
        setting = f"LOADME_RETAIN_{name.upper()}"
        if text := environment.get(setting):
            try:
                found[name] = None if text == FOR_EVER else durations.seconds(text)
            except ValueError:
                problems.append(f"{setting} is {text[:40]!r}; it must be a duration like 30d or 12h, or {FOR_EVER}")
    kept = Retention(**found)
    for name, seconds in (("LOGS", kept.logs), ("FILES", kept.files)):
        if seconds is not None and kept.runs is not None and seconds > kept.runs:
            problems.append(f"LOADME_RETAIN_{name} is longer than LOADME_RETAIN_RUNS, but they go with their run")
    return kept


def _events(environment: Mapping[str, str], problems: list[str]) -> Events:
    wanted = [word.strip() for word in (environment.get("LOADME_EVENTS") or "runs").split(",")]
    if wanted not in (["runs"], ["runs", "steps"]):
        problems.append(f"LOADME_EVENTS is {environment['LOADME_EVENTS'][:40]!r}; it must be runs, or runs,steps")
    webhook = environment.get("LOADME_EVENTS_WEBHOOK", "")
    if webhook and not _is_webhook(webhook):
        # Never what it says: the address may hold a secret.
        problems.append("LOADME_EVENTS_WEBHOOK must be an https address, or an http address of this machine, without a user and password")
    secrets = _webhook_secrets(environment.get("LOADME_EVENTS_SECRET", ""), problems)
    return Events(webhook=webhook, secrets=secrets, steps="steps" in wanted)


def _is_webhook(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    # A client would refuse other characters only when the first event is posted.
    is_address = re.fullmatch(r"[!-~]+", text) is not None and bool(parts.hostname) and "@" not in parts.netloc and port != 0
    return is_address and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


def _webhook_secrets(text: str, problems: list[str]) -> tuple[bytes, ...]:
    found = []
    for number, part in enumerate(text.split(","), 1) if text.strip() else ():
        prefix, _, encoded = part.strip().partition("_")
        try:
            secret = base64.b64decode(encoded, validate=True)
        except ValueError:
            secret = b""
        if prefix != "whsec" or not SECRET_BYTES[0] <= len(secret) <= SECRET_BYTES[1]:
            problems.append(
                f"LOADME_EVENTS_SECRET: secret {number} must be whsec_ and the base64 of {SECRET_BYTES[0]} to {SECRET_BYTES[1]} bytes"
            )
        found.append(secret)
    return tuple(found)
