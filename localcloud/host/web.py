"""The HTTP side of the host: routing, keys, the function's answer, and the admin endpoints."""

from __future__ import annotations

import asyncio
import json
import logging

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from .engine import Engine
from .keys import Keys, Level, may_call
from .protocol import HttpTrigger, QueueTrigger, TimerTrigger, Trigger
from .routes import HttpRoute, find
from .settings import HostSettings
from .table import QueueFunction, Table, TimerFunction
from .wire import has_body, raw_path, to_response, to_trigger

log = logging.getLogger("host.web")

HOMEPAGE = "<!doctype html><title>Functions host</title><p>Your function app is up and running, on this machine."


class Web:
    """The ASGI application. It answers 503 while the host is stopping."""

    def __init__(self, settings: HostSettings, table: Table, keys: Keys, engine: Engine) -> None:
        self.settings = settings
        self.table = table
        self.keys = keys
        self.engine = engine
        self.stopping = False
        self._background: set[asyncio.Task[object]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            request = Request(scope, receive)
            response = await self._answer(request)
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = raw_path(request)
        if self.stopping:
            return Response("Function host is not running.", 503)
        if path.lower().startswith("/admin/"):
            return await self._admin(request, path.lower().removeprefix("/admin/").strip("/"))
        if found := find(self.table.routes, request.method, path):
            return await self._call(request, *found)
        if path == "/" and self.settings.environment.get("AzureWebJobsDisableHomepage", "").lower() != "true":
            return HTMLResponse(HOMEPAGE)
        return Response(status_code=204 if path == "/" else 404)

    async def _call(self, request: Request, route: HttpRoute, parameters: dict[str, str]) -> Response:
        level = self._level(request, route.function)
        if not may_call(route.auth_level, level):
            return Response(status_code=401)
        if route.function in self.table.disabled and level != Level.ADMIN:
            return Response(status_code=404)
        if int(request.headers.get("content-length") or 0) > self.settings.body_limit:
            return Response(status_code=413)
        try:
            body = await request.body() if has_body(request) else b""
        except ClientDisconnect:
            return Response(status_code=400)
        finished = await self.engine.invoke(route.function, to_trigger(request, parameters, body))
        if finished.error or finished.response is None:
            log.error("function %s failed: %s", route.function, finished.error)
            return Response(status_code=500)
        return to_response(finished.response)

    def _level(self, request: Request, function: str) -> Level:
        """The header is what counts when it is there, even empty; else `?code=`."""
        key = request.headers.get("x-functions-key", request.query_params.get("code", ""))
        return self.keys.level(key, function)

    async def _admin(self, request: Request, path: str) -> Response:
        if path == "host/ping":
            return Response(status_code=200)
        if self._level(request, "") != Level.ADMIN:
            return Response(status_code=401)
        match request.method, path.split("/"):
            case "GET", ["host", "status"]:
                return JSONResponse(
                    {"id": self.settings.app.name, "state": "Running", "version": "4.0.0-local", "errors": self.table.broken}
                )
            case "GET", ["functions"]:
                return JSONResponse([{"name": function.name, "bindings": function.bindings} for function in self.engine.functions])
            case "POST", ["functions", name]:
                return await self._run_once(request, name)
            case _:
                return Response(status_code=404)

    async def _run_once(self, request: Request, name: str) -> Response:
        """Run any function once in the background, with `{"input": "..."}` as a queue message's body."""
        entry = self.table.trigger(name)
        if entry is None:
            return Response(status_code=404)
        try:
            given = json.loads(await request.body() or b"{}")
            text = str(given.get("input") or "")
        except (ValueError, AttributeError):
            return Response(status_code=400)
        task: asyncio.Task[object] = asyncio.create_task(self.engine.invoke(entry.function, _manual_trigger(entry, text, request)))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return Response(status_code=202)


def _manual_trigger(entry: HttpRoute | QueueFunction | TimerFunction, text: str, request: Request) -> Trigger:
    match entry:
        case QueueFunction():
            return QueueTrigger(text, {"QueueTrigger": ("string", text), "Id": ("string", ""), "DequeueCount": ("json", "1")})
        case TimerFunction():
            return TimerTrigger(json.dumps({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}))
        case HttpRoute():
            return HttpTrigger("POST", str(request.base_url) + entry.route, {}, {}, {}, text.encode())
