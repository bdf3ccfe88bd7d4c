"""What was declared to ARM and outlives it: the calls that made it what it is, made again in their order at the next start.

Container groups and deployments are no declarations: they are work, and what they did is over. Secrets are kept by the vaults themselves.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from localcloud.arm.calls import Call, Reply
from localcloud.files import write_whole

WORK = re.compile(
    r"/providers/(Microsoft\.ContainerInstance|Microsoft\.Resources/deployments|Microsoft\.KeyVault/vaults/[^/]+/secrets)(/|$)",
    re.IGNORECASE,
)
_VAULT = re.compile(r".*/providers/microsoft\.keyvault/vaults/([^/]+)")
_POLICIES = re.compile(r"(.*/providers/Microsoft\.KeyVault/vaults/[^/]+)/accessPolicies/[^/]+/?", re.IGNORECASE)
_PURGE = re.compile(r".*/providers/microsoft\.keyvault/locations/[^/]+/deletedvaults/([^/]+)/purge")
_ASSIGNMENTS = "/providers/microsoft.authorization/"
_IDS = ("principalId", "clientId")

Kept = dict[str, Any]


class Declared:
    """The calls that have to be made again, in a file that is there whole or not at all."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._calls: list[Kept] = _read(file)

    def note(self, call: Call, reply: Reply) -> None:
        """A call that has been answered: one that declares something is remembered, one that deletes it makes it forgotten."""
        key = call.path.rstrip("/").lower()
        purged = _PURGE.fullmatch(key) if call.method == "POST" else None
        if reply.status >= 300 or WORK.search(call.path) or not (purged or call.method in ("PUT", "PATCH", "DELETE")):
            return
        with self._lock:
            if purged:
                self._calls = [one for one in self._calls if _vault(_key(one)) != purged[1]]
            elif call.method == "DELETE":
                self._delete(key, _keep(call, reply))
            elif not (_recovers(call) and self._recover(key)):
                self._add(_keep(call, reply))
            write_whole(self._file, json.dumps(self._calls))

    def calls(self) -> Iterator[Call]:
        """What to do again, by nobody, who may do everything."""
        with self._lock:
            kept = list(self._calls)
        for one in kept:
            yield Call(**one, by="deployment")

    def forget(self) -> None:
        """Everything."""
        with self._lock:
            self._calls = []
            self._file.unlink(missing_ok=True)

    def _add(self, new: Kept) -> None:
        """A PUT replaces the earlier calls for the same thing, but for those on which others build that were made since."""
        key = _key(new)
        if new["method"] == "PUT":
            self._calls = [one for at, one in enumerate(self._calls) if _key(one) != key or self._is_built_on(at)]
        elif _only_policies(new):
            self._calls = [one for one in self._calls if _key(one) != key or not _only_policies(one)]
        self._calls.append(new)

    def _is_built_on(self, at: int) -> bool:
        """Whether another thing came after it: at all if it was the first call for its own, within it before the next call if not."""
        key = _key(self._calls[at])
        later = [_key(one) for one in self._calls[at + 1 :]]
        if all(_key(one) != key for one in self._calls[:at]):
            return any(other != key for other in later)
        before_next = later[: later.index(key)] if key in later else later
        return any(other.startswith(f"{key}/") for other in before_next)

    def _delete(self, key: str, call: Kept) -> None:
        """What is in a list of its parent is made again with the parent; a deleted vault may be recovered: both are deleted again."""
        if _vault(key) and any(_key(one) == key for one in self._calls):
            self._calls = [one for one in self._calls if not _key(one).startswith(f"{key}{_ASSIGNMENTS}")]
            self._calls.append(call)
            return
        self._calls = [one for one in self._calls if _key(one) != key and not _key(one).startswith(f"{key}/")]
        if any("/providers/" in _key(one) and key.startswith(f"{_key(one)}/") for one in self._calls):
            self._calls.append(call)

    def _recover(self, key: str) -> bool:
        """A vault is what it was before its deletion."""
        deletions = [one for one in self._calls if one["method"] == "DELETE" and _key(one) == key]
        self._calls = [one for one in self._calls if one not in deletions]
        return bool(deletions)


def _key(call: Mapping[str, Any]) -> str:
    return str(call["path"]).rstrip("/").lower()


def _vault(key: str) -> str:
    """The name of the vault that it is; "" for anything else."""
    found = _VAULT.fullmatch(key)
    return found[1] if found else ""


def _recovers(call: Call) -> bool:
    properties = call.body.get("properties") if isinstance(call.body, dict) else None
    return isinstance(properties, dict) and properties.get("createMode") == "recover"


def _only_policies(call: Kept) -> bool:
    return call["method"] == "PATCH" and call["body"] is not None and set(call["body"].get("properties") or {}) == {"accessPolicies"}


def _keep(call: Call, reply: Reply) -> Kept:
    """Access policies are kept as what they have become, identities with the ids that they were given."""
    kept = {"method": call.method, "path": call.path, "query": dict(call.query), "body": call.body}
    shown = reply.body if isinstance(reply.body, dict) else {}
    if vault := _POLICIES.fullmatch(call.path):
        whole = {"properties": {"accessPolicies": shown.get("properties", {}).get("accessPolicies", [])}}
        return {**kept, "method": "PATCH", "path": vault[1], "body": whole}
    if call.method == "DELETE" or not isinstance(call.body, dict):
        return kept
    if _recovers(call):
        policies = shown.get("properties", {}).get("accessPolicies", [])
        chosen = {key: value for key, value in call.body["properties"].items() if key != "createMode"}
        return {**kept, "body": {**call.body, "properties": {**chosen, "accessPolicies": policies}}}
    part = "properties" if "/userassignedidentities/" in call.path.lower() else "identity"
    ids = {key: shown[part][key] for key in _IDS if key in (shown.get(part) or {})}
    return {**kept, "body": {**call.body, part: {**(call.body.get(part) or {}), **ids}}} if ids else kept


def _read(file: Path) -> list[Kept]:
    """Earlier files have lists of calls by path."""
    found = json.loads(file.read_text()) if file.exists() else []
    return [one for calls in found.values() for one in calls] if isinstance(found, dict) else found
