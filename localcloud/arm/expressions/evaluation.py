"""What the evaluators of one deployment share: its budget, how deep they are, and whether they have seen a secret."""

from __future__ import annotations

from localcloud.arm.expressions.values import ExpressionError

MAX_WORK = 3_000_000  # units of work of one deployment; ours: some seconds, and far above what a template of 4 MB needs
MAX_DEPTH = 100  # calls, variables and values within one another; ours: far under Python's own recursion limit


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

    def enter(self) -> None:
        """Goes one level deeper; `leave` undoes it, whatever has happened."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"The template's expressions are evaluated more than {MAX_DEPTH} levels deep.")

    def leave(self) -> None:
        self._depth -= 1
