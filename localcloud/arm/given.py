"""What the side door is given, checked by kind and range: every error names the key."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from localcloud.clock import LONGEST

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t -~]*")


def word(name: str, value: Any, of: Collection[str] = ()) -> None:
    """A text, one `of` these if there are any; "" is none of them, and always right. Raises ValueError."""
    if not isinstance(value, str):
        raise _wrong(name, "a text", value)
    if of and value and value not in of:
        raise ValueError(f"{name} is one of {', '.join(of)}, not {value}")


def flag(name: str, value: Any) -> None:
    """True or false. Raises ValueError."""
    if not isinstance(value, bool):
        raise _wrong(name, "true or false", value)


def whole(name: str, value: Any, least: int | None = None, most: int | None = None) -> None:
    """A whole number that is not below `least` or above `most`. Raises ValueError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(name, "a whole number", value)
    if (least is not None and value < least) or (most is not None and value > most):
        span = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise ValueError(f"{name} is a whole number {span}, not {value}")


def seconds(name: str, value: Any) -> None:
    """How long something takes: no time for ever. Raises ValueError."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= LONGEST:
        raise ValueError(f"{name} is a number of seconds from 0 to {LONGEST:.0f}, not {value!r}")


def share(name: str, value: Any) -> None:
    """A probability. Raises ValueError."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"{name} is a number from 0 to 1, not {value!r}")


def header_fields(name: str, value: Any) -> None:
    """Headers that can be sent. Raises ValueError."""
    if not isinstance(value, Mapping):
        raise _wrong(name, "an object of texts", value)
    for key, text in value.items():
        if not isinstance(key, str) or not _HEADER_NAME.fullmatch(key):
            raise ValueError(f"{name} has {key!r}, which is no header's name")
        if not isinstance(text, str) or not _HEADER_VALUE.fullmatch(text):
            raise ValueError(f"{name} has {key}: {text!r}, which is no header's value: give a text of ASCII characters")


def _wrong(name: str, wanted: str, value: Any) -> ValueError:
    return ValueError(f"{name} is {wanted}, not {value!r}")


KINDS: Mapping[str, Callable[[str, Any], None]] = {
    "str": word,
    "bool": flag,
    "int": whole,
    "int | None": lambda name, value: None if value is None else whole(name, value),
    "float": seconds,
    "dict[str, str]": header_fields,
}
"""By the annotation of a dataclass's field."""
