"""Reading request bodies: limits first, then JSON, with an answer that says what to change."""

from __future__ import annotations

from typing import Any

import msgspec

from loadme.errors import Rejected

LIMIT = 1_000_000
"""Bytes. Larger data goes to the run's files folder, its name into a variable."""

CHUNKED = (
    "the body came without a Content-Length (Transfer-Encoding: chunked), and Azure Functions hands such a body over empty: send it whole, "
    "with a Content-Length"
)


def json_object(body: bytes, is_chunked: bool = False) -> dict[str, Any]:
    """The JSON object in a body; an empty body counts as `{}`. Raises Rejected: 411 chunked, 413 too large, 400 not an object."""
    if is_chunked and not body:
        raise Rejected(411, "Length required", CHUNKED)
    if len(body) > LIMIT:
        detail = f"the body has {len(body):,} bytes; {LIMIT:,} are allowed: put large data into the run's files and pass its name"
        raise Rejected(413, "Body too large", detail)
    if not body.strip():
        return {}
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(400, "Malformed JSON", f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Rejected(400, "Not an object", f'the body must be a JSON object of variables, like {{"name": "value"}}, not {_kind(value)}')
    return value


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
