"""What a template function is, and a table to write some down in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from localcloud.arm.expressions.values import ExpressionError, general_usage, is_of, type_name, wrong_type, wrong_types

if TYPE_CHECKING:
    from localcloud.arm.expressions.evaluator import Evaluator
    from localcloud.arm.expressions.parser import Node

P = ParamSpec("P")
R = TypeVar("R")
Lazy = Callable[["Evaluator", "Sequence[Node]", Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Function:
    """A function by its ARM name.

    `kinds` are the types of the arguments in order (`string|array`), `rest` the type of any further ones, `optional` how many
    at the end of `kinds` may be missing. `expects` is what ARM says of an argument of another type, where that is known.
    A lazy function gets the trees of its arguments instead of their values. One that `walks` looks at all that is in its
    arguments, however deep, and costs accordingly.
    """

    name: str
    body: Callable[..., Any]
    kinds: tuple[str, ...] = ()
    optional: int = 0
    rest: str | None = None
    lazy: bool = False
    walks: bool = False
    expects: str = ""

    def named(self, name: str) -> Function:
        """One of a family (`list*`): its body gets the name it was called by first."""
        return replace(self, name=name, body=partial(self.body, name))

    def check_count(self, given: int) -> None:
        least, most = len(self.kinds) - self.optional, len(self.kinds)
        if given >= least and (self.rest is not None or given <= most):
            return
        if self.rest is not None and least == 1:
            raise ExpressionError(
                f"Unable to evaluate template language function '{self.name}'. At least one parameter should be provided. "
                "Please see https://aka.ms/arm-functions for usage details."
            )
        needed = f"at least {least}" if self.rest is not None else f"between {least} and {most}" if self.optional else str(least)
        raise ExpressionError(
            f"Unable to evaluate template language function '{self.name}': function requires {needed} argument(s) while {given} were "
            f"provided. Please see https://aka.ms/arm-resource-functions/#{self.name} for usage details."
        )

    def apply(self, values: Sequence[Any]) -> Any:
        for position, value in enumerate(values):
            if not is_of(value, self._kind(position)):
                raise self._refusal(position, values)
        return self.body(*values)

    def _kind(self, position: int) -> str:
        return self.kinds[position] if position < len(self.kinds) else self.rest or "any"

    def _refusal(self, position: int, values: Sequence[Any]) -> ExpressionError:
        if self.expects:
            return ExpressionError(
                f"The template {self.expects}. The provided value is of type '{type_name(values[position])}'. {general_usage(self.name)}"
            )
        if len(self.kinds) == len(values) == 2 and self.rest is None:
            return wrong_types(self.name, [kind.replace("|", " or ") for kind in self.kinds], values)
        names = [_NAMES[kind] for kind in self._kind(position).split("|")]
        return wrong_type(self.name, ", ".join(names), values[position])


_NAMES = {
    "string": "String",
    "int": "Integer",
    "float": "Float",
    "bool": "Boolean",
    "array": "Array",
    "object": "Object",
    "null": "Null",
    "any": "Any",
}


class Catalog(dict[str, Function]):
    """Functions by their lower-case names: calls are case-insensitive."""

    def function(
        self, name: str, *kinds: str, optional: int = 0, rest: str | None = None, walks: bool = False, expects: str = ""
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorate a function that takes values."""

        def add(body: Callable[P, R]) -> Callable[P, R]:
            self[name.lower()] = Function(name, body, kinds, optional, rest, walks=walks, expects=expects)
            return body

        return add

    def lazy(self, name: str, *kinds: str, optional: int = 0, rest: str | None = None) -> Callable[[Lazy], Lazy]:
        """Decorate a function that evaluates its arguments itself, only those it needs."""

        def add(body: Lazy) -> Lazy:
            self[name.lower()] = Function(name, body, kinds, optional, rest, lazy=True)
            return body

        return add
