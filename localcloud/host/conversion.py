"""From triggers to the arguments of a function, and from its return value to a response: by azure-functions' own converters."""

from __future__ import annotations

import json
from typing import Any

from azure.functions import meta

from .protocol import HttpTrigger, QueueTrigger, Response, TimerTrigger, Trigger

REGISTRY: Any = meta.get_binding_registry()  # type: ignore[no-untyped-call]


def argument(trigger: Trigger) -> Any:
    """The object that the function's trigger parameter receives; raises what the SDK's converter raises."""
    match trigger:
        case HttpTrigger():
            return REGISTRY.get("httpTrigger").decode(_http_datum(trigger), trigger_metadata={})
        case QueueTrigger():
            metadata = {name: meta.Datum(value, kind) for name, (kind, value) in trigger.metadata.items()}
            return REGISTRY.get("queueTrigger").decode(meta.Datum(trigger.body, "string"), trigger_metadata=metadata)
        case TimerTrigger():
            return REGISTRY.get("timerTrigger").decode(meta.Datum(trigger.info, "json"), trigger_metadata={})


def _http_datum(request: HttpTrigger) -> meta.Datum:
    def texts(values: dict[str, str]) -> dict[str, meta.Datum]:
        return {name: meta.Datum(value, "string") for name, value in values.items()}

    parts: dict[str, Any] = {
        "method": meta.Datum(request.method, "string"),
        "url": meta.Datum(request.url, "string"),
        "headers": texts(request.headers),
        "query": texts(request.query),
        "params": texts(request.route),
        "body": meta.Datum(request.body, "bytes"),
    }
    return meta.Datum(parts, "http")


def response(returned: Any) -> Response:
    """The answer of an HTTP function that returned this; raises TypeError for what the real worker cannot encode."""
    try:
        datum = REGISTRY.get("http").encode(returned, expected_type=None)
    except NotImplementedError:
        raise TypeError(
            f'unable to encode outgoing TypedData: unsupported type "http" for Python type "{type(returned).__name__}"'
        ) from None
    if datum.type == "string":
        return _text_response(datum.value)
    parts = datum.value
    headers = [(name, value.value) for name, value in parts["headers"].items() if name.lower() != "set-cookie"]
    cookies = [("set-cookie", morsel.OutputString()) for morsel in _morsels(parts["cookies"])]
    return Response(int(parts["status_code"].value), headers + cookies, parts["body"].value)


def _morsels(cookies: Any) -> list[Any]:
    return [morsel for jar in cookies or [] for morsel in jar.values()]


def _text_response(text: str) -> Response:
    """A function that returns a bare string: the host reads JSON in it, and an object with a body is a response object."""
    try:
        value = json.loads(text)
    except ValueError:
        return Response(200, [("content-type", "text/plain; charset=utf-8")], text.encode())
    if isinstance(value, dict) and "body" in value:
        body = value["body"] if isinstance(value["body"], str) else json.dumps(value["body"], indent=2)
        status = int(value.get("statusCode") or value.get("status") or 200)
        return Response(status, [(name, str(header)) for name, header in value.get("headers", {}).items()], body.encode())
    return Response(200, [("content-type", "application/json; charset=utf-8")], json.dumps(value, indent=2, ensure_ascii=False).encode())
