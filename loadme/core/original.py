"""Containers written for the blog article that loadme comes from, which run unchanged under `callback: url`.

Such a container reads the variables with the prefix from its environment, adds some of its own, and POSTs all of them as one JSON object
to the address in `___NEXTSTAGEFUNCTIONURL`, the address itself included. It sends no header of its own, and was written for PowerShell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from loadme.definitions.definition import Step
from loadme.definitions.values import compact

NEXT_STAGE = "NEXTSTAGEFUNCTIONURL"

TOKEN_PARAMETER = "token"  # noqa: S105 (the name of it)
"""The query parameter with the attempt's token. Not `code`: the Functions host would take it for a function key."""


def next_stage_url(url: str, token: str) -> str:
    """The callback's address with the token in it: a secret."""
    return f"{url}?{TOKEN_PARAMETER}={token}"


def as_utf8(body: bytes) -> bytes:
    """The body in UTF-8. PowerShell before 7.4 sends ISO-8859-1 when a script names no charset, as the original's do not."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return body.decode("iso-8859-1").encode()
    return body


def news(step: Step, posted: Mapping[str, Any], given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """What is an output among all that a container posted: what the step declares, and what is not just as it was `given`.

    `given` are the variables of the attempt. loadme's own variables are never outputs.
    """
    declared = {name.lower() for name in step.outputs}
    had = {name.lower(): value for name, value in given.items()}
    result = {}
    for key, value in posted.items():
        name = key.lower().removeprefix(prefix.lower())
        is_own = name == NEXT_STAGE.lower() or name.startswith("loadme_")
        is_old = name not in declared and name in had and _is_as_given(value, had[name])
        if not is_own and not is_old:
            result[key] = value
    return result


def _is_as_given(value: Any, given: Any) -> bool:
    """Whether a value is what the environment had. A script may have printed its JSON anew, or made a number of its digits."""
    had = given if isinstance(given, str) else compact(given)
    if value == had:
        return True
    read = _parsed(value)
    if isinstance(value, str) and isinstance(given, str) and not isinstance(read, dict | list):
        return False  # two texts, like the versions "1" and "1.0"
    return _same(read, _parsed(had))


def _parsed(value: Any) -> Any:
    try:
        return msgspec.json.decode(value) if isinstance(value, str) else value
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return value


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal. For Python, true is 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
