"""The app run by Microsoft's own worker library (`--engine runtime`): azure-functions-runtime indexes, binds, converts and calls.

The other half of the real worker, which talks to the host, is not published: this module stands in for it. The library asks for
the generated classes of the protocol; plain objects do, for its native entry takes and gives no protocol messages.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import platform
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .conversion import data, metadata_data, trigger_datum
from .invocation_context import retries
from .logs import sources
from .protocol import Finished, FunctionInfo, Invoke

LIBRARY = "azure_functions_runtime"  # only the worker's own environment has it

log = logging.getLogger("host.worker")


class Message(SimpleNamespace):
    """Any protocol message: it keeps what it is given."""


class BindingInfo(Message):
    """The directions of bindings, by their numbers in the protocol."""

    undefined = 0
    out, inout = 1, 2


class StatusResult(Message):
    """How a request ended."""

    Failure, Success = 0, 1


class Protocol:
    """Stands in for the module of generated classes."""

    BindingInfo = BindingInfo
    StatusResult = StatusResult

    def __getattr__(self, name: str) -> type[Message]:
        return Message


class WorkerError(Exception):
    """The library's own error, which says what it is about."""

    is_explained = True


class RuntimeEngine:
    """The library's functions, which keep their state in the module: one app per process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._library: Any = importlib.import_module(LIBRARY)
        self._datum: Any = importlib.import_module(f"{LIBRARY}.bindings.datumdef").Datum
        self._invoke: Any = importlib.import_module(f"{LIBRARY}.native_invocation").invocation_request_native
        sources.append(importlib.import_module(f"{LIBRARY}.utils.executor").invocation_id_cv)
        self._ids: dict[str, tuple[str, str]] = {}

    async def index(self) -> list[FunctionInfo]:
        """The functions of the app; raises WorkerError with what the library says."""
        self._library.start_threadpool_executor()
        init = Message(capabilities={}, function_app_directory=str(self._folder))
        properties = {"protos": Protocol(), "host": "127.0.0.1"}
        asked = Message(name="worker_init_request", request=Message(worker_init_request=init), properties=properties)
        result = (await self._library.worker_init_request(asked)).result
        if result.status != StatusResult.Success:
            raise WorkerError(result.exception.message)
        os.chdir(self._folder)
        log.info("the app runs in azure-functions-runtime %s on Python %s", version("azure-functions-runtime"), platform.python_version())
        answer = await self._library.functions_metadata_request(asked)
        return [self._describe(function) for function in answer.function_metadata_results or ()]

    def _describe(self, function: Any) -> FunctionInfo:
        bindings = [json.loads(text) for text in function.raw_bindings]
        trigger = next(binding["name"] for binding in bindings if binding["type"].lower().endswith("trigger"))
        self._ids[function.name] = (function.function_id, trigger)
        return FunctionInfo(function.name, bindings, _retry(function.retry_options))

    async def run(self, request: Invoke) -> Finished:
        """Run a function."""
        identifier, parameter = self._ids[request.function]
        inputs = [(parameter, trigger_datum(request.trigger, self._datum))]
        retry, retries_allowed = retries(request)
        metadata = metadata_data(request.trigger, self._datum)
        ok, returned, outputs, error, _ = await self._invoke(
            request.id, identifier, inputs, metadata, retry_count=retry, max_retry_count=retries_allowed
        )
        if not ok:
            return Finished(request.id, error=error)
        given = {name: value for name, output in outputs if (value := data(output)) is not None}
        return Finished(request.id, returned=data(returned), outputs=given)


def _retry(options: Any) -> dict[str, str]:
    """The retry policy as the SDK has it."""
    if options is None:
        return {}
    found = {"strategy": options.retry_strategy, "max_retry_count": str(options.max_retry_count)}
    intervals = ("delay_interval", "minimum_interval", "maximum_interval")
    return found | {name: str(getattr(options, name)) for name in intervals if hasattr(options, name)}
