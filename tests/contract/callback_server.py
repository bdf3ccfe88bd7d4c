"""A little HTTP server in the place of loadme's callback, for what runs inside a container."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ATTEMPT = "lm-01j0000000000000000a-split-0-1"
TOKEN = "the-token"
SCRIPTED = {"detail": "as the test says"}


@dataclass
class Call:
    """A request that came: `path` is what follows the callback's URL."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class CallbackServer:
    """Answers 202, and 200 with `variables`; `script[method, path]` holds the statuses of the next answers, the last one for good."""

    port: int = 0
    variables: dict[str, Any] = field(default_factory=dict)
    script: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    calls: list[Call] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/callback/{ATTEMPT}"

    @property
    def environment(self) -> dict[str, str]:
        """What loadme would give a container."""
        return {
            "LOADME_CALLBACK_URL": self.url,
            "LOADME_CALLBACK_TOKEN": TOKEN,
            "LOADME_ATTEMPT_ID": ATTEMPT,
            "LOADME_CALLBACK_RETRY": "3",
        }

    def posts(self, path: str = "") -> list[Any]:
        """The bodies of what was posted there."""
        return [call.body for call in self.calls if (call.method, call.path) == ("POST", path)]

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        self.calls.append(call)
        planned = self.script[call.method, call.path]
        if planned:
            return (planned.pop(0) if len(planned) > 1 else planned[0]), SCRIPTED
        return (200, {"variables": self.variables}) if call.method == "GET" else (202, {})


@contextmanager
def callback_server() -> Iterator[CallbackServer]:
    """The server, in a thread."""
    state = CallbackServer()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.removeprefix(f"/api/callback/{ATTEMPT}")
            status, answer = state.answer(Call(self.command, path, dict(self.headers), json.loads(body) if body else None))
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            if status == 302:
                self.send_header("Location", state.url)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _handle  # noqa: N815 - the base class's own words

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own word
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join(5)
