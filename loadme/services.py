"""What every handler is given: the settings, the workflow files, one seam for each outside thing, the clock and randomness."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import msgspec

from loadme.azure.storage.blobs import Blobs
from loadme.azure.storage.queues import Queues
from loadme.azure.storage.tables import Tables
from loadme.azure.webhook import Webhook
from loadme.core.arm import Arm, RegistryCredentials, TemplateParameter
from loadme.definitions.definition import Workflow
from loadme.definitions.workflow_files import Catalogue
from loadme.errors import Absent, Terminal
from loadme.settings import Settings

CACHED_DEFINITIONS = 100
LIFE = timedelta(minutes=10)


class Definitions:
    """The definitions that runs were started with, by the SHA-256 of their JSON: a deployment of the app never disturbs a run."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._cache: dict[str, Workflow] = {}

    def pin(self, workflow: Workflow) -> str:
        """Keeps the definition and gives its digest."""
        data = msgspec.json.encode(workflow)
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._cache:
            self._blobs.put(f"definitions/{digest}.json", data, content_type="application/json")
            self._remember(digest, workflow)
        return digest

    def get(self, digest: str) -> Workflow:
        """The definition again. Raises Terminal if it is gone."""
        if digest not in self._cache:
            self._remember(digest, self._read(digest))
        return self._cache[digest]

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
    `files` a folder for each run. `now()` is UTC; `random_bytes(n)` gives n bytes that nobody can guess.
    """

    settings: Settings
    catalogue: Catalogue
    tables: Tables
    blobs: Blobs
    files: Blobs
    queues: Queues
    arm: Arm
    webhook: Webhook
    now: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    definitions: Definitions = field(init=False)
    templates: Remembered[tuple[TemplateParameter, ...]] = field(init=False)
    registries: Remembered[RegistryCredentials] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "definitions", Definitions(self.blobs))
        object.__setattr__(self, "templates", Remembered(self.now))
        object.__setattr__(self, "registries", Remembered(self.now))
