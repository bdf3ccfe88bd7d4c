"""From the worker's function list to what the host listens on; a function with a wrong binding is left out, the others start."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .protocol import FunctionInfo
from .routes import HttpRoute, compile_template
from .schedules import Schedule, parse_schedule
from .settings import HostError, HostSettings

log = logging.getLogger("host.table")


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


@dataclass
class Table:
    """What the app listens on; HTTP routes are in the order in which they are tried."""

    routes: list[HttpRoute] = field(default_factory=list)
    queues: list[QueueFunction] = field(default_factory=list)
    timers: list[TimerFunction] = field(default_factory=list)
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
            log.error("function %s is left out: %s", function.name, error)  # noqa: TRY400 - a wrong binding, not a bug
    return table


def _add(table: Table, function: FunctionInfo, settings: HostSettings) -> None:
    trigger = next(binding for binding in function.bindings if binding["type"].endswith("Trigger"))
    if settings.is_disabled(function.name):
        table.disabled.add(function.name)
    match trigger["type"]:
        case "httpTrigger":
            table.routes.append(_route(table, function.name, trigger, settings))
        case "queueTrigger":
            queue = settings.resolve(trigger["queueName"]).lower()
            table.queues.append(QueueFunction(function.name, queue, settings.resolve(trigger.get("connection") or "Storage")))
        case "timerTrigger":
            table.timers.append(_timer(function.name, trigger, settings))


def _route(table: Table, name: str, trigger: dict[str, Any], settings: HostSettings) -> HttpRoute:
    own = (trigger.get("route") or name).strip("/")
    if own.lower().split("/")[0] in {"admin", "runtime"}:
        raise ValueError(f"its route {own!r} begins with a word that the host keeps for itself")
    full = "/".join(part for part in (settings.route_prefix, own) if part)
    methods = frozenset(method.upper() for method in trigger.get("methods") or ())
    route = HttpRoute(name, full, compile_template(full), methods, str(trigger.get("authLevel") or "FUNCTION"))
    if other := next((other for other in table.routes if route.conflicts_with(other)), None):
        raise ValueError(f"its route {full!r} is that of function {other.function} already")
    return route


def _timer(name: str, trigger: dict[str, Any], settings: HostSettings) -> TimerFunction:
    schedule = parse_schedule(settings.resolve(trigger["schedule"]))
    monitored = trigger.get("useMonitor") is not False and not schedule.is_frequent
    return TimerFunction(name, schedule, trigger.get("runOnStartup") is True, monitored)
