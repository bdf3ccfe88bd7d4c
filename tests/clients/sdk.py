"""What the tests of the SDKs share: a client of a kind, synchronous or asynchronous, and one way to write a test for both."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import azure.identity
import azure.identity.aio

from tests.clients.cloud import RunningCloud

SCOPE = "https://management.azure.com/.default"


class Session:
    """Clients of one cloud, all synchronous or all asynchronous; results of calls are waited for, whatever they are."""

    def __init__(self, cloud: RunningCloud, asynchronous: bool, stack: AsyncExitStack) -> None:
        self.cloud = cloud
        self._asynchronous = asynchronous
        self._stack = stack
        options = {"authority": cloud.login, "disable_instance_discovery": True, "connection_verify": cloud.ca}
        kind = (azure.identity.aio if asynchronous else azure.identity).ClientSecretCredential
        self.credential = kind(cloud.tenant, cloud.client_id, cloud.secret, **options)

    async def arm(self, module: str, name: str) -> Any:
        """A management client, told where ARM is and whom to trust."""
        options = {"base_url": self.cloud.arm, "credential_scopes": [SCOPE], "connection_verify": self.cloud.ca}
        return await self.client(module, name, self.credential, self.cloud.subscription, **options)

    async def client(self, module: str, name: str, *words: Any, **options: Any) -> Any:
        """Any client of a module, or of its `aio`."""
        found = getattr(importlib.import_module(f"{module}.aio" if self._asynchronous else module), name)(*words, **options)
        return await self.open(found)

    async def open(self, client: Any) -> Any:
        """Closed when the session is."""
        if self._asynchronous:
            return await self._stack.enter_async_context(client)
        return self._stack.enter_context(client)

    async def wait(self, result: Any) -> Any:
        """What a call gives in the end: of a long-running operation its result, of a listing all its items."""
        if inspect.isawaitable(result):
            result = await result
        if hasattr(result, "polling_method"):
            result = result.result()
            return await result if inspect.isawaitable(result) else result
        if hasattr(result, "__aiter__"):
            return [item async for item in result]
        return list(result) if hasattr(result, "by_page") else result


def run(cloud: RunningCloud, asynchronous: bool, test: Callable[[Session], Any]) -> None:
    """The test with a session of its own."""

    async def running() -> None:
        async with AsyncExitStack() as stack:
            session = Session(cloud, asynchronous, stack)
            await session.open(session.credential)
            await test(session)

    asyncio.run(running())
