"""Evaluates expressions, and expands a JSON tree that has expressions in it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from localcloud.arm.expressions.builtins import BUILTINS, MISPLACED
from localcloud.arm.expressions.catalog import Function
from localcloud.arm.expressions.evaluation import Evaluation
from localcloud.arm.expressions.loops import MAX_COPIES, Loops
from localcloud.arm.expressions.parser import Call, Literal, Node, parse
from localcloud.arm.expressions.values import ExpressionError, find_key, general_usage, is_of, text

_parse = lru_cache(maxsize=1024)(parse)
_NOTHING: Mapping[str, Any] = {}


def is_expression(value: str) -> bool:
    """A string is an expression iff it starts with `[`, but not with `[[`, and ends with `]`."""
    return value.startswith("[") and value.endswith("]") and not value.startswith("[[")


class Evaluator:
    """Evaluates with the built-in functions and those of a scope (`parameters`, `resourceGroup`, ...)."""

    def __init__(
        self, scope: Mapping[str, Function] | None = None, evaluation: Evaluation | None = None, loops: Loops | None = None
    ) -> None:
        self.evaluation = evaluation or Evaluation()
        self._loops = loops or Loops()
        self._functions: Mapping[str, Function] = {} if scope is None else scope

    def within(self, functions: Mapping[str, Function]) -> Evaluator:
        """An evaluator that also knows these functions; they hide others of the same name."""
        return Evaluator(_either(functions, self._functions), self.evaluation, self._loops)

    def looping(self, name: str, index: int, *, resource: bool = False) -> Evaluator:
        """An evaluator for one round of a copy loop. `copyIndex()` without a name means the loop of the resource."""
        loops = self._loops.with_round(name, index, resource=resource)
        return Evaluator(_either(loops.functions(), self._functions), self.evaluation, loops)

    def string(self, value: str) -> Any:
        """What a string of a template stands for: an expression's value, or itself."""
        if is_expression(value):
            return self._expression(value[1:-1].strip())
        # Documented: the doubled bracket is for what would be an expression otherwise.
        return value[1:] if value.startswith("[[") and value.endswith("]") else value

    def _expression(self, source: str) -> Any:
        """Its errors do not show values if it has used a secret."""
        self.evaluation.charge(1 + len(source) // 8)
        before, self.evaluation.secret = self.evaluation.secret, False
        try:
            return self.node(_parse(source), _NOTHING)
        except ExpressionError as error:
            raise error.judged(secret=self.evaluation.secret) from None
        except RecursionError:
            raise ExpressionError("The language expression is nested too deep.") from None
        finally:
            self.evaluation.secret |= before

    def expand(self, value: Any, *, keep_nulls: bool = False) -> Any:
        """The tree with its expressions replaced, keys too, and its `copy` loops unrolled.

        A property that is null is left out, as ARM does in resources; in variables, parameters and outputs nulls are kept.
        """
        outermost = self.evaluation.outermost
        result = self._expand(value, keep_nulls)
        if outermost:
            self.evaluation.weigh(result)
        return result

    def _expand(self, value: Any, keep_nulls: bool) -> Any:
        if isinstance(value, str):
            return self.string(value)
        if not isinstance(value, list | dict):
            return value
        self.evaluation.charge(len(value))
        self.evaluation.enter()
        try:
            if isinstance(value, list):
                return [self._expand(item, keep_nulls) for item in value]
            return {key: item for key, item in self._pairs(value, keep_nulls) if keep_nulls or item is not None}
        finally:
            self.evaluation.leave()

    def _pairs(self, value: Mapping[str, Any], keep_nulls: bool) -> Iterator[tuple[str, Any]]:
        for key, item in value.items():
            if key.lower() == "copy" and is_loop(item):
                for loop in item:
                    name = str(self.string(loop["name"]))
                    yield name, self.unroll(name, loop["count"], loop["input"], keep_nulls=keep_nulls)
            else:
                yield text(self.string(key)), self._expand(item, keep_nulls)

    def unroll(self, name: str, count: Any, source: Any, *, keep_nulls: bool = False) -> list[Any]:
        """The values of a loop over properties or variables."""
        rounds = self.copies(count)
        self.evaluation.charge(10 * rounds)  # each has an evaluator of its own
        return [self.looping(name, index).expand(source, keep_nulls=keep_nulls) for index in range(rounds)]

    def copies(self, count: Any) -> int:
        """How often a loop goes round."""
        rounds = self.expand(count)
        if not is_of(rounds, "int") or not 0 <= rounds <= MAX_COPIES:
            raise ExpressionError(
                "The copy count '{}' is not valid. The copy count must be a positive integer value and cannot exceed '{}'. "
                "Please see https://aka.ms/arm-copy for usage details.",
                text(rounds),
                MAX_COPIES,
            )
        return int(rounds)

    def node(self, node: Node, local: Mapping[str, Any]) -> Any:
        """The value of a tree; `local` are the variables of the lambdas around it."""
        if isinstance(node, Literal):
            return node.value
        self.evaluation.charge(1)
        self.evaluation.enter()
        try:
            if isinstance(node, Call):
                return self._call(node, local)
            return self.member(self.node(node.target, local), self.node(node.key, local))
        finally:
            self.evaluation.leave()

    def _call(self, call: Call, local: Mapping[str, Any]) -> Any:
        function, built_in = self._find(call.name)
        # Counted before anything is evaluated, as ARM does when it reads the template.
        function.check_count(len(call.arguments))
        if function.lazy:
            return function.body(self, call.arguments, local)
        values = [self.node(argument, local) for argument in call.arguments]
        # What the scope gives exists already; what is made here costs.
        return self._apply(function, values) if built_in else function.apply(values)

    def _apply(self, function: Function, values: list[Any]) -> Any:
        if function.walks:
            self.evaluation.weigh(values)
        else:
            self.evaluation.touch(values)
        result = function.apply(values)
        self.evaluation.weigh(result)
        return result

    def _find(self, name: str) -> tuple[Function, bool]:
        """The function, and whether it is one of the language's own."""
        key = name.lower()
        if function := self._functions.get(key):
            return function, False
        if function := BUILTINS.get(key):
            return function, True
        if key.startswith("list") and (family := self._functions.get("list*")):
            self.evaluation.secret = True  # keys, mostly
            return family.named(name), False
        if key in MISPLACED or key.startswith("list"):
            raise ExpressionError(f"The template function '{name}' is not expected at this location. {general_usage()}")
        raise ExpressionError(f"The template function '{name}' is not valid. {general_usage()}")

    def member(self, target: Any, key: Any) -> Any:
        """`target.key` and `target[key]`: a property of an object whatever its case, or an item of an array."""
        if isinstance(target, dict) and isinstance(key, str):
            return target[self._property(target, key)]
        if isinstance(target, list) and is_of(key, "int"):
            if not 0 <= key < len(target):
                raise ExpressionError("The language expression property array index '{}' is out of bounds.", key)
            return target[key]
        raise ExpressionError("The language expression property '{}' can't be evaluated.", text(key))

    def _property(self, target: dict[str, Any], key: str) -> str:
        if key not in target:
            self.evaluation.touch([target])
        name = find_key(target, key)
        if name is None:
            raise ExpressionError(
                "The language expression property '{}' doesn't exist, available properties are '{}'. " + general_usage(),
                key,
                ", ".join(target),
            )
        return name


def _either(first: Mapping[str, Function], then: Mapping[str, Function]) -> Mapping[str, Function]:
    # ChainMap only reads here, but is declared for maps that can be written.
    return ChainMap(cast("dict[str, Function]", first), cast("dict[str, Function]", then))


def is_loop(value: Any) -> bool:
    """Whether the value of a `copy` key is a loop over properties, and not data."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and {"name", "count", "input"} <= item.keys() for item in value)
    )


def calls(value: Any, *names: str) -> Iterator[Call]:
    """Every call of these functions, or of any, in a tree's expressions, evaluated or not; `list*` means all that begin with list."""
    wanted = {name.lower() for name in names}
    if isinstance(value, str) and is_expression(value):
        yield from (call for call in _walk(_parse(value[1:-1].strip())) if _is_called(call.name.lower(), wanted))
    elif isinstance(value, list):
        for item in value:
            yield from calls(item, *names)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from calls(key, *names)
            yield from calls(item, *names)


def _is_called(name: str, wanted: set[str]) -> bool:
    return not wanted or name in wanted or ("list*" in wanted and name.startswith("list"))


def _walk(node: Node) -> Iterator[Call]:
    if isinstance(node, Call):
        yield node
        for argument in node.arguments:
            yield from _walk(argument)
    elif not isinstance(node, Literal):
        yield from _walk(node.target)
        yield from _walk(node.key)
