"""Conditions and comparisons. `if`, `and`, `or` and `coalesce` evaluate only what they need."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.values import ExpressionError, general_usage, not_valid, same, type_name, wrong_type

if TYPE_CHECKING:
    from localcloud.arm.expressions.evaluator import Evaluator
    from localcloud.arm.expressions.parser import Node

LOGIC = Catalog()
LOGIC.function("true")(lambda: True)
LOGIC.function("false")(lambda: False)
LOGIC.function("null")(lambda: None)
LOGIC.function("not", "bool")(operator.not_)
LOGIC.function("equals", "any", "any", walks=True)(same)


def _condition(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(name, "Boolean", value)
    return value


@LOGIC.lazy("if", "bool", "any", "any")
def choose(evaluator: Evaluator, arguments: Sequence[Node], local: Mapping[str, Any]) -> Any:
    condition, then, otherwise = arguments
    value = evaluator.node(condition, local)
    if not isinstance(value, bool):
        # The words are those of Logic Apps, which share the language.
        raise ExpressionError(
            "The template language function 'if' expects its first parameter to be of type boolean. "
            f"The provided value is of type '{type_name(value)}'. {general_usage('if')}"
        )
    return evaluator.node(then if value else otherwise, local)


@LOGIC.lazy("and", "bool", "bool", rest="bool")
def every(evaluator: Evaluator, arguments: Sequence[Node], local: Mapping[str, Any]) -> bool:
    return all(_condition("and", evaluator.node(argument, local)) for argument in arguments)


@LOGIC.lazy("or", "bool", "bool", rest="bool")
def some(evaluator: Evaluator, arguments: Sequence[Node], local: Mapping[str, Any]) -> bool:
    return any(_condition("or", evaluator.node(argument, local)) for argument in arguments)


@LOGIC.lazy("coalesce", "any", rest="any")
def coalesce(evaluator: Evaluator, arguments: Sequence[Node], local: Mapping[str, Any]) -> Any:
    values = (evaluator.node(argument, local) for argument in arguments)
    return next((value for value in values if value is not None), None)


def _comparison(name: str, compare: Callable[[Any, Any], bool]) -> None:
    @LOGIC.function(name, "int|string|float", "int|string|float")
    def compared(left: Any, right: Any) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return compare(_collated(left), _collated(right))
        if isinstance(left, str) or isinstance(right, str):
            # The words are those of Logic Apps, which share the language.
            raise ExpressionError(
                f"The template language function '{name}' expects two parameters of matching types. The function was invoked with values "
                f"of type '{type_name(left)}' and '{type_name(right)}' that do not match."
            )
        return compare(left, right)


def _collated(value: str) -> tuple[str, str]:
    """Documented: A is greater than a. As .NET sorts: by letters first, whatever their case, then lower case before upper."""
    return value.lower(), value.swapcase()


_comparison("less", operator.lt)
_comparison("lessOrEquals", operator.le)
_comparison("greater", operator.gt)
_comparison("greaterOrEquals", operator.ge)


@LOGIC.function("fail", "string")
def fail(message: str) -> Any:
    """Documented: the deployment fails with this message."""
    raise ExpressionError("{}", message)


@LOGIC.function("bool", "string|int|bool")
def boolean(value: str | int | bool) -> bool:
    if isinstance(value, int):
        return bool(value)
    if value.lower() in {"true", "1"}:
        return True
    if value.lower() in {"false", "0"}:
        return False
    raise not_valid("bool", "The value cannot be converted to the target type.")
