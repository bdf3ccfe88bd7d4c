"""The user's workflow files: whether one has changed, and what the app says about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

SUFFIXES = (".yaml", ".yml", ".json")
FAVOURITE = "hello"


class WorkflowFolder:
    """The workflow files of a folder; not the image map, which is read anew by itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = self._versions()

    def has_changed(self) -> bool:
        """Whether a file has been added, changed or removed since this was last asked."""
        seen, self._seen = self._seen, self._versions()
        return seen != self._seen

    def _versions(self) -> dict[str, tuple[int, int]]:
        files = [file for file in self._folder.glob("*") if file.suffix.lower() in SUFFIXES and file.stem.lower() != "images"]
        return {file.name: version for file in files if (version := _version(file))}


class WorkflowApi:
    """What the app says about its workflows; nothing when it is another app, or cannot say."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key

    def broken(self) -> list[str]:
        """One line for each file that the app refuses."""
        return [complaint(one) for one in self._get("health", "workflows", "broken")]

    def startable(self) -> str | None:
        """A workflow to begin with."""
        return choose(self._get("workflows", "workflows"))

    def _get(self, path: str, *keys: str) -> list[dict[str, Any]]:
        try:
            answer = httpx.get(f"{self._url}/api/{path}", headers={"x-functions-key": self._key}, timeout=20, trust_env=False)
            found: Any = answer.raise_for_status().json()
            for key in keys:
                found = found[key]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return []
        return list(found)


def choose(workflows: Sequence[Mapping[str, Any]]) -> str | None:
    """The name of the one called hello, or of the first, among those that start without any variable."""
    ready = [str(workflow["name"]) for workflow in workflows if not workflow.get("variables", {}).get("required")]
    return FAVOURITE if FAVOURITE in ready else next(iter(ready), None)


def complaint(broken: Mapping[str, Any]) -> str:
    """Its first error on one line."""
    first, *more = broken.get("errors") or [{}]
    words = ": ".join(str(first[key]) for key in ("field", "message") if first.get(key)) or "the app refuses it"
    rest = f" (and {len(more)} more: loadme validate)" if more else ""
    return " ".join(f"{broken.get('file')}: {words}{rest}".split())


def _version(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:  # it has just been removed
        return None
    return found.st_mtime_ns, found.st_size
