"""What every handler is given: the settings, the workflow files, one seam for each outside thing, the clock and randomness."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from loadme.azure.keyvault import Vault
from loadme.azure.storage.blobs import Blobs
from loadme.azure.storage.queues import Queues
from loadme.azure.storage.tables import Row, Tables
from loadme.azure.webhook import Webhook
from loadme.core.arm import Arm, RegistryCredentials, TemplateParameter
from loadme.definitions.definition import Workflow
from loadme.definitions.workflow_files import Catalogue
from loadme.errors import Absent, Conflict, Terminal
from loadme.settings import Settings

CACHED_DEFINITIONS = 100
LIFE = timedelta(minutes=10)


class Version(Struct, frozen=True, kw_only=True):
    """A definition of a workflow, by its digest; `first_seen` is when a run was first started with it, `steps` how many it has."""

    digest: str
    first_seen: datetime
    steps: int


def digest_of(workflow: Workflow) -> str:
    """The SHA-256 of the definition's JSON."""
    return hashlib.sha256(msgspec.json.encode(workflow)).hexdigest()


class Definitions:
    """The definitions that runs were started with, by the SHA-256 of their JSON: a deployment of the app never disturbs a run.

    partition `versions~{workflow}`   one row for each definition of the workflow that a run was started with: since when, how many steps
    """

    def __init__(self, blobs: Blobs, tables: Tables, now: Callable[[], datetime]) -> None:
        self._blobs, self._tables, self._now = blobs, tables, now
        self._pinned: set[str] = set()
        self._cache: dict[str, Workflow] = {}

    def pin(self, workflow: Workflow) -> str:
        """Keeps the definition and gives its digest."""
        digest = digest_of(workflow)
        if digest not in self._pinned:
            self._blobs.put(f"definitions/{digest}.json", msgspec.json.encode(workflow), content_type="application/json")
            self._record(workflow, digest)
            self._remember(digest, workflow)
            self._pinned.add(digest)
        return digest

    def get(self, digest: str) -> Workflow:
        """The definition again. Raises Terminal if it is gone."""
        if digest not in self._cache:
            self._remember(digest, self._read(digest))
        return self._cache[digest]

    def versions(self, workflow: str) -> list[Version]:
        """The definitions that runs of the workflow were started with, at most 1000, the latest first."""
        rows = self._tables.list(f"versions~{workflow}", limit=1000)
        return sorted((msgspec.json.decode(row.body, type=Version) for row in rows), key=lambda one: one.first_seen, reverse=True)

    def _record(self, workflow: Workflow, digest: str) -> None:
        version = Version(digest=digest, first_seen=self._now(), steps=len(workflow.every_step))
        with suppress(Conflict):  # it is known: when it was seen first does not change
            self._tables.write([Row(partition=f"versions~{workflow.name}", row=digest, body=msgspec.json.encode(version))])

    def _read(self, digest: str) -> Workflow:
        name = f"definitions/{digest}.json"
        try:
            return msgspec.json.decode(self._blobs.get(name), type=Workflow)
        except Absent as gone:
            raise Terminal(f"the blob {name} with a run's definition is gone: somebody deleted it") from gone

    def _remember(self, digest: str, workflow: Workflow) -> None:
        if len(self._cache) >= CACHED_DEFINITIONS:
            self._cache.clear()
        self._cache[digest] = workflow


Answer = TypeVar("Answer")


class Remembered(Generic[Answer]):
    """What ARM said of a resource id, asked for again after ten minutes: it can change."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._known: dict[str, tuple[datetime, Answer]] = {}

    def get(self, resource: str, ask: Callable[[str], Answer]) -> Answer:
        """The answer. Raises what `ask` raises."""
        known = self._known.get(resource)
        if known is None or self._now() > known[0]:
            known = self._known[resource] = (self._now() + LIFE, ask(resource))
        return known[1]


@dataclass(frozen=True, kw_only=True)
class Services:
    """`templates` are the declared parameters of template specs, `registries` credentials, by resource id. `blobs` holds loadme's own,
    `files` a folder for each run. `now()` is UTC; `random_bytes(n)` gives n bytes that nobody can guess, `sleep(seconds)` waits.
    """

    settings: Settings
    catalogue: Catalogue
    tables: Tables
    blobs: Blobs
    files: Blobs
    queues: Queues
    arm: Arm
    vault: Vault
    webhook: Webhook
    now: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    sleep: Callable[[float], None] = lambda _seconds: None
    definitions: Definitions = field(init=False)
    templates: Remembered[tuple[TemplateParameter, ...]] = field(init=False)
    registries: Remembered[RegistryCredentials] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "definitions", Definitions(self.blobs, self.tables, self.now))
        object.__setattr__(self, "templates", Remembered(self.now))
        object.__setattr__(self, "registries", Remembered(self.now))
