"""What of a reply must be as it was recorded: everything, but that Azure makes up again each time is compared by its form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# The order counts: a guid in a URL before the digits in it.
_FORMS = [
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<guid>"),
    (re.compile(r"\bsha256:[0-9a-f]{64}\b"), "<digest>"),
    (re.compile(r"(?<=/operationresults/)[A-Za-z0-9_-]+"), "<job>"),
    (re.compile(r"\bwss://[-.:a-z0-9]+/"), "wss://<host>/"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b"), "<address>"),
    (re.compile(r"\bP(T(\d+H)?(\d+M)?[\d.]+S)\b"), "<duration>"),
    (re.compile(r"\b\d{19,20}\b"), "<number>"),
    (re.compile(r"\b[0-9A-F]{16}\b"), "<operation>"),
]
_TIME = re.compile(r"\b(?!0001)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,7})?Z")
_NOBODY = "00000000-0000-0000-0000-000000000000"  # the recorder's subscription: no id that is made up

# Headers that tell a client something; of all others there may be more or fewer.
_TELLING = ("azure-asyncoperation", "location", "retry-after", "x-ms-failure-cause", "content-type", "x-ms-ratelimit-")
_NEVER_MORE = ("azure-asyncoperation", "location", "x-ms-failure-cause", "content-type")


def form(text: str) -> str:
    """The text, with all that is new each time replaced by what kind of thing it is."""
    text = text.replace(_NOBODY, "<subscription>")
    for pattern, kind in _FORMS:
        text = pattern.sub(kind, text)
    return _TIME.sub(lambda found: f"<time of {_digits(found[2])}>", text)


def _digits(fraction: str | None) -> str:
    """.NET leaves out zeros at the end of a fraction."""
    if fraction is None:
        return "seconds"
    return "milliseconds" if len(fraction) <= 4 else "ticks"


def differences(recorded: Any, given: Any, path: str = "body") -> Iterator[str]:
    """Each is `path: what`. A path has the keys and the positions in lists."""
    if type(recorded) is not type(given):
        yield f"{path}: {type(recorded).__name__} on Azure, {type(given).__name__} here"
    elif isinstance(recorded, dict):
        yield from (f"{path}.{key}: missing here" for key in recorded.keys() - given.keys())
        yield from (f"{path}.{key}: not on Azure" for key in given.keys() - recorded.keys())
        for key in recorded.keys() & given.keys():
            yield from differences(recorded[key], given[key], f"{path}.{key}")
    elif isinstance(recorded, list):
        if len(recorded) != len(given):
            yield f"{path}: {len(recorded)} on Azure, {len(given)} here"
        for at, (one, other) in enumerate(zip(recorded, given, strict=False)):
            yield from differences(one, other, f"{path}.{at}")
    elif isinstance(recorded, str) and form(recorded) != form(given):
        yield f"{path}: {form(recorded)!r} on Azure, {form(given)!r} here"
    elif not isinstance(recorded, str) and recorded != given:
        yield f"{path}: {recorded!r} on Azure, {given!r} here"


def header_differences(recorded: Mapping[str, str], given: Mapping[str, str]) -> Iterator[str]:
    """None where the recording has no headers at all. What is left of a limit is compared by its form: it is a number."""
    if not recorded:
        return
    for name in sorted({name for name in recorded if name.startswith(_TELLING)}):
        here = given.get(name)
        if here is None:
            yield f"headers.{name}: missing here"
        elif name.startswith("x-ms-ratelimit-"):
            if not here.isdecimal():
                yield f"headers.{name}: {here!r} here"
        elif form(recorded[name]) != form(here):
            yield f"headers.{name}: {form(recorded[name])!r} on Azure, {form(here)!r} here"
    yield from (f"headers.{name}: not on Azure" for name in _NEVER_MORE if name in given and name not in recorded)
