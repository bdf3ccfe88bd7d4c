"""What a template function is, and a table to write some down in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from localcloud.arm.expressions.values import ExpressionError, is_of, usage, wrong_type

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
    at the end of `kinds` may be missing. A lazy function gets the trees of its arguments instead of their values.
    """

    name: str
    body: Callable[..., Any]
    kinds: tuple[str, ...] = ()
    optional: int = 0
    rest: str | None = None
    lazy: bool = False

    def named(self, name: str) -> Function:
        """One of a family (`list*`): its body gets the name it was called by first."""
        return replace(self, name=name, body=partial(self.body, name))

    def check_count(self, given: int) -> None:
        least, most = len(self.kinds) - self.optional, len(self.kinds)
        if given < least or (self.rest is None and given > most):
            raise ExpressionError(
                f"Unable to evaluate template language function '{self.name}': "
                f"function requires {least} argument(s) while {given} were provided. {usage(self.name)}"
            )

    def apply(self, values: Sequence[Any]) -> Any:
        for position, value in enumerate(values):
            kinds = self.kinds[position] if position < len(self.kinds) else self.rest or "any"
            if not is_of(value, kinds):
                raise wrong_type(self.name, kinds, value)
        return self.body(*values)


class Catalog(dict[str, Function]):
    """Functions by their lower-case names: calls are case-insensitive."""

    def function(self, name: str, *kinds: str, optional: int = 0, rest: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorate a function that takes values."""

        def add(body: Callable[P, R]) -> Callable[P, R]:
            self[name.lower()] = Function(name, body, kinds, optional, rest)
            return body

        return add

    def lazy(self, name: str, *kinds: str, optional: int = 0, rest: str | None = None) -> Callable[[Lazy], Lazy]:
        """Decorate a function that evaluates its arguments itself, only those it needs."""

        def add(body: Lazy) -> Lazy:
            self[name.lower()] = Function(name, body, kinds, optional, rest, lazy=True)
            return body

        return add
