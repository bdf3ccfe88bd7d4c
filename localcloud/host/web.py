"""The HTTP side of the host: routing, keys, and the function's answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .administration import Admin
from .invoker import Invoker, Outcome
from .keys import Keys, Level, may_call
from .protocol import Trigger
from .routes import HttpRoute, find
from .settings import HostSettings, HttpOptions
from .table import Table
from .wire import has_body, query_values, raw_path, to_response, to_trigger

log = logging.getLogger("host.web")

HOMEPAGE = "<!doctype html><title>Functions host</title><p>Your function app is up and running, on this machine."


class Web:
    """The ASGI application. It answers 503 while the host is stopping."""

    def __init__(self, settings: HostSettings, table: Table, keys: Keys, invoker: Invoker, admin: Admin) -> None:
        self.settings = settings
        self.table = table
        self.keys = keys
        self.stopping = False
        self._admin = admin
        self._throttle = Throttle(settings.http, invoker)

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
            return await self._admin.answer(request, path[len("/admin/") :].strip("/"), self._level(request, ""))
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
        outcome = await self._throttle.invoke(route.function, to_trigger(request, parameters, body))
        if outcome is None:
            return Response(status_code=429)
        if outcome.error:
            log.error("function %s failed: %s", route.function, outcome.error)
        return to_response(outcome.response)

    def _level(self, request: Request, function: str) -> Level:
        """The header is what counts when it is there, even empty; else the first `?code=`, whatever its case."""
        query = next((values[0] for name, values in query_values(request).items() if name.lower() == "code"), "")
        return self.keys.level(request.headers.get("x-functions-key", query), function)


def with_cors(web: Web) -> ASGIApp:
    """The application, which also answers browsers that ask for the pages of other origins, when local.settings.json names any."""
    if not web.settings.cors:
        return web
    return CORSMiddleware(web, allow_origins=web.settings.cors, allow_methods=["*"], allow_headers=["*"])


class Throttle:
    """Lets so many requests run at once, and so many wait; the others are turned away."""

    def __init__(self, options: HttpOptions, invoker: Invoker) -> None:
        self._invoker = invoker
        self._outstanding = 0
        self._most = options.max_outstanding
        self._slots = asyncio.Semaphore(options.max_concurrent) if options.max_concurrent is not None else contextlib.nullcontext()

    async def invoke(self, function: str, trigger: Trigger) -> Outcome | None:
        """Run the function; None when there are too many already."""
        if self._most is not None and self._outstanding >= self._most:
            return None
        self._outstanding += 1
        try:
            async with self._slots:
                return await self._invoker.invoke(function, trigger)
        finally:
            self._outstanding -= 1
