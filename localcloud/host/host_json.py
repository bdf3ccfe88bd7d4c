"""The app's `host.json`: read, overridden by the environment, and checked value by value."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OVERRIDE = "azurefunctionsjobhost__"


class HostError(Exception):
    """The host cannot run; the message is one line (or one block) for the user."""


@dataclass(frozen=True, kw_only=True)
class QueueOptions:
    """`extensions.queues` of host.json, in seconds where it is a time; the lease is hard-coded in the real host."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_polling_interval: float = 60.0
    visibility_timeout: float = 0.0
    max_dequeue_count: int = 5
    base64: bool = True
    lease: float = 600.0

    @property
    def renewal(self) -> float:
        """How often the lease of a running message is renewed."""
        return self.lease / 2


@dataclass(frozen=True, kw_only=True)
class HttpOptions:
    """`extensions.http` of host.json; None is no limit, which is the default outside the Consumption plan."""

    route_prefix: str = "api"
    max_concurrent: int | None = None
    max_outstanding: int | None = None


class HostJson:
    """The tree of settings that is host.json, with what the environment overrides."""

    def __init__(self, tree: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._tree = _overridden(tree, environment)
        self._is_development = _lower(environment).get("azure_functions_environment", "").lower() == "development"
        self._is_consumption = environment.get("WEBSITE_SKU", "").lower() == "dynamic"

    @property
    def function_timeout(self) -> float | None:
        """Seconds; None is none. On the Consumption plan 5 minutes unless set, and 10 at most; elsewhere 30 minutes unless set."""
        text = str(self.at("functionTimeout", default="00:05:00" if self._is_consumption else "00:30:00"))
        if text in {"-1", "-00:00:01"} and not self._is_consumption:
            return None
        limit = parse_time(text, "functionTimeout")
        if limit < 1 or (self._is_consumption and limit > 600):
            longest = "00:10:00 (the Consumption plan's)" if self._is_consumption else "any time"
            raise HostError(f"host.json: functionTimeout is {text!r}, it must be from 00:00:01 to {longest}")
        return limit

    @property
    def unheeded(self) -> list[str]:
        """What it asks for that the local host does not do; it then behaves as if that were not there."""
        asked = {
            "extensions.http.dynamicThrottlesEnabled": self.at("extensions", "http", "dynamicThrottlesEnabled", default=False),
            "concurrency.dynamicConcurrencyEnabled": self.at("concurrency", "dynamicConcurrencyEnabled", default=False),
            "extensions.http.customHeaders": self.at("extensions", "http", "customHeaders", default=None),
            "functions": self.at("functions", default=None),
        }
        return [name for name, value in asked.items() if value and str(value).lower() != "false"]

    @property
    def log_level(self) -> str:
        """`logging.logLevel.default`."""
        return str(self.at("logging", "logLevel", "default", default="Information"))

    @property
    def http(self) -> HttpOptions:
        """`extensions.http`."""
        outstanding, concurrent = (200, 100) if self._is_consumption else (-1, -1)
        return HttpOptions(
            route_prefix=str(self.at("extensions", "http", "routePrefix", default="api")).strip("/"),
            max_concurrent=_limit(self._number("http", "maxConcurrentRequests", concurrent, -1, 10**9)),
            max_outstanding=_limit(self._number("http", "maxOutstandingRequests", outstanding, -1, 10**9)),
        )

    def queues(self, lease: float) -> QueueOptions:
        """`extensions.queues`."""
        batch_size = self._number("queues", "batchSize", 16, 1, 32)
        cores = 1 if self._is_consumption else os.cpu_count() or 1
        polling = self._time("maxPollingInterval", "00:00:02" if self._is_development else "00:01:00")
        if polling < 0.1:
            raise HostError("host.json: extensions.queues.maxPollingInterval must be 100 milliseconds at least")
        encoding = str(self.at("extensions", "queues", "messageEncoding", default="base64")).lower()
        if encoding not in {"base64", "none"}:
            raise HostError(f"host.json: extensions.queues.messageEncoding is {encoding!r}, it must be base64 or none")
        return QueueOptions(
            batch_size=batch_size,
            new_batch_threshold=self._number("queues", "newBatchThreshold", batch_size // 2 * cores, 0, 10**9),
            max_polling_interval=polling,
            visibility_timeout=self._time("visibilityTimeout", "00:00:00"),
            max_dequeue_count=self._number("queues", "maxDequeueCount", 5, 1, 10**9),
            base64=encoding == "base64",
            lease=lease,
        )

    def at(self, *path: str, default: Any) -> Any:
        """The value at a path, whatever the case of its keys."""
        tree: Any = self._tree
        for key in path:
            tree = _lower(tree).get(key.lower()) if isinstance(tree, Mapping) else None
            if tree is None:
                return default
        return tree

    def _time(self, name: str, default: str) -> float:
        return parse_time(str(self.at("extensions", "queues", name, default=default)), f"extensions.queues.{name}")

    def _number(self, section: str, name: str, default: int, low: int, high: int) -> int:
        given = self.at("extensions", section, name, default=default)
        if not re.fullmatch(r"-?\d+", str(given)) or not low <= int(given) <= high:
            raise HostError(f"host.json: extensions.{section}.{name} is {given!r}, it must be a whole number from {low} to {high}")
        return int(given)


def _limit(number: int) -> int | None:
    return None if number < 0 else number


def parse_time(text: str, name: str) -> float:
    """Seconds of a .NET time span: `hh:mm:ss`, `d.hh:mm:ss`, each with a fraction."""
    found = re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)", text)
    if not found:
        raise HostError(f"host.json: {name} is {text!r}, it must look like 00:00:30")
    days, hours, minutes, seconds = found.groups(default="0")
    return int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; empty when there is no file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig")) if path.is_file() else {}
    except ValueError as error:
        raise HostError(f"{path.name} is not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise HostError(f"{path.name} must hold a JSON object")
    return content


def _overridden(tree: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """With what the environment overrides: `AzureFunctionsJobHost__extensions__queues__batchSize=1`."""
    host = dict(tree)
    for name, value in environment.items():
        if name.lower().startswith(OVERRIDE):
            _put(host, name[len(OVERRIDE) :].split("__"), value)
    return host


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    key = next((key for key in tree if key.lower() == path[0].lower()), path[0])
    if len(path) == 1:
        tree[key] = value
        return
    inner = tree.get(key)
    tree[key] = dict(inner) if isinstance(inner, Mapping) else {}
    _put(tree[key], path[1:], value)


def _lower(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in tree.items()}
