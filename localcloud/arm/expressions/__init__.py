"""The ARM template expression language: `[concat('a', parameters('b'))]`."""

from localcloud.arm.expressions.catalog import Catalog, Function
from localcloud.arm.expressions.evaluation import Evaluation
from localcloud.arm.expressions.evaluator import Evaluator, calls, is_expression
from localcloud.arm.expressions.parser import Call
from localcloud.arm.expressions.values import ExpressionError

__all__ = ["Call", "Catalog", "Evaluation", "Evaluator", "ExpressionError", "Function", "calls", "is_expression"]
