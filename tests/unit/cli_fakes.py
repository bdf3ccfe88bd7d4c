"""A function app for the tests of the command line, and a world in which no time passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner, Result

from loadme.cli.commands import loadme
from loadme.cli.outside import Outside

URL = "http://app.test"
RUN = "01jd3k9x2m5q8r7t6v4w"
Json = dict[str, Any]


def a_step(name: str = "split", status: str = "succeeded", **more: Any) -> Json:
    times = {"started_at": "2026-11-22T12:00:00Z", "ended_at": "2026-11-22T12:00:01.5Z"}
    if status in ("pending", "skipped"):
        times = {"started_at": None, "ended_at": None}
    if status == "running":
        times["ended_at"] = None
    base = {"needs": [], "attempts": 1, "outputs": {}, "error": None, "progress": None, "logs": f"/api/runs/{RUN}/steps/{name}/logs"}
    return {"name": name, "status": status, **times, **base, **more}


def a_run(status: str = "succeeded", *steps: Json, **more: Any) -> Json:
    base = {"id": RUN, "workflow": "report", "created_at": "2026-11-22T12:00:00Z", "scheduled_at": None}
    ended = None if status == "running" else "2026-11-22T12:00:03Z"
    rest = {"variables": {}, "outputs": {}, "error": None, "links": {}}
    return {**base, "status": status, "ended_at": ended, "steps": list(steps), **rest, **more}


def a_problem(status: int, title: str, detail: str, *errors: Json) -> httpx.Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "errors": list(errors)}
    return httpx.Response(status, json=body, headers={"content-type": "application/problem+json"})


Answer = httpx.Response | Exception | Json | str


@dataclass
class FakeApp:
    """Answers what it is told, in order; the last answer of a route stays. It remembers the requests."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    def on(self, route: str, *answers: Answer) -> FakeApp:
        self.answers[route] = list(answers)
        return self

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        route = f"{request.method} {request.url.path.removeprefix('/api/')}"
        queue = self.answers.get(route)
        if not queue:
            return httpx.Response(404)
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return httpx.Response(200, text=answer)
        # A copy, because a response can be read only once.
        return (
            httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)
            if isinstance(answer, httpx.Response)
            else httpx.Response(200, json=answer)
        )

    def sent(self, route: str) -> list[httpx.Request]:
        return [one for one in self.requests if f"{one.method} {one.url.path.removeprefix('/api/')}" == route]

    def body(self, route: str) -> Any:
        return json.loads(self.sent(route)[-1].content)


@dataclass
class World:
    """Drives the command line. `sleeps` are the pauses it made; `interrupt_after` presses Ctrl-C at the nth one."""

    app: FakeApp = field(default_factory=FakeApp)
    folder: Path = Path("/nowhere")
    alive: Callable[[int], bool] = bool
    interrupt_after: int | None = None
    sleeps: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        if self.interrupt_after is not None and len(self.sleeps) >= self.interrupt_after:
            raise KeyboardInterrupt

    def outside(self) -> Outside:
        return Outside(
            transport=httpx.MockTransport(self.app.handle),
            now=self._clock().__next__,
            sleep=self.sleep,
            folder=self.folder,
            is_alive=self.alive,
            user=lambda: "grace",
        )

    def run(self, *arguments: str, url: str | None = URL, key: str = "secret", stdin: str | None = None) -> Result:
        environment = {"LOADME_URL": url, "LOADME_KEY": key or None}
        return CliRunner().invoke(loadme, arguments, obj=self.outside(), env=environment, input=stdin)

    def _clock(self) -> Iterator[datetime]:
        now = datetime(2026, 11, 22, 12, 0, 2, tzinfo=UTC)
        while True:
            yield now
            now += timedelta(seconds=1)
