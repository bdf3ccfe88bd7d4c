"""The app run by the SDK alone (`--engine sdk`): azure-functions imports and converts, and the rules of the real worker are ours."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.functions import meta

from .conversion import data, metadata_data, trigger_datum
from .invocation_context import LOCAL, invocation_context
from .logs import invocation
from .protocol import Data, Finished, FunctionInfo, Invoke
from .signatures import REGISTRY, Parameter, Signature, Unbindable, signature


@dataclass(frozen=True)
class UserFunction:
    """A function of the app."""

    name: str
    call: Callable[..., Any]
    trigger: str
    signature: Signature


class Out:
    """An output parameter of a function."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, value: Any) -> None:
        """Give the output, which is written when the function has returned."""
        self._value = value

    def get(self) -> Any:
        """What has been given so far."""
        return self._value


class SdkEngine:
    """Imports the app in `folder`, which is on sys.path, and runs its functions; sync ones on a pool of so many threads."""

    def __init__(self, folder: Path, threads: int | None) -> None:
        self._folder = folder
        self._functions: dict[str, UserFunction] = {}
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="function")

    async def index(self) -> list[FunctionInfo]:
        """The functions of the app; raises what its import raises, or Unbindable."""
        described: list[FunctionInfo] = []
        for found in _the_app().get_functions():
            name = str(found.get_function_name())
            call = found.get_user_function()
            self._functions[name] = UserFunction(name, call, str(found.get_trigger().name), signature(name, call, found.get_bindings()))
            bindings = [json.loads(text) for text in found.get_raw_bindings()]
            described.append(FunctionInfo(name, bindings, found.get_settings_dict("retry_policy") or {}))
        return described

    async def run(self, request: Invoke) -> Finished:
        """Run a function; raises what it raises."""
        function = self._functions[request.function]
        arguments = self._arguments(function, request)
        outputs = {name: Out() for name in function.signature.outputs}
        returned = await self._call(function, {**arguments, **outputs})
        if returned is not None and function.signature.returns is None:
            raise RuntimeError(f"function {function.name!r} without a $return binding returned a non-None value")
        return Finished(
            request.id,
            returned=_encoded(function.signature.returns, returned) if function.signature.returns else None,
            outputs=_outputs(function.signature.outputs, outputs),
        )

    def _arguments(self, function: UserFunction, request: Invoke) -> dict[str, Any]:
        kind = function.signature.inputs[function.trigger].binding
        given = trigger_datum(request.trigger, meta.Datum)
        converter = REGISTRY.get(kind)
        metadata = metadata_data(request.trigger, meta.Datum)
        arguments = {function.trigger: converter.decode(given, trigger_metadata=metadata) if converter else _generic(given)}
        if function.signature.wants_context:
            arguments["context"] = invocation_context(request, function.name, str(self._folder))
        return arguments

    async def _call(self, function: UserFunction, arguments: Mapping[str, Any]) -> Any:
        if function.signature.is_async:
            return await function.call(**arguments)
        identifier = invocation.get()

        def call() -> Any:
            invocation.set(identifier)  # for the log alone: the real worker's threads know no context variable of the loop's
            LOCAL.invocation_id = identifier
            try:
                return function.call(**arguments)
            finally:
                LOCAL.invocation_id = None

        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: contextvars.Context().run(call))


def _the_app() -> Any:
    """The one app that the script has at its top level, a FunctionApp or a Blueprint registered with none."""
    script = os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
    module = importlib.import_module(Path(script).stem)
    apps = [value for value in vars(module).values() if isinstance(value, func.FunctionRegister)]
    if not apps:
        raise Unbindable(f"Could not find top level function app instances in {script}.")
    if len(apps) > 1:
        raise Unbindable(f"More than one {type(apps[0]).__name__} or other top level function app instances are defined.")
    return apps[0]


def _generic(given: Any) -> Any:
    """What a parameter receives that is annotated as str or bytes: the text as it is."""
    if given.type not in {"string", "bytes", "json"}:
        raise ValueError('unexpected type of data received for the "generic" binding ', repr(given.type))
    return given.value


def _outputs(expected: Mapping[str, Parameter], outputs: Mapping[str, Any]) -> dict[str, Data]:
    given = {name: outputs[name].get() for name in expected}
    encoded = {name: _encoded(expected[name], value) for name, value in given.items() if value is not None}
    return {name: value for name, value in encoded.items() if value is not None}


def _encoded(parameter: Parameter, value: Any) -> Data | None:
    converter = REGISTRY.get(parameter.binding)
    try:
        return data(converter.encode(value, expected_type=parameter.pytype) if converter else _generic_datum(value))
    except NotImplementedError:
        kind = type(value).__name__
        raise TypeError(f'unable to encode outgoing TypedData: unsupported type "{parameter.binding}" for Python type "{kind}"') from None


def _generic_datum(value: Any) -> meta.Datum:
    kinds = {str: "string", bytes: "bytes", bytearray: "bytes", dict: "dict", list: "list", bool: "int", int: "int", float: "double"}
    if value is None:
        return meta.Datum(None, None)
    kind = next((name for type_, name in kinds.items() if isinstance(value, type_)), None)
    if kind is None:
        raise NotImplementedError
    return meta.Datum(value, kind)
