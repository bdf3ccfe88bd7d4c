"""Runs in the worker's own environment: loads the app in FOLDER through Microsoft's worker library and invokes what it is asked to.

Says on standard output, a JSON object per line, what it found and then how each invocation ended; reads one per line:
{"function": "name", "parameter": "req", "kind": "http" | "string" | "json", "value": ..., "metadata": {"Id": "..."}}
"""

import asyncio
import json
import logging
import os
import sys
from types import SimpleNamespace

import azure_functions_runtime as runtime
from azure_functions_runtime import handle_event
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.native_invocation import run_invocation_sync


class Message(SimpleNamespace):
    """Any protocol message: it keeps what it is given."""


class BindingInfo(Message):
    """The directions and types of bindings, by their numbers in the protocol."""

    undefined = 0
    inout, out = 2, 1


class StatusResult(Message):
    """How a request ended."""

    Failure, Success = 0, 1


class Protocol:
    """Stands in for the generated protocol module, which belongs to the other half of the worker and is not published."""

    BindingInfo = BindingInfo
    StatusResult = StatusResult

    def __getattr__(self, name: str) -> type[Message]:
        return Message


def text(value: str) -> Datum:
    return Datum(value, "string")


def texts(values: dict[str, str]) -> dict[str, Datum]:
    return {name: text(value) for name, value in values.items()}


def http(request: dict) -> Datum:
    parts = {name: text(request[name]) for name in ("method", "url")}
    maps = {name: texts(request.get(name, {})) for name in ("headers", "query", "params")}
    return Datum({**parts, **maps, "body": Datum(request.get("body", "").encode(), "bytes")}, "http")


def answered(datum: Datum | None) -> dict | None:
    if datum is None or datum.type != "http":
        return None
    headers = {name: value.value for name, value in datum.value["headers"].items()}
    return {"status": int(datum.value["status_code"].value), "headers": headers, "body": datum.value["body"].value.decode()}


def invoke(ids: dict[str, str], asked: dict) -> dict:
    datum = http(asked["value"]) if asked["kind"] == "http" else Datum(asked["value"], asked["kind"])
    inputs = [(asked["parameter"], datum)]
    handled, ok, returned, outputs, error, trace = run_invocation_sync("probe", ids[asked["function"]], inputs, texts(asked["metadata"]))
    return {"ok": handled and ok, "response": answered(returned), "outputs": len(outputs or ()), "error": error, "trace": trace}


def indexed(folder: str) -> tuple[dict[str, str], dict]:
    init = Message(capabilities={}, function_app_directory=folder)
    request = Message(
        name="worker_init_request", request=Message(worker_init_request=init), properties={"protos": Protocol(), "host": "127.0.0.1"}
    )
    result = asyncio.run(runtime.worker_init_request(request)).result
    if result.status != StatusResult.Success:
        return {}, {"error": result.exception.message, "functions": {}}
    found = handle_event._metadata_result or []
    functions = {function.name: [json.loads(binding) for binding in function.raw_bindings] for function in found}
    return {function.name: function.function_id for function in found}, {"error": None, "functions": functions}


def main() -> None:
    folder = sys.argv[1]
    logging.basicConfig(level="WARNING")
    sys.path.insert(0, folder)
    os.chdir(folder)
    runtime.start_threadpool_executor()
    ids, found = indexed(folder)
    print(json.dumps(found), flush=True)
    for line in sys.stdin:
        print(json.dumps(invoke(ids, json.loads(line))), flush=True)
    runtime.stop_threadpool_executor()


if __name__ == "__main__":
    main()
