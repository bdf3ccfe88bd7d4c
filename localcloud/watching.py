"""Puts the side door's faults and its record of calls in front of a service that is not ARM."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localcloud.arm.calls import Call
from localcloud.arm.faults import Fault, Faults
from localcloud.arm.journal import Journal

Who = Callable[[Mapping[str, str], str], str]
"""The object id or the name of the caller, from the headers and the path."""


class Watched:
    """An ASGI application whose calls are on record, and met by faults of its `service`, before they are answered."""

    def __init__(self, app: ASGIApp, service: str, faults: Faults, journal: Journal, now: Callable[[], datetime], who: Who) -> None:
        self._app = app
        self._service = service
        self._faults = faults
        self._journal = journal
        self._now = now
        self._who = who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call = self._call(scope)
        fault = self._faults.pick(call)
        answer = _Answer(send, fault)
        try:
            if fault.status:
                await answer.refuse(fault.status, self._service, fault)
            else:
                await self._app(scope, receive, answer.send)
                await answer.lose(self._service)
        finally:
            self._journal.write(call, answer.status, self._now(), fault.name)

    def _call(self, scope: Scope) -> Call:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        return Call(
            method=scope["method"],
            path=scope["path"],
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
            actor=self._who(headers, scope["path"]),
            service=self._service,
        )


class _Answer:
    """What becomes of the answer: late, lost, or as it is."""

    def __init__(self, send: Send, fault: Fault) -> None:
        self.status = 0  # 0: none was given
        self._send = send
        self._fault = fault

    async def send(self, message: Message) -> None:
        """From the service."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            await asyncio.sleep(self._fault.delay)
        if not self._fault.lost:
            await self._send(message)

    async def lose(self, service: str) -> None:
        """What a gateway says in place of an answer that was lost."""
        if self._fault.lost:
            lost = Fault(code="GatewayTimeout", message="The gateway did not receive a response within the specified time period.")
            await self.refuse(504, service, lost)

    async def refuse(self, status: int, service: str, fault: Fault) -> None:
        """In the words of the service."""
        if not self._fault.lost:
            await asyncio.sleep(self._fault.delay)
        self.status = status
        content = json.dumps(_body(service, status, fault)).encode()
        fixed = {"content-type": "application/json; charset=utf-8", "content-length": str(len(content)), **fault.headers}
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fixed.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": content})


def _body(service: str, status: int, fault: Fault) -> dict[str, object]:
    if service == "identity":
        # App Service's words and those of the metadata service: each client looks for its own.
        words = {"statusCode": status, "message": fault.message}
        return {**words, "error": fault.code, "error_description": fault.message}
    return {"error": {"code": fault.code, "message": fault.message}}
