"""The host's HTTP side over a fake engine: requests go straight into the application, without a socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from localcloud.host.administration import Admin
from localcloud.host.invoker import Invoker
from localcloud.host.keys import Keys
from localcloud.host.protocol import Data, Finished, FunctionInfo, HttpTrigger, Response, Trigger
from localcloud.host.settings import HostSettings
from localcloud.host.table import build_table
from localcloud.host.web import Web, with_cors
from tests.unit.localcloud_host.virtual_time import run

KEYS = Keys(master="the-master", system={"ext": "the-system"}, host={"default": "the-host"}, functions={"start": "the-function"})
OK = Response(200, [("content-type", "text/plain")], b"ok")


def http_function(name: str, route: str | None = None, *methods: str, level: str = "ANONYMOUS") -> FunctionInfo:
    trigger: dict[str, Any] = {"type": "httpTrigger", "name": "req", "authLevel": level}
    trigger |= {"route": route} if route is not None else {}
    trigger |= {"methods": list(methods)} if methods else {}
    return FunctionInfo(name, [trigger, {"type": "http", "name": "$return"}])


def queue_output(function: FunctionInfo, name: str, queue: str = "out", connection: str = "") -> FunctionInfo:
    binding = {"type": "queue", "direction": "OUT", "name": name, "queueName": queue, "connection": connection}
    return FunctionInfo(function.name, [*function.bindings, binding])


@dataclass
class FakeHost:
    """`returns` is what every function returns, or what makes it; `sent` what was put on queues."""

    functions: list[FunctionInfo]
    returns: Data | Callable[[], Awaitable[Data | None]] | None = OK
    outputs: dict[str, Data] = field(default_factory=dict)
    error: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    write_error: Exception | None = None
    triggers: list[tuple[str, Trigger]] = field(default_factory=list)
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    drained: int = 0

    def __post_init__(self) -> None:
        environment = {"AzureWebJobsStorage": "x", **self.environment}
        settings = HostSettings(app=Path("/app"), environment=environment, **self.options)
        self.table = build_table(self.functions, settings)
        self.invoker = Invoker(self, self.table.outputs, self)
        self.web = Web(settings, self.table, KEYS, self.invoker, Admin(settings, self.functions, self.table, self.invoker, self.drain))

    async def invoke(self, function: str, trigger: Trigger) -> Finished:
        self.triggers.append((function, trigger))
        returned = await self.returns() if callable(self.returns) else self.returns
        return Finished("", self.error) if self.error else Finished("", returned=returned, outputs=self.outputs)

    async def send(self, connection: str, queue: str, body: bytes) -> None:
        if self.write_error:
            raise self.write_error
        self.sent.append((queue, body))

    def drain(self) -> None:
        self.drained += 1

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(with_cors(self.web))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7071") as client:
            return await client.request(method, path, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return run(self.ask(method, path, **options))

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.request("GET", path, headers=headers)

    @property
    def seen(self) -> HttpTrigger:
        """What the last function was given."""
        trigger = self.triggers[-1][1]
        assert isinstance(trigger, HttpTrigger)
        return trigger
