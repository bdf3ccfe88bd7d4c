"""Importing the app and finding its functions, with the checks that the real worker makes before it accepts them."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import azure.functions as func

from .protocol import FunctionInfo

SUPPORTED = frozenset({"httpTrigger", "http", "queueTrigger", "timerTrigger"})


class Unbindable(Exception):
    """A function that the real worker would refuse as well, or that this host cannot run; the message names it."""


@dataclass(frozen=True)
class UserFunction:
    """A function of the app: its trigger's parameter, and whether it wants a `context`."""

    name: str
    call: Callable[..., Any]
    parameter: str
    wants_context: bool
    is_async: bool
    is_http: bool


def index() -> tuple[dict[str, UserFunction], list[FunctionInfo]]:
    """Import `function_app` (the app's folder must be first on sys.path) and describe its functions."""
    module = importlib.import_module("function_app")
    apps = [value for value in vars(module).values() if isinstance(value, func.FunctionApp)]
    if len(apps) != 1:
        raise Unbindable(f"function_app.py must have exactly one FunctionApp at its top level, it has {len(apps)}")
    functions: dict[str, UserFunction] = {}
    described: list[FunctionInfo] = []
    for found in apps[0].get_functions():
        name = str(found.get_function_name())
        bindings = [json.loads(text) for text in found.get_raw_bindings()]
        functions[name] = _user_function(name, found.get_user_function(), bindings)
        described.append(FunctionInfo(name, bindings))
    return functions, described


def _user_function(name: str, call: Callable[..., Any], bindings: list[dict[str, Any]]) -> UserFunction:
    kinds = {binding["type"] for binding in bindings}
    if unknown := sorted(kinds - SUPPORTED):
        raise Unbindable(f"function {name}: binding type {unknown[0]} is not supported by the local host")
    trigger = next(binding for binding in bindings if binding["type"].endswith("Trigger"))
    parameters = set(inspect.signature(call).parameters)
    bound = {binding["name"] for binding in bindings} - {"$return"}
    if missing := sorted(bound - parameters):
        raise Unbindable(f"function {name}: the binding {missing[0]!r} is declared but is not a parameter of the function")
    if unbound := sorted(parameters - bound - {"context"}):
        raise Unbindable(f"function {name}: the parameter {unbound[0]!r} has no binding")
    return UserFunction(
        name=name,
        call=call,
        parameter=trigger["name"],
        wants_context="context" in parameters,
        is_async=inspect.iscoroutinefunction(call),
        is_http="http" in kinds,
    )
