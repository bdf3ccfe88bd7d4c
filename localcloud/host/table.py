"""From the worker's function list to what the host listens on; a function with a wrong binding is left out, the others start."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .connections import find_connection
from .invoker import FunctionOutputs
from .outputs import QueueOutput
from .protocol import FunctionInfo
from .retries import RetryPolicy, retry_policy
from .routes import HttpRoute, compile_template
from .schedules import Schedule, parse_schedule, time_zone
from .settings import HostError, HostSettings

log = logging.getLogger("host.table")
KNOWN = frozenset({"httptrigger", "http", "queuetrigger", "queue", "timertrigger"})
RESERVED = ("admin", "runtime")
"""What no route begins with, not even as the beginning of a longer word."""


@dataclass(frozen=True)
class QueueFunction:
    """A function that is triggered by a queue; `connection` names settings."""

    function: str
    queue: str
    connection: str


@dataclass(frozen=True)
class TimerFunction:
    """A function that is triggered by time."""

    function: str
    schedule: Schedule
    run_on_startup: bool
    use_monitor: bool
    retry: RetryPolicy | None = None


@dataclass
class Table:
    """What the app listens on; HTTP routes are in the order in which they are tried."""

    routes: list[HttpRoute] = field(default_factory=list)
    queues: list[QueueFunction] = field(default_factory=list)
    timers: list[TimerFunction] = field(default_factory=list)
    outputs: dict[str, FunctionOutputs] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)

    def trigger(self, function: str) -> HttpRoute | QueueFunction | TimerFunction | None:
        """The entry of this name, whatever its case."""
        entries: list[HttpRoute | QueueFunction | TimerFunction] = [*self.routes, *self.queues, *self.timers]
        return next((entry for entry in entries if entry.function.lower() == function.lower()), None)


def build_table(functions: Sequence[FunctionInfo], settings: HostSettings) -> Table:
    """The table of these functions, sorted by name whatever the case, as the real host sorts them."""
    table = Table()
    for function in sorted(functions, key=lambda function: function.name.lower()):
        try:
            _add(table, function, settings)
        except (HostError, ValueError) as error:
            table.broken[function.name] = str(error)
            log.error("The '%s' function is in error: %s", function.name, error)  # noqa: TRY400 - a wrong binding, not a bug
    return table


def _add(table: Table, function: FunctionInfo, settings: HostSettings) -> None:
    if unknown := sorted({str(binding["type"]) for binding in function.bindings if str(binding["type"]).lower() not in KNOWN}):
        raise HostError(
            f"The binding type(s) '{', '.join(unknown)}' are not registered. Please ensure the type is correct and the binding extension "
            "is installed. (The local host knows HTTP, queues and timers.)"
        )
    trigger = next(binding for binding in function.bindings if binding["type"].lower().endswith("trigger"))
    outputs = _outputs(function, settings)
    match trigger["type"].lower():
        case "httptrigger":
            table.routes.append(_route(table, function.name, trigger, settings))
        case "queuetrigger":
            table.queues.append(QueueFunction(function.name, *_queue(trigger, settings)))
        case "timertrigger":
            table.timers.append(_timer(function, trigger, settings))
    table.outputs[function.name] = outputs
    if settings.is_disabled(function.name):
        table.disabled.add(function.name)


def _outputs(function: FunctionInfo, settings: HostSettings) -> FunctionOutputs:
    by_type = {kind: [one for one in function.bindings if one["type"].lower() == kind] for kind in ("queue", "http")}
    queues = [QueueOutput(binding["name"], *_queue(binding, settings)) for binding in by_type["queue"]]
    return FunctionOutputs(queues, next((binding["name"] for binding in by_type["http"]), "$return"))


def _queue(binding: Mapping[str, Any], settings: HostSettings) -> tuple[str, str]:
    """Its name and its connection, which must be set."""
    connection = settings.resolve(binding.get("connection") or "")
    find_connection(connection, settings.setting)
    return settings.resolve(binding["queueName"]).lower(), connection


def _route(table: Table, name: str, trigger: Mapping[str, Any], settings: HostSettings) -> HttpRoute:
    own = (trigger.get("route") or name).strip("/")
    if own.lower().startswith(RESERVED):
        raise ValueError("The specified route conflicts with one or more built in routes.")
    full = "/".join(part for part in (settings.http.route_prefix, own) if part)
    methods = frozenset(method.upper() for method in trigger.get("methods") or ())
    route = HttpRoute(name, full, compile_template(full), methods, str(trigger.get("authLevel") or "FUNCTION"))
    if other := next((other for other in table.routes if route.conflicts_with(other)), None):
        raise ValueError(f"The route specified conflicts with the route defined by function '{other.function}'.")
    return route


def _timer(function: FunctionInfo, trigger: Mapping[str, Any], settings: HostSettings) -> TimerFunction:
    schedule = parse_schedule(settings.resolve(trigger["schedule"]), time_zone(settings.setting))
    monitored = trigger.get("useMonitor") is not False and not schedule.is_frequent
    return TimerFunction(function.name, schedule, trigger.get("runOnStartup") is True, monitored, retry_policy(function.retry))
