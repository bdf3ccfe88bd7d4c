"""The one place that speaks HTTP to the function app."""

from __future__ import annotations

import re
from collections.abc import Iterator
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

    def runs(self, *, workflow: str | None = None, status: str | None = None, limit: int | None = None) -> Iterator[Json]:
        """The newest runs first, page by page, no more than `limit` (None: all there are)."""
        continuation: str | None = None
        left = limit
        while left is None or left > 0:
            asked = {
                "workflow": workflow,
                "status": status,
                "limit": PAGE if left is None else min(left, PAGE),
                "continuation": continuation,
            }
            page = self._json("GET", "runs", params={name: value for name, value in asked.items() if value is not None})
            rows = page.get("runs", [])[:left]
            yield from rows
            continuation = page.get("continuation")
            left = None if left is None else left - len(rows)
            if not continuation:
                return

    def latest(self) -> str:
        """The id of the newest run."""
        for run in self.runs(limit=1):
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

    def cancel(self, run: str, reason: str | None = None) -> Json:
        """Stop a run and answer it; refused with 409 once it is over."""
        return self._json("POST", f"runs/{_quoted(run)}/cancel", json={"reason": reason} if reason else {})

    def resume(self, run: str, step: str | None, variables: Json) -> Json:
        """Let a run that is over go on, from `step` or from what failed, and answer it; refused with 409 while it runs."""
        asked = {"from": step, "variables": variables}
        return self._json("POST", f"runs/{_quoted(run)}/resume", json={name: value for name, value in asked.items() if value})

    def delete(self, run: str) -> str:
        """Delete a run that is over, with its logs and files: `deleted`, or `deleting` when that goes on for a while."""
        response = self._send("DELETE", f"runs/{_quoted(run)}")
        return "deleted" if response.status_code == httpx.codes.NO_CONTENT else "deleting"

    def poison(self) -> Iterator[Json]:
        """The messages that could not be handled, page by page."""
        continuation: str | None = None
        while True:
            page = self._json("GET", "poison", params={"continuation": continuation} if continuation else {})
            yield from page.get("messages", ())
            continuation = page.get("continuation")
            if not continuation:
                return

    def replay(self, message: str) -> str:
        """Send a message that could not be handled once more; what else there is to do, if there is anything."""
        return str(self._json("POST", f"poison/{_quoted(message)}/replay").get("note") or "")

    def items(self, run: str, step: str) -> list[Json]:
        """The items of a step with their attempts, the first page of them."""
        return list(self._json("GET", f"runs/{_quoted(run)}/steps/{_quoted(step)}/items").get("items", ()))

    def log(self, run: str, step: str, *, item: int | None = None, attempt: int | None = None, tail: int | None = None) -> str:
        """A step's log: live while it runs, from the archive afterwards."""
        asked = {"item": item, "attempt": attempt, "tail": tail}
        params = {name: value for name, value in asked.items() if value is not None}
        response = self._send("GET", f"runs/{_quoted(run)}/steps/{_quoted(step)}/logs", params=params)
        return response.content.decode("utf-8", errors="replace")

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
