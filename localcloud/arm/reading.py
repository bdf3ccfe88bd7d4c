"""Reading the JSON of a body: what has the wrong type is refused, with the path where it stands."""

from __future__ import annotations

from typing import Any

from localcloud.arm.errors import ArmError, invalid_content


def as_object(value: Any, path: str) -> dict[str, Any]:
    """The object; nothing counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(path, "an object")
    return value


def as_list(value: Any, path: str) -> list[Any]:
    """The list; nothing counts as an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(path, "an array")
    return value


def as_objects(value: Any, path: str) -> list[dict[str, Any]]:
    """The list of objects; nothing counts as an empty one."""
    given = as_list(value, path)
    for at, one in enumerate(given):
        if not isinstance(one, dict):
            raise _wrong(f"{path}[{at}]", "an object")
    return given


def as_texts(value: Any, path: str) -> list[str]:
    """The list of texts; nothing counts as an empty one."""
    given = as_list(value, path)
    for at, one in enumerate(given):
        if not isinstance(one, str):
            raise _wrong(f"{path}[{at}]", "a string")
    return given


def as_text(value: Any, path: str) -> str:
    """The text; nothing counts as an empty one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(path, "a string")
    return value


def as_flag(value: Any, path: str) -> bool:
    """Whether it is on; nothing counts as off, and a text that says it as the boolean that it says."""
    spelled = {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else value
    if (spelled is None and value is not None) or not isinstance(spelled, bool | None):
        raise _wrong(path, "a boolean")
    return bool(spelled)


def as_whole(value: Any, path: str, usual: int) -> int:
    """The whole number, or the usual one for nothing."""
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(path, "an integer")
    return value


def need_text(given: dict[str, Any], key: str, path: str) -> str:
    """The text at a key that must be there; `path` is that of the object."""
    text = as_text(given.get(key), f"{path}.{key}")
    if not text:
        raise invalid_content(f"Required property '{key}' not found in JSON. Path '{path}', line 1, position 1.")
    return text


def _wrong(path: str, kind: str) -> ArmError:
    return invalid_content(f"Error converting value to {kind}. Path '{path}', line 1, position 1.")
