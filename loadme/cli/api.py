"""The one place that speaks HTTP to the function app."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from loadme import __version__
from loadme.cli.errors import Refused, Trouble, Unreachable
from loadme.cli.target import ADVICE, Target

Json = dict[str, Any]
TIMEOUT = 60.0  # seconds: a cold start on Azure takes tens of them
PAGE = 100
COMMANDS = {"workflows": "loadme workflows", "health": "loadme workflows", "runs": "loadme runs"}
ROUTES = re.compile(rf"`?\bGET /api/({'|'.join(COMMANDS)})\b(?!/)`?")  # what the API advises, for whoever has the command line


class Api:
    """The HTTP API (design 4.1). Every method raises `Unreachable`, `Refused` or `Trouble`, each fit to be shown."""

    def __init__(self, target: Target, transport: httpx.BaseTransport | None = None) -> None:
        self._target = target
        headers = {"user-agent": f"loadme/{__version__}"} | ({"x-functions-key": target.key} if target.key else {})
        self._client = httpx.Client(
            base_url=f"{target.url}/api/", headers=headers, timeout=TIMEOUT, transport=transport, trust_env=not target.is_local
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def workflows(self) -> Json:
        """All workflows, and the broken files."""
        return self._json("GET", "workflows")

    def workflow(self, name: str) -> Json:
        """One workflow; `variables` is a JSON Schema."""
        return self._json("GET", f"workflows/{_quoted(name)}")

    def start(self, workflow: str, variables: Json, idempotency_key: str | None = None) -> Json:
        """Start a run and answer it."""
        headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
        return self._json("POST", f"workflows/{_quoted(workflow)}/runs", json=variables, headers=headers)

    def versions(self, workflow: str) -> list[Json]:
        """The definitions that runs of the workflow were started with, the latest first."""
        return list(self._json("GET", f"workflows/{_quoted(workflow)}/versions").get("versions", ()))

    def schedules(self) -> list[Json]:
        """The schedules of all workflows."""
        return list(self._json("GET", "schedules").get("schedules", ()))

    def pause(self, workflow: str, index: int, reason: str | None = None) -> Json:
        """Pause a schedule and answer it."""
        asked = {"reason": reason} if reason else {}
        return self._json("POST", f"workflows/{_quoted(workflow)}/schedules/{index}/pause", json=asked)

    def unpause(self, workflow: str, index: int) -> Json:
        """Let a schedule go on and answer it."""
        return self._json("POST", f"workflows/{_quoted(workflow)}/schedules/{index}/resume")

    def runs(self, *, workflow: str | None = None, status: str | None = None, limit: int | None = None) -> Iterator[Json]:
        """The newest runs first, page by page, no more than `limit` (None: all there are)."""
        asked = {"workflow": workflow, "status": status, "limit": PAGE if limit is None else min(limit, PAGE)}
        found = self._pages("runs", "runs", {name: value for name, value in asked.items() if value is not None})
        yield from islice(found, limit)

    def latest(self) -> str:
        """The id of the newest run that is not a step of another one."""
        for run in self.runs():
            if not run.get("parent"):
                return str(run["id"])
        raise Trouble("there is no run yet: start one with `loadme start WORKFLOW`")

    def run(self, run: str) -> Json:
        """One run with its steps."""
        return self._json("GET", f"runs/{_quoted(run)}")

    def run_if_changed(self, run: str, etag: str) -> tuple[Json | None, str]:
        """The run and its new ETag; None when it still is what `etag` names."""
        response = self._send("GET", f"runs/{_quoted(run)}", headers={"if-none-match": etag} if etag else {})
        body = None if response.status_code == httpx.codes.NOT_MODIFIED else self._object(response)
        return body, response.headers.get("etag", etag)

    def cancel(self, run: str, reason: str | None = None, *, force: bool = False) -> Json:
        """Stop a run, with `force` its steps of `finally` as well, and answer it; refused with 409 once it is over."""
        asked = {"reason": reason, "force": force}
        return self._json("POST", f"runs/{_quoted(run)}/cancel", json={name: value for name, value in asked.items() if value})

    def resume(self, run: str, step: str | None, variables: Json) -> Json:
        """Let a run that is over go on, from `step` or from what failed, and answer it; refused with 409 while it runs."""
        asked = {"from": step, "variables": variables}
        return self._json("POST", f"runs/{_quoted(run)}/resume", json={name: value for name, value in asked.items() if value})

    def signal(self, run: str, step: str, outputs: Json, by: str | None = None) -> str:
        """Answer a step that waits: `accepted`, or `kept` until it does; refused with 409 once it is answered otherwise or over."""
        path = f"runs/{_quoted(run)}/signal/{_quoted(step)}"
        return str(self._json("POST", path, json=outputs, params={"by": by} if by else {}).get("status") or "")

    def delete(self, run: str) -> str:
        """Delete a run that is over, with its logs and files: `deleted`, or `deleting` when that goes on for a while."""
        response = self._send("DELETE", f"runs/{_quoted(run)}")
        return "deleted" if response.status_code == httpx.codes.NO_CONTENT else "deleting"

    def poison(self) -> Iterator[Json]:
        """The messages that could not be handled, page by page."""
        return self._pages("poison", "messages", {})

    def files(self, run: str, prefix: str = "") -> Iterator[Json]:
        """The run's files whose names begin with `prefix`, page by page."""
        return self._pages(f"runs/{_quoted(run)}/files", "files", {"prefix": prefix, "limit": PAGE})

    def replay(self, message: str) -> str:
        """Send a message that could not be handled once more; what else there is to do, if there is anything."""
        return str(self._json("POST", f"poison/{_quoted(message)}/replay").get("note") or "")

    def every_item(self, run: str, step: str, status: str | None = None) -> Iterator[Json]:
        """The items of a step that have begun, of one status or all, page by page."""
        asked = {"limit": PAGE} | ({"status": status} if status else {})
        return self._pages(f"runs/{_quoted(run)}/steps/{_quoted(step)}/items", "items", asked)

    def items(self, run: str, step: str, first: int = 0, limit: int | None = None) -> list[Json]:
        """A page of the items of a step with their attempts, from number `first` on."""
        asked = {"continuation": first or None, "limit": limit}
        params = {name: value for name, value in asked.items() if value is not None}
        return list(self._json("GET", f"runs/{_quoted(run)}/steps/{_quoted(step)}/items", params=params).get("items", ()))

    def log(
        self, run: str, step: str, *, item: int | None = None, attempt: int | None = None, tail: int | None = None, container: str = ""
    ) -> str:
        """A step's log: live while it runs, from the archive afterwards; of its own container, or of another one of its group."""
        asked = {"item": item, "attempt": attempt, "tail": tail, "container": container or None}
        params = {name: value for name, value in asked.items() if value is not None}
        response = self._send("GET", f"runs/{_quoted(run)}/steps/{_quoted(step)}/logs", params=params)
        return response.content.decode("utf-8", errors="replace")

    def _pages(self, path: str, key: str, asked: Json) -> Iterator[Json]:
        """What a listing has under `key`, page by page, asking for a page only when it is read."""
        continuation: str | None = None
        while True:
            page = self._json("GET", path, params=asked | ({"continuation": continuation} if continuation else {}))
            yield from page.get(key, ())
            continuation = page.get("continuation")
            if not continuation:
                return

    def _json(self, method: str, path: str, **request: Any) -> Json:
        return self._object(self._send(method, path, **request))

    def _object(self, response: httpx.Response) -> Json:
        try:
            body = response.json()
        except ValueError:
            body = None
        if isinstance(body, dict):
            return body
        raise Trouble(f"{response.url} answered something that is not loadme's: is {self._target.url} a loadme function app?")

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, **request)
        except httpx.ConnectError as error:
            raise Unreachable(f"nothing answers at {self._target.url} ({error}): {ADVICE}") from error
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{self._target.url} did not answer ({reason}): try again, or look at the function app's own log") from error
        if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
            return response
        raise refusal(response, self._target)


