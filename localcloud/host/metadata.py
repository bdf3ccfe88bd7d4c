"""The trigger metadata of a queue message, and how the message's own JSON can overwrite it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from .newtonsoft import BadJson, compact, is_json, parse, to_string
from .queue_seam import Stored

Typed = tuple[str, str]
"""Kind and text: a string is told as it is, anything else as JSON."""


def trigger_metadata(message: Stored, body: str) -> dict[str, Typed]:
    """What the queue says of the message, then every top-level key of a JSON body.

    The body wins, whatever the case of its keys: `{"id": ...}` replaces the message's id. Arrays and nulls are left out; numbers,
    dates and the like arrive as text.
    """
    known: dict[str, Typed] = {
        "QueueTrigger": ("string", body),
        "Id": ("string", message.id),
        "PopReceipt": ("string", message.pop_receipt),
        "DequeueCount": ("json", str(message.dequeue_count)),
        "InsertionTime": _json_time(message.inserted_on),
        "ExpirationTime": _json_time(message.expires_on),
        "NextVisibleTime": _json_time(message.next_visible_on),
    }
    names = {name.lower(): name for name in known}
    for key, value in _top_level(body).items():
        if value is not None and not isinstance(value, list):
            known[names.setdefault(key.lower(), key)] = (
                ("json", compact(value)) if isinstance(value, dict) else ("string", to_string(value))
            )
    return known


def _top_level(body: str) -> dict[str, Any]:
    try:
        value = parse(body, dates=True) if is_json(body) else {}
    except BadJson:
        return {}
    return value if isinstance(value, dict) else {}


def _json_time(moment: datetime | None) -> Typed:
    return "json", json.dumps(moment.strftime("%Y-%m-%dT%H:%M:%S+00:00") if moment else "")
