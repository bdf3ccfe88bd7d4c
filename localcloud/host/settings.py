"""What the host is told: its command line, the app's `host.json`, and the environment, read once."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HTTP_BODY_LIMIT = 104_857_600
OVERRIDE = "AzureFunctionsJobHost__"


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
class HostSettings:
    """Everything the host needs. `environment` is the app's settings, which become the worker's environment."""

    app: Path
    port: int = 7071
    socket: int | None = None  # the descriptor of one that listens already: then `port` says nothing
    state: Path | None = None
    keys_file: Path | None = None
    watch_parent: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    route_prefix: str = "api"
    function_timeout: float | None = 1800.0
    body_limit: int = HTTP_BODY_LIMIT
    log_level: str = "Information"
    queues: QueueOptions = QueueOptions()

    def resolve(self, text: str) -> str:
        """`text` with each `%NAME%` replaced by the setting of that name; raises HostError naming one that is not set."""

        def value(found: re.Match[str]) -> str:
            name = found.group(1)
            if name not in self.environment:
                raise HostError(f"the setting {name} that a binding refers to as %{name}% is not set")
            return self.environment[name]

        return re.sub(r"%([^%]*)%", value, text)

    def is_disabled(self, function: str) -> bool:
        """Whether the settings switch the function off."""
        names = (f"AzureWebJobs.{function}.Disabled", f"AzureWebJobs_{function}_Disabled")
        return any(self.environment.get(name, "").lower() in {"1", "true"} for name in names)


def read_settings(app: Path, environment: Mapping[str, str], **command_line: Any) -> HostSettings:
    """The settings of the app in the folder `app`; `Values` of local.settings.json are defaults for the environment."""
    if not (app / "function_app.py").is_file():
        raise HostError(f"{app} has no function_app.py: give the folder of a function app with --app")
    local = _read_json(app / "local.settings.json").get("Values", {})
    merged = {**{name: str(value) for name, value in local.items()}, **environment}
    host = _overridden(_read_json(app / "host.json"), merged)
    return HostSettings(
        app=app.resolve(),
        environment=merged,
        route_prefix=_at(host, "extensions", "http", "routePrefix", default="api").strip("/"),
        function_timeout=_function_timeout(host),
        body_limit=int(merged.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", HTTP_BODY_LIMIT)),
        log_level=str(_at(host, "logging", "logLevel", "default", default="Information")),
        queues=_queue_options(_at(host, "extensions", "queues", default={}), merged),
        **command_line,
    )


def parse_time(text: str, name: str) -> float:
    """Seconds of a .NET time span: `hh:mm:ss`, `d.hh:mm:ss`, each with a fraction."""
    found = re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)", text)
    if not found:
        raise HostError(f"host.json: {name} is {text!r}, it must look like 00:00:30")
    days, hours, minutes, seconds = found.groups(default="0")
    return int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _function_timeout(host: Mapping[str, Any]) -> float | None:
    text = str(host.get("functionTimeout", "00:30:00"))
    return None if text == "-1" else parse_time(text, "functionTimeout")


def _queue_options(queues: Mapping[str, Any], environment: Mapping[str, str]) -> QueueOptions:
    batch_size = _number(queues, "batchSize", 16, 1, 32)
    # The real host polls an idle queue every 2 s, not every minute, when it runs in development.
    polling = str(queues.get("maxPollingInterval", "00:00:02"))
    return QueueOptions(
        batch_size=batch_size,
        new_batch_threshold=_number(queues, "newBatchThreshold", batch_size // 2 * (os.cpu_count() or 1), 0, 10**9),
        max_polling_interval=max(0.1, parse_time(polling, "extensions.queues.maxPollingInterval")),
        visibility_timeout=parse_time(str(queues.get("visibilityTimeout", "00:00:00")), "extensions.queues.visibilityTimeout"),
        max_dequeue_count=_number(queues, "maxDequeueCount", 5, 1, 10**9),
        base64=str(queues.get("messageEncoding", "base64")).lower() != "none",
        lease=float(environment.get("LOCALCLOUD_LEASE_SECONDS", "600")),
    )


def _number(queues: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    given = queues.get(name, default)
    if not str(given).isdigit() or not low <= int(given) <= high:
        raise HostError(f"host.json: extensions.queues.{name} is {given!r}, it must be a whole number from {low} to {high}")
    return int(given)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        raise HostError(f"{path.name} is not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise HostError(f"{path.name} must hold a JSON object")
    return content


def _overridden(host: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """host.json with what the environment overrides: `AzureFunctionsJobHost__extensions__queues__batchSize=1`."""
    for name, value in environment.items():
        if name.startswith(OVERRIDE):
            *folders, leaf = name.removeprefix(OVERRIDE).split("__")
            place = host
            for folder in folders:
                place = place.setdefault(folder, {})
            place[leaf] = value
    return host


def _at(tree: Mapping[str, Any], *path: str, default: Any) -> Any:
    for key in path:
        if not isinstance(tree, Mapping) or key not in tree:
            return default
        tree = tree[key]
    return tree
