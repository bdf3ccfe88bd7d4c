"""JSON values and the types that variables and outputs are declared with."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from loadme.definitions.definition import OutputType, VariableType

MOST_BYTES = 1_000_000  # all variables of a run together, as JSON
DEEPEST = 20  # lists and objects inside each other
_INT64 = 2**63
MOST_SECRET_BYTES = 25_600  # Key Vault has no room for more

_ARTICLE = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "secret": "text of 1 to 25,600 bytes",
}
_PYTHON: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "secret": (str,),
}
_INTEGER = re.compile(r"[-+]?\d{1,20}", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)


def conforms(declared: OutputType | None, value: Any) -> str | None:
    """What is wrong with the value for this type, or None. Without a type, any JSON value that a container can be given will do."""
    if declared == "secret" and not _is(declared, value):
        return f"must be {_ARTICLE[declared]}"  # and never a word of what it is
    if declared and not _is(declared, value):
        return f"must be {_ARTICLE[declared]}, not {shown(value)}"
    return _flaw(value, DEEPEST)


def parse_as(declared: OutputType | None, text: str) -> Any:
    """The value that a piece of text stands for, as in a query or a `name=value` line; a ValueError says what it should be."""
    if declared in (None, "string", "secret"):
        return text
    value = _parsed(declared, text.strip())
    if (flaw := conforms(declared, value)) is not None:
        raise ValueError(flaw)
    return normal(declared, value)


def normal(declared: OutputType | None, value: Any) -> Any:
    """The value in its type's own form: 3.0 is the integer 3, and 3 is the number 3.0 (CEL does not mix the two)."""
    if declared == "integer" and isinstance(value, float):
        return int(value)
    if declared == "number" and isinstance(value, int) and float(value) == value:
        return float(value)
    return value


def type_of(value: Any) -> VariableType | None:
    """The type that a value shows by itself; None for null."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    for name in ("string", "number", "array", "object"):
        if isinstance(value, _PYTHON[name]):
            return name
    return None


def compact(value: Any) -> str:
    """The value as JSON without spaces."""
    return msgspec.json.encode(value).decode()


def size(value: Any) -> int:
    """The bytes that the value has as JSON."""
    return len(msgspec.json.encode(value))


def shown(value: Any) -> str:
    """The value as an error message quotes it: short, on one line."""
    if value is None:
        return "null"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int) and abs(value) >= 2**70:  # Python does not even print an integer of thousands of digits
        return "a huge number"
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 40 else f"{text[:37]}..."


def _is(declared: OutputType, value: Any) -> bool:
    if isinstance(value, bool):
        return declared == "boolean"
    if declared == "integer" and isinstance(value, float):
        return value.is_integer()
    if declared == "secret":
        return isinstance(value, str) and 0 < len(value.encode(errors="replace")) <= MOST_SECRET_BYTES
    return isinstance(value, _PYTHON[declared])


def _parsed(declared: OutputType, text: str) -> Any:
    if declared == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if declared == "number" and _NUMBER.fullmatch(text):
        return float(text)
    if declared == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if declared in ("array", "object"):
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise ValueError(f"must be {_ARTICLE[declared]} in JSON, not {shown(text)}") from None
    return text


def _flaw(value: Any, depth: int) -> str | None:
    found = _found(value, depth)
    return None if found is None else f"{found[1]}, at {found[0].removeprefix('.')}" if found[0] else found[1]


def _found(value: Any, depth: int) -> tuple[str, str] | None:
    """Where in the value something is wrong, and what."""
    if not isinstance(value, (list, tuple, dict)):
        flaw = _flaw_of_one(value)
        return None if flaw is None else ("", flaw)
    if depth <= 0:
        return "", f"is nested more than {DEEPEST} levels deep"
    if isinstance(value, dict):
        if (flaw := next((flaw for key in value if (flaw := _flaw_of_key(key))), None)) is not None:
            return "", flaw
        parts = ((f".{key[:40]}", part) for key, part in value.items())
    else:
        parts = ((f"[{index}]", part) for index, part in enumerate(value))
    return next(((where + found[0], found[1]) for where, part in parts if (found := _found(part, depth - 1))), None)


def _flaw_of_key(key: Any) -> str | None:
    return _flaw_of_text(key) if isinstance(key, str) else "has a key that is not a string"


def _flaw_of_one(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return _flaw_of_text(value)
    if isinstance(value, int):
        return None if -_INT64 <= value < _INT64 else f"{shown(value)} does not fit into 64 bits"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value} is not a finite number"
    return f"is not JSON: {type(value).__name__}"


def _flaw_of_text(text: str) -> str | None:
    if "\x00" in text:
        return "has a NUL character in it, which no environment variable can hold"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "has half a surrogate pair in it, which is not valid Unicode"
    return None
