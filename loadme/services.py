"""What every handler is given: the settings, the workflow files, one seam for each outside thing, the clock and randomness."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from loadme.azure.storage.blobs import Blobs
from loadme.azure.storage.queues import Queues
from loadme.azure.storage.tables import Tables
from loadme.azure.webhook import Webhook
from loadme.core.arm import Arm, TemplateParameter
from loadme.definitions.definition import Workflow
from loadme.definitions.workflow_files import Catalogue
from loadme.errors import Absent, Terminal
from loadme.settings import Settings

CACHED_DEFINITIONS = 100
TEMPLATE_LIFE = timedelta(minutes=10)


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


class Templates:
    """The declared parameters of template specs, asked for again after ten minutes: a version can be overwritten."""

    def __init__(self, arm: Arm, now: Callable[[], datetime]) -> None:
        self._arm, self._now = arm, now
        self._cache: dict[str, tuple[datetime, tuple[TemplateParameter, ...]]] = {}

    def parameters(self, spec: str) -> tuple[TemplateParameter, ...]:
        """What the template spec version declares. Raises what ARM raises."""
        known = self._cache.get(spec)
        if known is None or self._now() > known[0]:
            known = self._cache[spec] = (self._now() + TEMPLATE_LIFE, self._arm.template_parameters(spec))
        return known[1]


@dataclass(frozen=True, kw_only=True)
class Services:
    """`blobs` holds loadme's own, `files` a folder for each run. `now()` is UTC; `random_bytes(n)` gives n bytes that nobody can guess."""

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
    templates: Templates = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "definitions", Definitions(self.blobs))
        object.__setattr__(self, "templates", Templates(self.arm, self.now))
