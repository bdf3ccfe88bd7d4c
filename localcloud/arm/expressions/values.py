"""JSON values as the expression language sees them: their types, their equality, their text."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal
from typing import Any

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class ExpressionError(Exception):
    """An expression that cannot be parsed or evaluated; the message is ARM's own where one is known.

    `values` fill the `{}` of the message. They come from what was evaluated, and can be left out where that holds a secret.
    """

    def __init__(self, message: str, *values: object) -> None:
        super().__init__(message.format(*values) if values else message)
        self._message = message
        self._values = values
        self.settled = False

    def judged(self, *, secret: bool) -> ExpressionError:
        """As the expression that it comes from may show it. Those around it, that may have used other secrets, change nothing in it."""
        if self.settled:
            return self
        error = self.hidden() if secret else self
        error.settled = True
        return error

    def hidden(self) -> ExpressionError:
        """The same without the values."""
        return ExpressionError(self._message, *("(hidden)" for _ in self._values))


def usage(name: str) -> str:
    """The end of many of ARM's messages."""
    return f"Please see https://aka.ms/arm-function-{name.lower()} for usage details."


def general_usage(name: str = "") -> str:
    """The end of the others."""
    return f"Please see https://aka.ms/arm-functions{name and '#' + name} for usage details."


def not_valid(name: str, reason: str) -> ExpressionError:
    return ExpressionError(f"The template language function '{name}' was invoked with a parameter that is not valid. {reason}")


def wrong_type(name: str, expected: str, value: Any) -> ExpressionError:
    """The words are recorded for one parameter of one type (`base64`); the page named at the end was another then."""
    return ExpressionError(
        f"The template language function '{name}' expects its parameter to be of type '{expected}'. "
        f"The provided value is of type '{type_name(value)}'. {general_usage(name)}"
    )


def wrong_types(name: str, expected: Sequence[str], values: Sequence[Any]) -> ExpressionError:
    """Recorded for `endsWith` and `indexOf`."""
    given = " and ".join(f"'{type_name(value)}'" for value in values)
    return ExpressionError(
        f"The template language function '{name}' expects its parameters to be of type {' and '.join(expected)}. "
        f"The provided value is of type {given}. {general_usage(name)}"
    )


# bool is tested before int everywhere: in Python True is an int, in JSON it is not.
_IS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, float),
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
    return decimal(value) if isinstance(value, float) else compact(value)


def decimal(value: float) -> str:
    """As .NET prints a double: `1.5`, `3`, `1E+15`, `1E-05`."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    point = len(digits) + int(exponent) - 1  # of the scientific notation
    if -5 < point < 15:
        plain = f"{Decimal(repr(value)).normalize():f}"
        return "0" if plain == "-0" else plain
    shown = "".join(map(str, digits))
    fraction = f".{shown[1:]}" if shown[1:] else ""
    return f"{'-' * sign}{shown[0]}{fraction}E{point:+03d}"


def utf8(value: str) -> bytes:
    """As .NET encodes: half of a surrogate pair becomes the replacement character."""
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def units(value: str) -> str:
    """The string with a character for each of .NET's, which has two for one beyond the 16 bits; `whole` undoes it."""
    if value.isascii() or max(value) < "\U00010000":
        return value
    data = value.encode("utf-16-le", "surrogatepass")
    return "".join(chr(data[at] | data[at + 1] << 8) for at in range(0, len(data), 2))


def whole(value: str) -> str:
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def same(left: Any, right: Any) -> bool:
    """Deep equality that keeps 1, 1.0 and true apart."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


def key_of(value: Any) -> Hashable:
    """Equal for values that are the `same`, and only for those."""
    if isinstance(value, list):
        return ("array", *map(key_of, value))
    if isinstance(value, dict):
        return ("object", frozenset((name, key_of(item)) for name, item in value.items()))
    return (type(value), value)


def holds(items: list[Any], wanted: Any) -> bool:
    """Whether an array has the value among its items."""
    return any(same(item, wanted) for item in items)


def find_key(table: dict[str, Any], key: str) -> str | None:
    """The object's own spelling of a key: names in templates are case-insensitive."""
    if key in table:
        return key
    lower = key.lower()
    return next((name for name in table if name.lower() == lower), None)
