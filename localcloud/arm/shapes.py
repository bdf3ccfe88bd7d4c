"""What a body looks like without what it says: keys, and the types of values."""

from __future__ import annotations

from typing import Any

MOST = 200  # keys and elements of one body
DEEPEST = 12


def shape(body: Any) -> Any:
    """`{"location": "string", "tags": {"app": "string"}}`; None for no body. A large one is cut off, with `…` where."""
    return None if body is None else _shape(body, [MOST], DEEPEST)


def _shape(value: Any, left: list[int], depth: int) -> Any:
    if isinstance(value, (dict, list)) and depth == 0:
        return "…"
    if isinstance(value, dict):
        return {str(key): _shape(inner, left, depth - 1) for key, inner in value.items() if _take(left)}
    if isinstance(value, list):
        return [_shape(inner, left, depth - 1) for inner in value if _take(left)]
    return _kind(value)


def _take(left: list[int]) -> bool:
    left[0] -= 1
    return left[0] >= 0


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else "string"
