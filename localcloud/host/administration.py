"""What the master key opens: the host's status, draining it, and running a function by hand."""

from __future__ import annotations

import asyncio
import json
import platform
import time
from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .invoker import Invoker
from .keys import Level
from .protocol import FunctionInfo, HttpTrigger, QueueTrigger, TimerTrigger, Trigger
from .routes import HttpRoute
from .settings import HostSettings
from .table import QueueFunction, Table, TimerFunction

VERSION = "4.1037.0"
"""The version of the real host whose source the rules are from."""


class Admin:
    """The routes under /admin. `drain` stops the listeners and leaves HTTP as it is."""

    def __init__(
        self, settings: HostSettings, functions: Sequence[FunctionInfo], table: Table, invoker: Invoker, drain: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._functions = {function.name.lower(): function for function in functions}
        self._table = table
        self._invoker = invoker
        self._drain = drain
        self._draining = False
        self._began = time.monotonic()
        self._background: set[asyncio.Task[object]] = set()

    async def answer(self, request: Request, path: str, level: Level) -> Response:
        """The answer to a request for this path below /admin, of somebody with a key of this level."""
        if path.lower() == "host/ping" and request.method in {"GET", "POST"}:
            return Response(status_code=200, headers={"cache-control": "no-store"})
        if level != Level.ADMIN:
            return Response(status_code=401)
        match request.method, path.lower().split("/"):
            case "GET", ["host", "status"]:
                return JSONResponse(self._status())
            case "POST", ["host", "drain"]:
                return self._start_draining()
            case "GET", ["host", "drain", "status"]:
                return JSONResponse(self._drain_status())
            case "GET", ["functions"]:
                return JSONResponse([_described(function) for function in self._functions.values()])
            case "GET", ["functions", name, *rest]:
                return self._function(name, rest)
            case "POST", ["functions", name]:
                return await self._run_once(request, name)
            case _:
                return Response(status_code=404)

    def _status(self) -> dict[str, object]:
        uptime = round((time.monotonic() - self._began) * 1000)
        details = {"version": VERSION, "versionDetails": f"{VERSION}-localcloud", "computerName": platform.node(), "processUptime": uptime}
        return {"id": self._settings.host_id, "state": "Running", **details}

    def _start_draining(self) -> Response:
        self._draining = True
        self._drain()
        return Response(status_code=202)

    def _drain_status(self) -> dict[str, object]:
        running = self._invoker.running
        state = "Disabled" if not self._draining else "InProgress" if running else "Completed"
        return {"state": state, "outstandingInvocations": running, "outstandingRetries": 0}

    def _function(self, name: str, rest: list[str]) -> Response:
        if name not in self._functions or rest not in ([], ["status"]):
            return Response(status_code=404)
        function = self._functions[name]
        if not rest:
            return JSONResponse(_described(function))
        error = self._table.broken.get(function.name)
        return JSONResponse({"errors": [f"The '{function.name}' function is in error: {error}"]} if error else {})

    async def _run_once(self, request: Request, name: str) -> Response:
        """Run any function once in the background, with `{"input": "..."}` as a queue message's body."""
        entry = self._table.trigger(name)
        if entry is None:
            return Response(status_code=404)
        try:
            given = json.loads(await request.body() or b"{}")
            text = str(given.get("input") or "")
        except (ValueError, AttributeError):
            return Response(status_code=400)
        task: asyncio.Task[object] = asyncio.create_task(self._invoker.invoke(entry.function, _manual_trigger(entry, text, request)))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return Response(status_code=202)


def _described(function: FunctionInfo) -> dict[str, object]:
    return {"name": function.name, "language": "python", "config": {"bindings": function.bindings}}


def _manual_trigger(entry: HttpRoute | QueueFunction | TimerFunction, text: str, request: Request) -> Trigger:
    match entry:
        case QueueFunction():
            return QueueTrigger(text, {"QueueTrigger": ("string", text), "Id": ("string", ""), "DequeueCount": ("json", "1")})
        case TimerFunction():
            return TimerTrigger(json.dumps({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}))
        case HttpRoute():
            return HttpTrigger("POST", str(request.base_url) + entry.route, {}, {}, {}, text.encode())
