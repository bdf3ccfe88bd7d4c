"""Between the host's protocol and the typed data of a worker library: `Datum` is whichever class the library has for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

from .protocol import Bytes, Data, HttpTrigger, Json, Number, QueueTrigger, Response, Text, TimerTrigger, Trigger

Datum = Callable[[Any, str], Any]


def trigger_datum(trigger: Trigger, datum: Datum) -> Any:
    """The typed data of the trigger's parameter."""
    match trigger:
        case HttpTrigger():
            return _http(trigger, datum)
        case QueueTrigger():
            return datum(trigger.body, "string")
        case TimerTrigger():
            return datum(trigger.info, "json")


def metadata_data(trigger: Trigger, datum: Datum) -> dict[str, Any]:
    """The typed data of the trigger's metadata."""
    found = trigger.metadata if isinstance(trigger, QueueTrigger) else {}
    return {name: datum(value, kind) for name, (kind, value) in found.items()}


def _http(request: HttpTrigger, datum: Datum) -> Any:
    def texts(values: dict[str, str]) -> dict[str, Any]:
        return {name: datum(value, "string") for name, value in values.items()}

    parts: dict[str, Any] = {
        "method": datum(request.method, "string"),
        "url": datum(request.url, "string"),
        "headers": texts(request.headers),
        "query": texts(request.query),
        "params": texts(request.route),
        "body": datum(request.body, "bytes"),
    }
    return datum(parts, "http")


def data(found: Any) -> Data | None:
    """What a library's typed data is in the protocol; None when a function gave nothing. Raises TypeError for what no host takes."""
    if found is None or found.type is None:
        return None
    match found.type:
        case "string":
            return Text(found.value)
        case "json":
            return Json(found.value)
        case "dict" | "list":
            return Json(json.dumps(found.value))
        case "bytes":
            return Bytes(bytes(found.value))
        case "int" | "double":
            return Number(found.value)
        case "http":
            return _response(found.value)
        case kind:
            raise TypeError(f"typed data of the kind {kind} is not known")


def _response(parts: dict[str, Any]) -> Response:
    headers = [(name, value.value) for name, value in parts["headers"].items()]
    return Response(int(parts["status_code"].value), headers, parts["body"].value, _cookies(parts["cookies"] or []))


def _cookies(jars: list[SimpleCookie]) -> list[str]:
    return [morsel.OutputString() for jar in jars for morsel in jar.values()]
