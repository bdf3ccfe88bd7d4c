"""Keeping sets of values: small ones in place, large ones in a blob that the state and the messages only name (claim check)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from loadme.azure.storage.blobs import Blobs
from loadme.core.outcome import Value
from loadme.errors import Absent, Terminal

IN_MESSAGE = 40 * 1024
"""Bytes of JSON: a queue message may have 48 KiB before base64; the rest is for the envelope."""


def keep(blobs: Blobs, name: str, values: Mapping[str, Any], limit: int) -> Value:
    """The values as they are stored: in place up to `limit` bytes of JSON, else in a blob whose name begins with `name`."""
    data = msgspec.json.encode(values, order="sorted")
    if len(data) <= limit:
        return Value(inline=dict(values))
    digest = hashlib.sha256(data).hexdigest()
    # The digest in the name: the blob is never written with anything else, so that a late writer can do no harm.
    blob = f"{name}-{digest[:16]}.json"
    blobs.put(blob, data, content_type="application/json")
    return Value(blob=blob, digest=digest)


def read(blobs: Blobs, value: Value | None) -> dict[str, Any]:
    """The values again. Raises Terminal if the blob is gone or is not what was kept."""
    if value is None:
        return {}
    if value.inline is not None:
        return value.inline
    try:
        data = blobs.get(value.blob)
    except Absent as gone:
        raise Terminal(f"the blob {value.blob} with a run's values is gone: somebody deleted it") from gone
    if hashlib.sha256(data).hexdigest() != value.digest:
        raise Terminal(f"the blob {value.blob} was changed after it was written: its SHA-256 is no longer {value.digest}")
    values: dict[str, Any] = msgspec.json.decode(data)
    return values