def refusal(response: httpx.Response, target: Target) -> Refused:
    """An error answer in words: a problem's title and detail, then a line for each field that is wrong."""
    status = response.status_code
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return Refused(status, _key_refused(status, target))
    if (problem := _problem(response)) is not None:
        return Refused(status, _in_words(problem), problem.get("errors") or ())
    if status == httpx.codes.NOT_FOUND:
        return Refused(status, f"{response.url} does not exist: is {target.url} a loadme function app of this version?")
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Refused(status, f"the function app failed (HTTP {status}): look at its log, then try again")
    return Refused(status, f"{target.url} answered HTTP {status}, which loadme does not expect: is it a loadme function app?")


def _key_refused(status: int, target: Target) -> str:
    if not target.key:
        return f"{target.url} wants a function key (HTTP {status}): give --key or set LOADME_KEY"
    return f"{target.url} refused the function key (HTTP {status}), which came from {target.key_from}: give the key of the host"


def _problem(response: httpx.Response) -> Json | None:
    try:
        problem = response.json()
    except ValueError:
        return None
    return problem if isinstance(problem, dict) and "title" in problem else None


def _in_words(problem: Json) -> str:
    fields = [f"{error.get('field', '')}: {error.get('message', '')}" for error in problem.get("errors") or ()]
    detail = str(problem.get("detail") or "")
    beyond = detail
    for field in fields:
        beyond = beyond.replace(field, "")
    # A detail that only strings the fields together is said by their own lines, which have the hints too.
    lines = [": ".join(part for part in (str(problem["title"]), detail if beyond.strip("; ") else "") if part)]
    for field, error in zip(fields, problem.get("errors") or (), strict=True):
        lines.append(f"  {field} ({error['hint']})" if error.get("hint") else f"  {field}")
    return ROUTES.sub(lambda route: f"`{COMMANDS[route[1]]}`", "\n".join(lines))


def _quoted(name: str) -> str:
    return quote(name, safe="")
