"""What the evaluators of one deployment share: its budget, how deep they are, and whether they have seen a secret."""

from __future__ import annotations

from typing import Any

from localcloud.arm.expressions.values import ExpressionError

# The limits of the local cloud; Azure's are not known but for the 4 MB of an expanded template.
MAX_WORK = 2_000_000  # units of work of one deployment: some seconds, and far above what a template of 4 MB needs
MAX_DEPTH = 100  # calls, variables and values within one another: far under Python's own recursion limit
MAX_SIZE = 4 * 1024 * 1024  # characters of one value
_CHARACTERS = 32  # that cost as much as looking at one value


class Evaluation:
    """One a deployment, nested templates included: no template can hang the local cloud or take all its memory."""

    def __init__(self, work: int = MAX_WORK) -> None:
        self._left = work
        self._depth = 0
        self.secret = False  # whether what is being evaluated has used a secret

    def charge(self, units: int) -> None:
        self._left -= units
        if self._left < 0:
            raise ExpressionError("The template is too costly to evaluate: it goes beyond the limit of the local cloud.")

    def weigh(self, value: Any) -> None:
        """Charges for a value by all that is in it, and refuses one that is too big or too deep."""
        nodes, size = 0, 0
        left: list[tuple[Any, int]] = [(value, 0)]
        while left:
            item, depth = left.pop()
            nodes += 1
            size += 8 if not isinstance(item, str) else len(item) + 2
            check_size(size)
            if not isinstance(item, list | dict):
                continue
            if depth >= MAX_DEPTH:
                raise ExpressionError(f"A value of the template is more than {MAX_DEPTH} levels deep.")
            size += sum(map(len, item)) if isinstance(item, dict) else 0
            check_size(size + 8 * len(item))
            left.extend((inner, depth + 1) for inner in (item.values() if isinstance(item, dict) else item))
        self.charge(nodes + size // _CHARACTERS)

    def touch(self, values: list[Any]) -> None:
        """Charges for values by their lengths alone."""
        for value in values:
            if isinstance(value, str):
                self.charge(len(value) // _CHARACTERS)
            elif isinstance(value, list | dict):
                self.charge(len(value))

    @property
    def outermost(self) -> bool:
        return self._depth == 0

    def enter(self, levels: int = 1) -> None:
        """Goes deeper, or refuses; `leave` undoes it, whatever has happened since."""
        if self._depth + levels > MAX_DEPTH:
            raise ExpressionError(f"The template's expressions are evaluated more than {MAX_DEPTH} levels deep.")
        self._depth += levels

    def leave(self, levels: int = 1) -> None:
        self._depth -= levels


def check_size(size: int) -> None:
    """Functions whose result can be much longer than what they are given ask before they make it."""
    if size > MAX_SIZE:
        raise ExpressionError(f"A value of the template has more than {MAX_SIZE} characters.")
