"""The ARM template expression language: `[concat('a', parameters('b'))]`."""

from localcloud.arm.expressions.catalog import Catalog, Function
from localcloud.arm.expressions.evaluator import Evaluator, is_expression
from localcloud.arm.expressions.values import ExpressionError

__all__ = ["Catalog", "Evaluator", "ExpressionError", "Function", "is_expression"]
