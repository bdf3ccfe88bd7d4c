"""Functions that take a `lambda('x', ...)`: filter, map, mapValues, reduce, sort, toObject, groupBy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.parser import Call, Literal, Node
from localcloud.arm.expressions.values import ExpressionError, general_usage, is_of, type_name, wrong_type

if TYPE_CHECKING:
    from localcloud.arm.expressions.evaluator import Evaluator

LAMBDAS = Catalog()
Local = Mapping[str, Any]


@LAMBDAS.lazy("lambdaVariables", "string")
def lambda_variable(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> Any:
    name = str(evaluator.node(arguments[0], local))
    if name.lower() not in local:
        raise ExpressionError(f"The template lambda variable '{name}' is not found. {general_usage('lambdaVariables')}")
    return local[name.lower()]


@LAMBDAS.lazy("lambda", "any", rest="any")
def misplaced(_evaluator: Evaluator, _arguments: Sequence[Node], _local: Local) -> Any:
    raise ExpressionError(f"The template function 'lambda' is not expected at this location. {general_usage()}")


class _Use:
    """One call of such a function. What it makes is charged for when it is done."""

    def __init__(self, name: str, evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> None:
        self._name = name
        self._evaluator = evaluator
        self._arguments = arguments
        self._local = local

    def function(self, position: int, offered: int) -> Callable[..., Any]:
        """The lambda. It may declare fewer variables than it is offered (the index, for one); its body is evaluated for every item."""
        node = self._arguments[position]
        if not (isinstance(node, Call) and node.name.lower() == "lambda" and node.arguments):
            raise ExpressionError(
                f"The template language function '{self._name}' expects parameter number {position + 1} to be a lambda. {general_usage()}"
            )
        *declared, body = node.arguments
        if len(declared) > offered or not all(isinstance(item, Literal) and isinstance(item.value, str) for item in declared):
            raise ExpressionError(
                f"The lambda of the template language function '{self._name}' must have at most {offered} variables, given as strings, "
                f"and one expression. {general_usage()}"
            )
        names = [str(item.value).lower() for item in declared if isinstance(item, Literal)]

        def call(*values: Any) -> Any:
            return self._evaluator.node(body, {**self._local, **dict(zip(names, values, strict=False))})

        return call

    def value(self, position: int, kind: str) -> Any:
        value = self._evaluator.node(self._arguments[position], self._local)
        if not is_of(value, kind):
            raise wrong_type(self._name, kind.capitalize(), value)
        self._evaluator.evaluation.touch([value])
        return value

    def made(self, result: Any) -> Any:
        self._evaluator.evaluation.weigh(result)
        return result

    def truth(self, value: Any) -> bool:
        return bool(self._expect(value, bool, "Boolean"))

    def key(self, value: Any) -> str:
        return str(self._expect(value, str, "String"))

    def _expect(self, value: Any, kind: type, name: str) -> Any:
        if not isinstance(value, kind):
            raise ExpressionError(
                f"The lambda of the template language function '{self._name}' must give a value of type '{name}'. "
                f"It gave one of type '{type_name(value)}'. {general_usage()}"
            )
        return value


@LAMBDAS.lazy("map", "array", "any")
def apply_to_each(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> Any:
    use = _Use("map", evaluator, arguments, local)
    call = use.function(1, 2)
    return use.made([call(item, index) for index, item in enumerate(use.value(0, "array"))])


@LAMBDAS.lazy("mapValues", "object", "any")
def apply_to_values(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> Any:
    use = _Use("mapValues", evaluator, arguments, local)
    call = use.function(1, 1)
    return use.made({key: call(item) for key, item in use.value(0, "object").items()})


@LAMBDAS.lazy("filter", "array", "any")
def keep(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> Any:
    use = _Use("filter", evaluator, arguments, local)
    call = use.function(1, 2)
    return use.made([item for index, item in enumerate(use.value(0, "array")) if use.truth(call(item, index))])


@LAMBDAS.lazy("sort", "array", "any")
def ordered(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> Any:
    use = _Use("sort", evaluator, arguments, local)
    call = use.function(1, 2)

    def compare(left: Any, right: Any) -> int:
        return -1 if use.truth(call(left, right)) else int(use.truth(call(right, left)))

    return use.made(sorted(use.value(0, "array"), key=cmp_to_key(compare)))


@LAMBDAS.lazy("reduce", "array", "any", "any")
def folded(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> Any:
    use = _Use("reduce", evaluator, arguments, local)
    call = use.function(2, 3)
    result = use.value(1, "any")
    for index, item in enumerate(use.value(0, "array")):
        result = call(result, item, index)
    return result


@LAMBDAS.lazy("toObject", "array", "any", "any", optional=1)
def to_object(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> Any:
    use = _Use("toObject", evaluator, arguments, local)
    return use.made(dict(_keyed(use, len(arguments))))


@LAMBDAS.lazy("groupBy", "array", "any", "any", optional=1)
def grouped(evaluator: Evaluator, arguments: Sequence[Node], local: Local) -> Any:
    use = _Use("groupBy", evaluator, arguments, local)
    groups: dict[str, list[Any]] = {}
    for key, value in _keyed(use, len(arguments)):
        groups.setdefault(key, []).append(value)
    return use.made(groups)


def _keyed(use: _Use, given: int) -> list[tuple[str, Any]]:
    """Each item's key and value: the item itself without a third argument."""
    key = use.function(1, 1)
    value = use.function(2, 1) if given > 2 else None
    return [(use.key(key(item)), value(item) if value else item) for item in use.value(0, "array")]
