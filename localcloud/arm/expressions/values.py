"""JSON values as the expression language sees them: their types, their equality, their text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


class ExpressionError(Exception):
    """An expression that cannot be parsed or evaluated; the message is ARM's own where one is known.

    `values` fill the `{}` of the message. They come from what was evaluated, and can be left out where that holds a secret.
    """

    def __init__(self, message: str, *values: object) -> None:
        super().__init__(message.format(*values) if values else message)
        self._message = message
        self._values = values

    def hidden(self) -> ExpressionError:
        """The same without the values."""
        return ExpressionError(self._message, *("(hidden)" for _ in self._values))


def usage(name: str) -> str:
    """The end of many of ARM's messages."""
    return f"Please see https://aka.ms/arm-function-{name.lower()} for usage details."


def not_valid(name: str, reason: str) -> ExpressionError:
    return ExpressionError(f"The template language function '{name}' was invoked with a parameter that is not valid. {reason}")


def wrong_type(name: str, expected: str, value: Any) -> ExpressionError:
    return ExpressionError(
        f"The template language function '{name}' expects its parameter to be of type '{expected}'. "
        f"The provided value is of type '{type_name(value)}'. {usage(name)}"
    )


# bool is tested before int everywhere: in Python True is an int, in JSON it is not.
_IS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "bool": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
    "any": lambda _value: True,
}

_NAMES = {bool: "Boolean", str: "String", int: "Integer", float: "Float", list: "Array", dict: "Object", type(None): "Null"}


def is_of(value: Any, kinds: str) -> bool:
    """Whether the value is of one of the kinds, written `string|array`."""
    return any(_IS[kind](value) for kind in kinds.split("|"))


def type_name(value: Any) -> str:
    """ARM's name for the value's type: `Integer`, `Object`, ..."""
    return _NAMES.get(type(value), "Object")


def compact(value: Any) -> str:
    """Minified JSON, as `string()` gives it for arrays and objects."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def text(value: Any) -> str:
    """The value as `string()` and `concat()` print it: booleans as .NET does, null as nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    return compact(value)


def same(left: Any, right: Any) -> bool:
    """Deep equality that keeps 1 and true apart."""
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


def holds(items: list[Any], wanted: Any) -> bool:
    """Whether an array has the value among its items."""
    return any(same(item, wanted) for item in items)


def find_key(table: dict[str, Any], key: str) -> str | None:
    """The object's own spelling of a key: names in templates are case-insensitive."""
    if key in table:
        return key
    return next((name for name in table if name.lower() == key.lower()), None)
