"""The trigger metadata of a queue message, and how the message's own JSON can overwrite it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from .storage import StoredMessage


def trigger_metadata(message: StoredMessage, body: str) -> dict[str, tuple[str, str]]:
    """Typed data by name: what the queue says of the message, then every top-level key of a JSON body.

    The body wins, whatever the case of its keys: `{"id": ...}` replaces the message's id. Arrays are left out.
    """
    known: dict[str, Any] = {
        "QueueTrigger": body,
        "Id": message.id,
        "PopReceipt": message.pop_receipt,
        "DequeueCount": message.dequeue_count,
        "InsertionTime": _json_time(message.inserted_on),
        "ExpirationTime": _json_time(message.expires_on),
        "NextVisibleTime": _json_time(message.next_visible_on),
    }
    names = {name.lower(): name for name in known}
    for key, value in _top_level(body).items():
        if not isinstance(value, list):
            known[names.setdefault(key.lower(), key)] = value
    return {name: _typed(value) for name, value in known.items()}


def _top_level(body: str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _typed(value: Any) -> tuple[str, str]:
    return ("string", value) if isinstance(value, str) else ("json", json.dumps(value))


def _json_time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00") if moment else ""
