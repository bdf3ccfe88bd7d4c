"""From a request on the wire to the one that a function sees, and back to a response."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from . import protocol
from .protocol import HttpTrigger


def to_trigger(request: Request, route: dict[str, str], body: bytes) -> HttpTrigger:
    """The request as the real host hands it over: header names in lower case, repeats joined, empty query values gone."""
    headers = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.headers.raw)
    return HttpTrigger(
        method=request.method,
        url=_full_url(request),
        query={name: joined for name, values in query_values(request).items() if (joined := ",".join(filter(None, values)))},
        headers={name: ",".join(values) for name, values in _gathered(headers).items()},
        route=route,
        body=body,
    )


def to_response(answered: protocol.Response) -> Response:
    """The answer as it is sent; its length is the server's to say."""
    response = Response(answered.body, answered.status)
    for name, value in answered.headers:
        if name.lower() != "content-length":
            response.headers.append(name, value)
    return response


def raw_path(request: Request) -> str:
    """The path as it was sent, still encoded: an encoded slash separates nothing."""
    return str(request.scope["raw_path"].decode("latin-1"))


def query_values(request: Request) -> dict[str, list[str]]:
    """Each name of the query, written as it is the first time, with the values that it has in whatever case."""
    return _gathered(parse_qsl(request.url.query, keep_blank_values=True))


def has_body(request: Request) -> bool:
    """Whether a function gets the body: only one with a Content-Length; a chunked one arrives empty, as on Azure."""
    return int(request.headers.get("content-length") or 0) > 0


def _full_url(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.url.scheme}://{request.headers.get('host', '')}{raw_path(request)}{query}"


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    first: dict[str, str] = {}
    gathered: dict[str, list[str]] = {}
    for name, value in pairs:
        gathered.setdefault(first.setdefault(name.lower(), name), []).append(value)
    return gathered
