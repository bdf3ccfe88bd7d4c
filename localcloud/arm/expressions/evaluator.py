"""Evaluates expressions, and expands a JSON tree that has expressions in it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from localcloud.arm.expressions.builtins import BUILTINS
from localcloud.arm.expressions.catalog import Catalog, Function
from localcloud.arm.expressions.parser import Call, Literal, Node, parse
from localcloud.arm.expressions.values import ExpressionError, find_key, is_of, text

_parse = lru_cache(maxsize=1024)(parse)
_NOTHING: Mapping[str, Any] = {}


def is_expression(value: str) -> bool:
    """A string is an expression iff it starts with `[`, but not with `[[`, and ends with `]`."""
    return value.startswith("[") and value.endswith("]") and not value.startswith("[[")


class Evaluator:
    """Evaluates with the built-in functions and those of a scope (`parameters`, `resourceGroup`, ...)."""

    def __init__(self, scope: Catalog | None = None) -> None:
        self._functions: Mapping[str, Function] = ChainMap(scope if scope is not None else Catalog(), BUILTINS)

    def string(self, value: str) -> Any:
        """What a string of a template stands for: an expression's value, or itself."""
        if is_expression(value):
            return self.node(_parse(value[1:-1].strip()), _NOTHING)
        return value[1:] if value.startswith("[[") else value

    def expand(self, value: Any) -> Any:
        """The tree with its expressions replaced, keys too; a property that is null is left out, as ARM does."""
        if isinstance(value, str):
            return self.string(value)
        if isinstance(value, list):
            return [self.expand(item) for item in value]
        if isinstance(value, dict):
            pairs = ((text(self.string(key)), self.expand(item)) for key, item in value.items())
            return {key: item for key, item in pairs if item is not None}
        return value

    def node(self, node: Node, local: Mapping[str, Any]) -> Any:
        """The value of a tree; `local` are the variables of the lambdas around it."""
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Call):
            return self._call(node, local)
        return member(self.node(node.target, local), self.node(node.key, local))

    def _call(self, call: Call, local: Mapping[str, Any]) -> Any:
        function = self._functions.get(call.name.lower())
        if function is None:
            raise ExpressionError(
                f"The template function '{call.name}' is not valid. Please see https://aka.ms/arm-functions for usage details. "
                "(If Azure has a function of this name: the local cloud does not know it.)"
            )
        # Counted before anything is evaluated, as ARM does when it reads the template.
        function.check_count(len(call.arguments))
        if function.lazy:
            return function.body(self, call.arguments, local)
        return function.apply([self.node(argument, local) for argument in call.arguments])


def member(target: Any, key: Any) -> Any:
    """`target.key` and `target[key]`: a property of an object whatever its case, or an item of an array."""
    if isinstance(target, dict) and isinstance(key, str):
        name = find_key(target, key)
        if name is None:
            available = ", ".join(target)
            raise ExpressionError(
                f"The language expression property '{key}' doesn't exist, available properties are '{available}'. "
                "Please see https://aka.ms/arm-functions for usage details."
            )
        return target[name]
    if isinstance(target, list) and is_of(key, "int"):
        if not 0 <= key < len(target):
            raise ExpressionError(f"The language expression property array index '{key}' is out of bounds.")
        return target[key]
    raise ExpressionError(f"The language expression property '{key}' can't be evaluated.")
