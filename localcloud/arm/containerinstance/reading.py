"""Reading the JSON of a body as ACI does: what has the wrong form or an unknown key is refused, in its words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from localcloud.arm.errors import invalid_content, not_supported


def as_object(value: Any, path: str) -> Mapping[str, Any]:
    """The object; nothing counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_content(f"Error converting value to an object. Path '{path}', line 1, position 1.")
    return value


def as_list(value: Any, path: str) -> list[Any]:
    """The list; nothing counts as an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid_content(f"Error converting value to an array. Path '{path}', line 1, position 1.")
    return value


def need(given: Mapping[str, Any], key: str, path: str) -> str:
    """The text at a key that must be there."""
    if not given.get(key):
        raise invalid_content(f"Required property '{key}' not found in JSON. Path '{path}', line 1, position 1.")
    return str(given[key])


def whole_number(value: Any, path: str) -> int:
    """The number; text that is one will do."""
    try:
        return int(str(value))
    except ValueError:
        raise invalid_content(f"Could not convert string to integer: {value}. Path '{path}', line 1, position 1.") from None


def only(given: Mapping[str, Any], known: Iterable[str], unsupported: Iterable[str], kind: str, path: str) -> None:
    """Refuses keys that are not known, and those that the local cloud cannot do if they ask for something."""
    for key, value in given.items():
        if key in unsupported:
            if value not in (None, [], {}):
                raise not_supported(f"'{path}{key}' of a container group")
        elif key not in known:
            raise invalid_content(f"Could not find member '{key}' on object of type '{kind}'. Path '{path}{key}', line 1, position 1.")
