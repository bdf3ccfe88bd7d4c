"""What a deployment will do: the resources in their places, with what each needs; bodies are made when their turn comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.arm.deployments.targets import KIND
from localcloud.arm.expressions import Function

Functions = Mapping[str, Function]
"""`reference` and its like, as they are just then."""


@dataclass(frozen=True, kw_only=True)
class PlannedResource:
    """One PUT. `needs` are the ids of the planned resources that come first.

    `body` is what is known beforehand: expressions that wait for other resources stand in it as they are, and then it is `late`.
    `make` gives the final one. `symbol`, `index` and `loop` are how the template names it. An `existing` one is only read;
    one whose condition is false (`wanted`) is not touched.
    """

    id: str
    kind: str
    name: str
    version: str
    body: Mapping[str, Any]
    make: Callable[[Functions], Mapping[str, Any]]
    late: bool = False
    wanted: bool = True
    existing: bool = False
    symbol: str = ""
    loop: str = ""
    index: int | None = None
    needs: frozenset[str] = field(default_factory=frozenset)

    @property
    def nested(self) -> bool:
        return self.kind.lower() == KIND.lower()

    @property
    def scope(self) -> str:
        """The id without the type and the name."""
        return self.id[: self.id.lower().rindex("/providers/")] if "/providers/" in self.id.lower() else self.id
