"""The variables of a template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.arm.deployments import errors
from localcloud.arm.expressions import Evaluator, ExpressionError
from localcloud.arm.expressions.evaluator import is_loop
from localcloud.arm.expressions.values import find_key

_LEVELS = 4  # of evaluation that one variable takes


class Variables:
    """Evaluated when they are first used, once. A `copy` among them declares further ones."""

    def __init__(self, declared: Mapping[str, Any], evaluator: Evaluator) -> None:
        self._declared = {name: value for name, value in declared.items() if name.lower() != "copy"}
        loops = [value for name, value in declared.items() if name.lower() == "copy"]
        if not all(map(is_loop, loops)):
            raise errors.invalid_template(
                "The 'copy' of the template's variables must be an array of loops with a name, a count and an input"
            )
        self._loops = {str(loop["name"]): loop for given in loops for loop in given}
        self._evaluator = evaluator
        self._values: dict[str, tuple[Any, bool]] = {}
        self._pending: set[str] = set()

    def value(self, name: str) -> Any:
        key = find_key(self._declared, name) or find_key(self._loops, name)
        if key is None:
            raise ExpressionError(
                f"The template variable '{name}' is not found. Please see https://aka.ms/arm-syntax-variables for usage details."
            )
        if key not in self._values:
            self._values[key] = self._make(key)
        value, secret = self._values[key]
        self._evaluator.evaluation.secret |= secret
        return value

    def _make(self, key: str) -> tuple[Any, bool]:
        """The value, and whether it was made of a secret."""
        if key in self._pending:
            raise ExpressionError(f"The template variable '{key}' refers to itself.")
        evaluation = self._evaluator.evaluation
        evaluation.enter(_LEVELS)
        before, evaluation.secret = evaluation.secret, False
        self._pending.add(key)
        try:
            value = self._evaluate(key)
            evaluation.weigh(value)
            return value, evaluation.secret
        finally:
            evaluation.leave(_LEVELS)
            self._pending.discard(key)
            evaluation.secret |= before

    def _evaluate(self, key: str) -> Any:
        loop = self._loops.get(key)
        if loop is None:
            return self._evaluator.expand(self._declared[key], keep_nulls=True)
        return self._evaluator.unroll(key, loop["count"], loop["input"], keep_nulls=True)
