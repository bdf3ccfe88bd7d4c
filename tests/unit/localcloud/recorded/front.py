"""A local cloud behind its genuine HTTP front, reached without a network, on a clock that stands still."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from localcloud.arm import create_app
from tests.unit.localcloud.recorded.samples import AZURE, Sample
from tests.unit.localcloud.worlds import FakeContainer, make_world

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
ACTOR = "33333333-3333-4333-8333-333333333333"
CLAIMS = {"oid": ACTOR, "upn": "user@example.com"}  # the recorder's name for whoever made the recordings


class Front:
    """`send` makes one request; `sent` answers a recorded one."""

    def __init__(self) -> None:
        self.world = make_world(subscription=SUBSCRIPTION, owners=(ACTOR,))
        self.world.clock.advance(0.4567891)  # times with fractions, as they are on any day but the first
        self._app = create_app(self.world.state, lambda _token, _audience: CLAIMS)

    def send(self, method: str, uri: str, body: Any = None) -> httpx.Response:
        """Text is sent as it is, anything else as JSON."""
        content = None if body is None else body if isinstance(body, str) else json.dumps(body)
        headers = {"Authorization": "Bearer token", "Content-Type": "application/json"}

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url=AZURE) as client:
                return await client.request(method, uri, content=content, headers=headers)

        return asyncio.run(ask())

    def sent(self, sample: Sample, *, uri: str = "") -> httpx.Response:
        return self.send(sample.method, uri or sample.uri, sample.body)

    def make(self, method: str, uri: str, body: Any = None) -> httpx.Response:
        """Send what a set-up needs; it must be accepted."""
        reply = self.send(method, uri, body)
        assert reply.status_code < 300, reply.text
        return reply

    def pass_time(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @property
    def containers(self) -> list[FakeContainer]:
        """All that were started, the latest last."""
        return self.world.runtime.started
