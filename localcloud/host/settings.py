"""What the host is told: its command line, the app's files, and the environment, read once."""

from __future__ import annotations

import hashlib
import logging
import math
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from .host_json import HostError, HostJson, HttpOptions, QueueOptions, parse_time, read_json

__all__ = ["HostError", "HostSettings", "HttpOptions", "QueueOptions", "Shutdown", "parse_time", "read_settings"]

HTTP_BODY_LIMIT = 104_857_600
HIGHEST_PORT = 65535
HIGHEST = 2**31 - 1
SHORTEST_LEASE = 1  # second: queues know no shorter one
LONGEST_HOST_ID = 32
log = logging.getLogger("host.settings")
SWITCHED_ON = {"1", "true"}


@dataclass(frozen=True)
class Shutdown:
    """Seconds: how long the listeners and then the workers may take to end what runs, and whether nothing is cancelled meanwhile."""

    host: float = 10.0
    worker: float = 10.0
    drain: bool = False


@dataclass(frozen=True, kw_only=True)
class HostSettings:
    """Everything the host needs. `environment` is the app's settings, which become the worker's environment."""

    app: Path
    port: int = 7071
    socket: int | None = None  # the descriptor of one that listens already: then `port` says nothing
    state: Path | None = None
    keys_file: Path | None = None
    watch_parent: bool = False
    engine: str = "sdk"
    worker_python: Path | None = None  # the interpreter of the worker processes; None: the host's own
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    function_timeout: float | None = 1800.0
    body_limit: int = HTTP_BODY_LIMIT
    log_level: str = "Information"
    workers: int = 1
    worker_pause: float = 10.0
    shutdown: Shutdown = Shutdown()
    cors: tuple[str, ...] = ()  # the origins whose pages may call
    http: HttpOptions = field(default_factory=HttpOptions)
    queues: QueueOptions = field(default_factory=QueueOptions)

    @cached_property
    def _settings(self) -> Mapping[str, str]:
        return {name.lower(): value for name, value in self.environment.items()}

    def setting(self, name: str) -> str | None:
        """A setting of the app, whatever the case of its name; `:` in a name may be written `__`."""
        return self._settings.get(name.lower(), self._settings.get(name.lower().replace(":", "__")))

    def is_on(self, name: str) -> bool:
        """Whether a setting is `true` or `1`."""
        return (self.setting(name) or "").lower() in SWITCHED_ON

    def resolve(self, text: str) -> str:
        """`text` with each `%NAME%` replaced by the setting of that name; raises HostError naming one that is not set."""

        def value(found: re.Match[str]) -> str:
            name = found.group(1)
            if (known := self.setting(name)) is None:
                raise HostError(
                    f"the setting {name} that a binding refers to as %{name}% is not set ('%{name}%' does not resolve to a value.)"
                )
            return known

        resolved = re.sub(r"%([^%]+)%", value, text)
        if text.count("%") % 2:
            raise HostError(f"in {text!r} the '%' at position {text.rindex('%')} does not have a closing '%'")
        return resolved

    def is_disabled(self, function: str) -> bool:
        """Whether the settings switch the function off."""
        return self.is_on(f"AzureWebJobs.{function}.Disabled") or self.is_on(f"AzureWebJobs_{function}_Disabled")

    @property
    def host_id(self) -> str:
        """Under which the host keeps what it shares with its other instances."""
        if given := self.setting("AzureFunctionsWebHost__hostid"):
            return given
        if site := self.setting("WEBSITE_SITE_NAME"):
            return site.lower()[:LONGEST_HOST_ID].rstrip("-")
        digest = hashlib.sha256(str(self.app).encode()).hexdigest()
        return f"{re.sub('[^a-z0-9]', '', platform.node().lower())[:20]}-{digest[:10]}"


def read_settings(app: Path, environment: Mapping[str, str], **command_line: Any) -> HostSettings:
    """The settings of the app in the folder `app`; local.settings.json has defaults for the environment."""
    local = read_json(app / "local.settings.json")
    merged = {**_values(local), **environment}
    script = merged.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
    if not (app / script).is_file():
        raise HostError(f"{app} has no {script}: give the folder of a function app with --app")
    host = HostJson(read_json(app / "host.json"), merged)
    for name in host.unheeded:
        log.warning("host.json: %s is not supported by the local host and is not heeded", name)
    start = _section(local, "Host")
    if command_line.get("port") is None:
        command_line["port"] = start.get("LocalHttpPort") or 7071
    command_line["port"] = int(_number("the port (--port, or LocalHttpPort in local.settings.json)", command_line["port"], 0, HIGHEST_PORT))
    return HostSettings(
        app=app.resolve(),
        cors=tuple(origin.strip() for origin in str(start.get("CORS") or "").split(",") if origin.strip()),
        environment=merged,
        function_timeout=host.function_timeout,
        body_limit=int(_given(merged, "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", HTTP_BODY_LIMIT)),
        log_level=host.log_level,
        workers=_workers(merged),
        worker_pause=_given(merged, "LOCALCLOUD_WORKER_PAUSE_SECONDS", 10),
        shutdown=Shutdown(drain=merged.get("FUNCTIONS_ENABLE_DRAIN_ON_APP_STOPPING", "").lower() in SWITCHED_ON),
        http=host.http,
        queues=host.queues(_given(merged, "LOCALCLOUD_LEASE_SECONDS", 600, SHORTEST_LEASE)),
        **command_line,
    )


def _values(local: Mapping[str, Any]) -> dict[str, str]:
    """`Values` and `ConnectionStrings` of local.settings.json, as the names that they have in the environment."""
    values = _section(local, "Values")
    strings = _section(local, "ConnectionStrings")
    named = {f"ConnectionStrings:{name}": _string(value) for name, value in strings.items()}
    return {**{name: _text(value) for name, value in values.items()}, **named}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _string(value: Any) -> str:
    """A connection string, which may be an object that has it."""
    return _text(value.get("ConnectionString")) if isinstance(value, dict) else _text(value)


def _section(local: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = local.get(name) or {}
    if not isinstance(section, Mapping):
        raise HostError(f"local.settings.json: {name} must be a JSON object")
    return section


def _given(environment: Mapping[str, str], name: str, default: float, low: float = 0) -> float:
    return _number(name, environment.get(name, default), low, HIGHEST)


def _number(name: str, given: Any, low: float, high: int) -> float:
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number <= high:
        raise HostError(f"{name} is {given!r}, it must be a number from {low} to {high}")
    return number


def _workers(environment: Mapping[str, str]) -> int:
    given = environment.get("FUNCTIONS_WORKER_PROCESS_COUNT", "1")
    if not given.isdigit() or not 1 <= int(given) <= 10:
        raise HostError(f"FUNCTIONS_WORKER_PROCESS_COUNT is {given!r}, it must be a whole number from 1 to 10")
    return int(given)
