"""Values from the command line, typed as the workflow declares them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from loadme.cli.errors import Trouble

# How to write a value of each type of JSON Schema; a string is taken as it stands.
EXAMPLES = {"number": "1.5", "integer": "3", "boolean": "true", "array": '["a","b"]', "object": '{"a":1}'}
TYPES: dict[str, tuple[type, ...]] = {
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def parse(pairs: Iterable[str], schema: Mapping[str, Any], read: Callable[[str], str]) -> dict[str, Any]:
    """`name=value` pairs as typed values; `read` gives the content of a file for `name=@file`. Every wrong pair is named.

    Unknown names are passed on as strings: the function app knows best what to say about them.
    """
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (equals and name):
            wrong.append(f"{pair!r} is not NAME=VALUE")
            continue
        if name in values:
            wrong.append(f"{name} is given twice: a variable has one value")
            continue
        values[name] = None  # so that a second one is told even when this one is wrong
        try:
            values[name] = typed(name, _content(name, text, read), schema.get("properties", {}).get(name, {"type": "string"}))
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise Trouble("\n  ".join(["these values cannot be used:", *wrong]))
    return values


def check_no_more(arguments: Sequence[str]) -> None:
    """Raises Trouble for arguments that no command line of `loadme start` has: most are variables without their -v."""
    if not arguments:
        return
    pairs = [one for one in arguments if "=" in one.lstrip("=")]
    advice = f"variables are given as {shlex.join(part for pair in pairs for part in ('-v', pair))}" if pairs else "see loadme start --help"
    raise Trouble(f"{', '.join(arguments)}: only one workflow is named here; {advice}")


def typed(name: str, text: str, declared: Mapping[str, Any]) -> Any:
    """The value that `text` stands for. A variable of no declared type takes JSON, and anything else as a string."""
    kind = declared.get("type")
    if kind == "string":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        if kind is None:
            return text
        raise ValueError(f"{name}: {_short(text)} is no {kind}: write it as JSON, like {name}='{EXAMPLES.get(kind, 'null')}'") from None
    if kind in TYPES and not _is(kind, value):
        raise ValueError(f"{name}: {_short(text)} is no {kind}: write it like {name}='{EXAMPLES[kind]}'")
    return value


def from_file(text: str, source: str) -> dict[str, Any]:
    """The variables of `--variables FILE`: one JSON object."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise Trouble(f'{source} is no JSON ({error}): it must be an object of variables, like {{"region": "westeurope"}}') from error
    if not isinstance(values, dict):
        raise Trouble(f'{source} must be a JSON object of variables, like {{"region": "westeurope"}}')
    return values


def _content(name: str, text: str, read: Callable[[str], str]) -> str:
    if text.startswith("@@"):
        return text[1:]
    if not text.startswith("@"):
        return text
    try:
        return read(text[1:])
    except OSError as error:
        hint = f"write -v {name}=@{text} for a value that begins with an @"
        raise ValueError(f"{name}: the file {text[1:]!r} cannot be read ({error.strerror}); {hint}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: the file {text[1:]!r} is not UTF-8 text") from error


def _is(kind: str, value: Any) -> bool:
    """Whether a value is of the type as JSON has it: true is no number."""
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind])


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
