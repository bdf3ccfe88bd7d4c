"""The function app's HTTP API, as far as a test needs it."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx

Json = dict[str, Any]
TIMEOUT = 60.0  # seconds
HURRIED = 5.0


class Refused(AssertionError):
    """The function app answered with an error."""


class Api:
    """Every method raises Refused with the app's own words."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"x-functions-key": key}
        self._client = httpx.Client(base_url=f"{url}/api/", headers=headers, timeout=TIMEOUT, trust_env=False)
        self._hurries = self._is_silent = False

    def hurry(self) -> None:
        """From now on nobody waits for long: an app that does not answer once is asked no more."""
        self._hurries = True
        self._client.timeout = httpx.Timeout(HURRIED)

    def start(self, workflow: str, variables: Json) -> Json:
        """Start a run and answer it."""
        return self._json("POST", f"workflows/{workflow}/runs", json=variables)

    def run(self, run: str, etag: str = "") -> tuple[Json | None, str]:
        """The run and its new ETag; None when it still is what `etag` names."""
        response = self._send("GET", f"runs/{run}", headers={"if-none-match": etag} if etag else {})
        return (None if response.status_code == httpx.codes.NOT_MODIFIED else response.json()), response.headers.get("etag", etag)

    def post(self, path: str, content: Json) -> Json:
        """Cancel, resume, signal."""
        return self._json("POST", path, json=content)

    def log(self, run: str, step: str, **asked: Any) -> str:
        """A step's log; nothing when there is none."""
        response = self._request(
            "GET", f"runs/{run}/steps/{step}/logs", params={name: value for name, value in asked.items() if value is not None}
        )
        return response.content.decode(errors="replace") if response.is_success else ""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _json(self, method: str, path: str, **request: Any) -> Json:
        found: Json = self._send(method, path, **request).json()
        return found

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        response = self._request(method, path, **request)
        if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
            return response
        raise Refused(f"{method} /api/{path} answered {response.status_code}: {_words(response)}")

    def _request(self, method: str, path: str, **request: Any) -> httpx.Response:
        if self._is_silent:
            raise httpx.ConnectError("the function app did not answer before")
        try:
            return self._client.request(method, path, **request)
        except httpx.TransportError:
            self._is_silent = self._hurries
            raise


def _words(response: httpx.Response) -> str:
    try:
        problem = response.json()
        fields = [f"{one.get('field')}: {one.get('message')}" for one in problem.get("errors") or ()]
        return "\n  ".join([f"{problem['title']}: {problem.get('detail') or ''}", *fields])
    except (ValueError, KeyError, TypeError, AttributeError):
        return response.text[:500]
