"""Access that does not fail (`tryGet`) or counts from the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.values import ExpressionError, find_key, is_of, wrong_type

if TYPE_CHECKING:
    from localcloud.arm.expressions.evaluator import Evaluator
    from localcloud.arm.expressions.parser import Node

ACCESS = Catalog()


@ACCESS.lazy("tryGet", "any", "any", rest="any")
def try_get(evaluator: Evaluator, arguments: Sequence[Node], local: Mapping[str, Any]) -> Any:
    """Null where a key or an index is not there; further keys are evaluated only as long as there is something."""
    value = evaluator.node(arguments[0], local)
    for argument in arguments[1:]:
        if value is None:
            return None
        value = _member(value, evaluator.node(argument, local))
    return value


def _member(value: Any, key: Any) -> Any:
    if isinstance(value, dict) and isinstance(key, str):
        name = find_key(value, key)
        return None if name is None else value[name]
    if isinstance(value, list) and isinstance(key, dict) and is_of(key.get("value"), "int"):
        # As Bicep writes a safe index that may count from the end.
        return _item(value, key["value"], from_end=key.get("fromEnd") is True)
    if isinstance(value, list) and is_of(key, "int"):
        return _item(value, key, from_end=False)
    raise wrong_type("tryGet", "String" if isinstance(value, dict) else "Integer", key)


def _item(value: list[Any], index: int, *, from_end: bool) -> Any:
    at = len(value) - index if from_end else index
    return value[at] if 0 <= at < len(value) else None


@ACCESS.function("indexFromEnd", "array", "int")
def index_from_end(value: list[Any], index: int) -> Any:
    """The last item has the index 1."""
    if not 1 <= index <= len(value):
        raise ExpressionError("The language expression property array index '{}' is out of bounds.", index)
    return value[-index]


@ACCESS.function("tryIndexFromEnd", "array|null", "int")
def try_index_from_end(value: list[Any] | None, index: int) -> Any:
    return _item(value or [], index, from_end=True)
