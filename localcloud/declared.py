"""What was declared to ARM and outlives it: the last PUT of each resource, and what was changed since, made again at the next start.

Container groups and deployments are no declarations: they are work, and what they did is over. Secrets are kept by the vaults themselves.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localcloud.arm.calls import Call, Reply
from localcloud.files import write_whole

WORK = re.compile(
    r"/providers/(Microsoft\.ContainerInstance|Microsoft\.Resources/deployments|Microsoft\.KeyVault/vaults/[^/]+/secrets)(/|$)",
    re.IGNORECASE,
)
CHANGES = ("PUT", "PATCH")


class Declared:
    """The calls that have to be made again, in a file that is there whole or not at all."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._calls: dict[str, list[dict[str, Any]]] = json.loads(file.read_text()) if file.exists() else {}

    def note(self, call: Call, reply: Reply) -> None:
        """A call that has been answered: one that declares something is remembered, one that deletes it makes it forgotten."""
        if reply.status >= 300 or WORK.search(call.path) or call.method not in (*CHANGES, "DELETE"):
            return
        key = call.path.rstrip("/").lower()
        with self._lock:
            if call.method == "DELETE":
                self._calls = {path: calls for path, calls in self._calls.items() if path != key and not path.startswith(f"{key}/")}
            else:
                earlier = self._calls.get(key, []) if call.method == "PATCH" else []
                self._calls[key] = [*earlier, {"method": call.method, "path": call.path, "query": dict(call.query), "body": call.body}]
            write_whole(self._file, json.dumps(self._calls))

    def calls(self) -> Iterator[Call]:
        """What to do again, by nobody, who may do everything; in the order in which each was first declared."""
        with self._lock:
            kept = [one for calls in self._calls.values() for one in calls]
        for one in kept:
            yield Call(**one, by="deployment")

    def forget(self) -> None:
        """Everything."""
        with self._lock:
            self._calls = {}
            self._file.unlink(missing_ok=True)
