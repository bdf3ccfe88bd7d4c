"""`copyIndex`: which round of which loop an expression is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.values import ExpressionError, is_of, wrong_type

MAX_COPIES = 800  # rounds of one loop; ARM's limit


@dataclass(frozen=True)
class Loops:
    """The rounds by the loops' lower-case names; `resource` is the loop that `copyIndex()` without a name means."""

    rounds: Mapping[str, int] = field(default_factory=dict)
    resource: str | None = None

    def with_round(self, name: str, index: int, *, resource: bool) -> Loops:
        return Loops({**self.rounds, name.lower(): index}, name.lower() if resource else self.resource)

    def functions(self) -> Catalog:
        catalog = Catalog()
        catalog.function("copyIndex", "string|int", "int", optional=2)(self._copy_index)
        return catalog

    def _copy_index(self, first: str | int | None = None, offset: int | None = None) -> int:
        """`copyIndex()`, `copyIndex(1)`, `copyIndex('name')` and `copyIndex('name', 1)`."""
        if is_of(first, "int") and offset is not None:
            raise wrong_type("copyIndex", "String", first)
        name = first.lower() if isinstance(first, str) else self.resource
        if name is None or name not in self.rounds:
            raise ExpressionError(
                "The template function 'copyIndex' is not expected at this location. The function can only be used in a resource with "
                "copy specified. Please see https://aka.ms/arm-copy for usage details."
            )
        return self.rounds[name] + (first if isinstance(first, int) else offset or 0)
