"""The versions of a workflow: the definitions that its runs were started with, and the one that the next run starts with."""

from __future__ import annotations

from typing import Any

from loadme.core.context import rfc3339
from loadme.handlers.start import find
from loadme.services import Services, digest_of


def list_versions(services: Services, workflow: str) -> dict[str, Any]:
    """The versions, the latest first; the current one is there even if no run was started with it yet.

    Raises Rejected(404) for a workflow that is not there and never was.
    """
    found = services.definitions.versions(workflow)
    # One whose file was removed has versions still; without any, this says which workflows there are.
    known = services.catalogue.workflows.get(workflow) if found else find(services, workflow)
    current = digest_of(known) if known else ""
    shown = [_shown(one.digest, rfc3339(one.first_seen), one.steps, current) for one in found]
    if known and all(one.digest != current for one in found):
        shown.insert(0, _shown(current, None, len(known.every_step), current))
    return {"workflow": workflow, "versions": shown}


def _shown(digest: str, first_seen: str | None, steps: int, current: str) -> dict[str, Any]:
    return {"digest": digest, "first_seen": first_seen, "steps": steps, "is_current": digest == current}
