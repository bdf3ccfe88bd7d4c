"""What the host makes of what an HTTP function returned: the answer that goes to the caller."""

from __future__ import annotations

import http.cookies
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .newtonsoft import BadJson, parse, printed, to_string
from .protocol import Bytes, Data, Json, Number, Response, Text

PLAIN = ("content-type", "text/plain; charset=utf-8")
JSON = ("content-type", "application/json; charset=utf-8")


def answer(returned: Data | None) -> Response:
    """The answer. A function that gave none is fine with 200; nothing at all in JSON is a 204. (Inferred from ASP.NET's own results.)"""
    match returned:
        case Response():
            return Response(returned.status, [*returned.headers, *_set_cookies(returned.cookies)], returned.body)
        case Text():
            return _of_text(returned.value)
        case Json():
            return _of_value(parse(returned.value, dates=False))
        case Bytes():
            return Response(200, [("content-type", "application/octet-stream")], returned.value)
        case Number():
            return _of_value(returned.value)
        case None:
            return Response(200, [], b"")


def _of_text(text: str) -> Response:
    """A bare string: the host reads JSON in it, whatever it looks like."""
    if not text.strip():
        return Response(204, [], b"")
    try:
        return _of_value(parse(text, dates=True))
    except BadJson:
        return Response(200, [PLAIN], text.encode())


def _of_value(value: Any) -> Response:
    """An object with a body is a response object, whatever the case of its keys; anything else is the content."""
    parts = {name.lower(): item for name, item in value.items()} if isinstance(value, dict) else {}
    if "body" not in parts:
        return _content(value, 200, {})
    given = parts.get("headers")
    return _content(parts["body"], _status(parts), given if isinstance(given, dict) else {})


def _content(value: Any, status: int, headers: Mapping[str, Any]) -> Response:
    given = [(name.lower(), to_string(item)) for name, item in headers.items()]
    if value is None:
        return Response(204 if status == 200 else status, given, b"")
    kind, text = (PLAIN, value) if isinstance(value, str) else (JSON, printed(value))
    types = [] if any(name == "content-type" for name, _ in given) else [kind]
    return Response(status, [*given, *types], text.encode())


def _status(parts: Mapping[str, Any]) -> int:
    given = parts.get("statuscode", parts.get("status"))
    try:
        return int(given) if isinstance(given, (int, str)) and not isinstance(given, bool) else 200
    except ValueError:
        return 200


def _set_cookies(cookies: list[str]) -> list[tuple[str, str]]:
    return [("set-cookie", _cookie(morsel)) for text in cookies for morsel in http.cookies.SimpleCookie(text).values()]


def _cookie(morsel: http.cookies.Morsel[str]) -> str:
    """As ASP.NET writes a cookie: the value encoded, the attributes in its order and in lower case."""
    parts = [f"{morsel.key}={quote(morsel.value, safe='')}"]
    parts += [f"{name}={morsel[name]}" for name in ("expires", "max-age", "domain", "path") if morsel[name]]
    parts += ["secure"] if morsel["secure"] else []
    parts += [f"samesite={morsel['samesite'].lower()}"] if morsel["samesite"].lower() in {"lax", "strict", "none"} else []
    return "; ".join(parts + (["httponly"] if morsel["httponly"] else []))
