"""A relay in front of the function app or of storage, so that their calls pass the side door: on record, and met by faults."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"proxy-connection"}
TIMEOUT = 240.0  # seconds: Azure's own gateways give up about then

Headers = list[tuple[bytes, bytes]]


class Relay:
    """Passes every call on to where `upstream` says (scheme, host and port) and its answer back, byte for byte."""

    def __init__(self, upstream: Callable[[], str], ca: Path) -> None:
        self._upstream = upstream
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=40)
        verify = ssl.create_default_context(cafile=str(ca))
        self._client = httpx.Client(verify=verify, timeout=TIMEOUT, limits=limits, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call; one that could not be passed on with 502."""
        body = await Request(scope, receive).body()
        try:
            status, headers, content = await run_in_threadpool(self._pass_on, scope, body)
        except httpx.HTTPError as error:
            status, headers, content = 502, [], f"the relay got no answer: {error}".encode()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _pass_on(self, scope: Scope, body: bytes) -> tuple[int, Headers, bytes]:
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        url = httpx.URL(self._upstream()).copy_with(raw_path=target)
        request = httpx.Request(scope["method"], url, headers=_end_to_end(scope["headers"]), content=body)
        answer = self._client.send(request, stream=True)
        try:
            return answer.status_code, _end_to_end(answer.headers.raw), b"".join(answer.iter_raw())
        finally:
            answer.close()


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return [(name.lower(), value) for name, value in headers if name.lower() not in HOP_BY_HOP]
