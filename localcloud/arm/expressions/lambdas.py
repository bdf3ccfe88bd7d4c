"""Functions that take a `lambda('x', ...)`: filter, map, reduce, sort."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.parser import Call, Literal, Node
from localcloud.arm.expressions.values import ExpressionError, wrong_type

if TYPE_CHECKING:
    from localcloud.arm.expressions.evaluator import Evaluator

LAMBDAS = Catalog()
Local = Mapping[str, Any]


@LAMBDAS.lazy("lambdaVariables", "string")
def lambda_variable(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> Any:
    name = evaluator.node(arguments[0], local)
    if name not in local:
        raise ExpressionError(f"The template lambda variable '{name}' is not valid.")
    return local[name]


@LAMBDAS.lazy("lambda", "any", rest="any")
def misplaced(_evaluator: Evaluator, _arguments: Sequence[Node], _local: Local) -> Any:
    raise ExpressionError("The template language function 'lambda' is only valid as an argument of filter, map, reduce and sort.")


def _function(name: str, evaluator: Evaluator, node: Node, local: Local) -> Callable[..., Any]:
    if not (isinstance(node, Call) and node.name.lower() == "lambda" and node.arguments):
        raise ExpressionError(f"The template language function '{name}' expects its last parameter to be a lambda.")
    # The names are literals; the body is evaluated anew for every item.
    *declared, body = node.arguments
    names = [str(item.value) if isinstance(item, Literal) else "" for item in declared]

    def call(*values: Any) -> Any:
        # A lambda may declare fewer variables than it is offered (the index, for one).
        return evaluator.node(body, {**local, **dict(zip(names, values, strict=False))})

    return call


def _array(name: str, evaluator: Evaluator, node: Node, local: Local) -> list[Any]:
    value = evaluator.node(node, local)
    if not isinstance(value, list):
        raise wrong_type(name, "Array", value)
    return value


@LAMBDAS.lazy("map", "array", "any")
def apply_to_each(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> list[Any]:
    call = _function("map", evaluator, arguments[1], local)
    return [call(item, index) for index, item in enumerate(_array("map", evaluator, arguments[0], local))]


@LAMBDAS.lazy("filter", "array", "any")
def keep(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> list[Any]:
    call = _function("filter", evaluator, arguments[1], local)
    return [item for index, item in enumerate(_array("filter", evaluator, arguments[0], local)) if call(item, index) is True]


@LAMBDAS.lazy("sort", "array", "any")
def ordered(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> list[Any]:
    call = _function("sort", evaluator, arguments[1], local)

    def compare(left: Any, right: Any) -> int:
        return -1 if call(left, right) is True else int(call(right, left) is True)

    return sorted(_array("sort", evaluator, arguments[0], local), key=cmp_to_key(compare))


@LAMBDAS.lazy("reduce", "array", "any", "any")
def folded(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> Any:
    call = _function("reduce", evaluator, arguments[2], local)
    result = evaluator.node(arguments[1], local)
    for item in _array("reduce", evaluator, arguments[0], local):
        result = call(result, item)
    return result
