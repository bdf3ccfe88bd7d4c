"""How the parameters of a function belong to its bindings: the rules by which the real worker accepts or refuses an app.

They are those of Microsoft's worker library, which the tests hold them against. One function that is refused takes the app with it.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azure.functions import meta

IN, OUT, INOUT = range(3)
RETURN = "$return"
GENERIC = "generic"
REGISTRY: Any = meta.get_binding_registry()  # type: ignore[no-untyped-call]


class Unbindable(Exception):
    """A function that the real worker would refuse as well; the message names it."""

    is_explained = True  # no traceback says more


@dataclass(frozen=True)
class Parameter:
    """What a parameter, or the return value, is bound to, and its annotation."""

    binding: str
    pytype: Any = None


@dataclass(frozen=True)
class Signature:
    """A function as its bindings see it; `returns` is None when it must not return anything."""

    inputs: Mapping[str, Parameter]
    outputs: Mapping[str, Parameter]
    returns: Parameter | None
    wants_context: bool
    is_async: bool


def signature(name: str, call: Callable[..., Any], bindings: Sequence[Any]) -> Signature:
    """The signature of a function with these bindings of the SDK; raises Unbindable."""
    annotations = typing.get_type_hints(call)
    parameters = set(inspect.signature(call).parameters)
    bound = {binding.name: binding for binding in bindings if binding.name != RETURN}
    for binding in bindings:
        _check_direction(name, binding)
    wants_context = "context" in parameters - set(bound)
    if wants_context:
        parameters.remove("context")
        _check_context(name, annotations)
    _check_names(name, parameters, set(bound))
    found = {parameter: _parameter(name, bound[parameter], annotations) for parameter in parameters}
    return Signature(
        inputs={parameter: found[parameter] for parameter in parameters if bound[parameter].direction != OUT},
        outputs={parameter: found[parameter] for parameter in parameters if bound[parameter].direction == OUT},
        returns=_returns(name, bindings, annotations),
        wants_context=wants_context,
        is_async=inspect.iscoroutinefunction(call),
    )


def _refuse(function: str, why: str) -> typing.NoReturn:
    raise Unbindable(f"cannot load the {function} function: {why}")


def _check_direction(function: str, binding: Any) -> None:
    if binding.direction == INOUT:
        _refuse(function, '"inout" bindings are not supported')
    if binding.name == RETURN and binding.direction != OUT:
        _refuse(function, '"$return" binding must have direction set to "out"')


def _check_context(function: str, annotations: Mapping[str, Any]) -> None:
    given = annotations.get("context")
    if "context" in annotations and (not isinstance(given, type) or given.__name__ != "Context"):
        _refuse(function, f'the "context" parameter is expected to be of type azure.functions.Context, got "{given!r}"')


def _check_names(function: str, parameters: set[str], bound: set[str]) -> None:
    if unbound := parameters - bound:
        _refuse(
            function,
            "the following parameters are declared in Python but not in the function definition "
            f"(function.json or function decorators):  {unbound!r}",
        )
    if missing := bound - parameters:
        _refuse(
            function,
            "Extra parameters in binding definition — the following parameters are declared as bindings "
            f"but are not present in Python: {missing!r}",
        )


def _parameter(function: str, binding: Any, annotations: Mapping[str, Any]) -> Parameter:
    if binding.name not in annotations:
        return Parameter(str(binding.type))
    annotation = annotations[binding.name]
    is_out = getattr(typing.get_origin(annotation) or annotation, "__name__", "") == "Out"
    pytype = _inner(function, binding.name, annotation) if is_out else annotation
    if not isinstance(pytype, type) and not is_generic(pytype):
        _refuse(function, f"binding {binding.name} has invalid non-type annotation {annotation!r}")
    _check_out(function, binding, is_out=is_out)
    kind = GENERIC if pytype in (str, bytes) and binding.type in KNOWN else str(binding.type)
    check = takes_output if is_out else takes_input
    if not check(kind, pytype):
        _refuse(
            function,
            f'binding type "{binding.name!r}" and dataType "{binding.type}" in the binding decorator do not match '
            f"the corresponding function parameter's Python type annotation {getattr(pytype, '__name__', pytype)}",
        )
    return Parameter(kind, pytype)


def _check_out(function: str, binding: Any, *, is_out: bool) -> None:
    if binding.direction == OUT and not is_out:
        _refuse(
            function,
            f'binding {binding.name} is declared to have the "out" direction, but its annotation in Python is not a subclass of '
            "azure.functions.Out",
        )
    if binding.direction != OUT and is_out:
        _refuse(
            function,
            f'binding {binding.name} is declared to have the "in" direction in the binding decorator, but its annotation is '
            "azure.functions.Out in Python",
        )


def _inner(function: str, name: str, annotation: Any) -> Any:
    inner = typing.get_args(annotation)
    if len(inner) != 1:
        _refuse(function, f"binding {name} has invalid Out annotation {annotation!r}")
    return inner[0]


def is_generic(annotation: Any) -> bool:
    """Whether the worker takes it for a generic type: `typing.List[str]` is one, `list[str]` (PEP 585) is not."""
    origin = typing.get_origin(annotation)
    if isinstance(annotation, (types.GenericAlias, types.UnionType)):
        return False
    return origin is not None and origin not in (typing.Union, tuple, typing.ClassVar)


def _returns(function: str, bindings: Sequence[Any], annotations: Mapping[str, Any]) -> Parameter | None:
    kind = next((str(binding.type) for binding in bindings if binding.name == RETURN), None)
    if kind is None:
        # A binding that the SDK has no converter for may give its output by `return`.
        implicit = next((str(binding.type) for binding in bindings if has_implicit_output(str(binding.type))), None)
        return Parameter(implicit, annotations.get("return")) if implicit else None
    annotation = annotations.get("return")
    if "return" not in annotations:
        return Parameter(kind)
    if getattr(typing.get_origin(annotation), "__name__", "") == "Out":
        _refuse(function, "return annotation should not be azure.functions.Out")
    if not isinstance(annotation, type):
        _refuse(function, f"has invalid non-type return annotation {annotation!r}")
    if not takes_output(kind, annotation):
        _refuse(function, f'Python return annotation "{annotation.__name__}" does not match binding type "{kind}"')
    return Parameter(kind, annotation)


class _Known:
    """The bindings that the SDK has a converter for."""

    def __contains__(self, kind: object) -> bool:
        return REGISTRY.get(kind) is not None


KNOWN = _Known()


def has_implicit_output(kind: str) -> bool:
    """Whether a binding of this kind takes what a function returns, without being its `$return`."""
    return kind not in KNOWN and kind != "durableClient"


def takes_input(kind: str, pytype: Any) -> bool:
    """Whether a parameter with this annotation can be bound to a trigger or an input of this kind."""
    converter = REGISTRY.get(kind)
    return bool(converter.check_input_type_annotation(pytype) if converter else issubclass(pytype, (str, bytes)))


def takes_output(kind: str, pytype: Any) -> bool:
    """Whether an output with this annotation can be bound to a binding of this kind."""
    converter = REGISTRY.get(kind)
    return bool(converter.check_output_type_annotation(pytype) if converter else issubclass(pytype, (str, bytes, bytearray)))
