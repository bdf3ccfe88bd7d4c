"""One secret: its versions and how they are shown."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from localcloud.keyvault import errors

MOST_BYTES = 25_600
DAY = 86_400
_TIMES = ("nbf", "exp")

Secret = dict[str, Any]
"""`{"name", "deleted": seconds or 0, "versions": {version: {...}}}`, the oldest version first: as it is in the file."""


def read_value(value: object) -> str:
    """The value of a secret that is to be set."""
    if not isinstance(value, str) or len(value.encode()) > MOST_BYTES:
        raise errors.bad("Property  has invalid value\r\n")
    return value


def read_attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    """What of a version can be set beside its value: `enabled`, `nbf`, `exp`, its content type, its tags."""
    attributes = {} if given.get("attributes") is None else given["attributes"]
    tags = given.get("tags")
    if not isinstance(attributes, dict) or not isinstance(tags, (dict, type(None))):
        raise errors.bad("The request body is not a valid JSON object.")
    if any(not isinstance(attributes.get(key) or 0, int) for key in ("enabled", *_TIMES)):
        raise errors.bad("Property attributes has invalid value\r\n")
    read = {key: attributes[key] for key in ("enabled", *_TIMES) if attributes.get(key) is not None}
    return read | {key: given[key] for key in ("contentType", "tags") if given.get(key) is not None}


def add_version(secret: Secret, value: str, attributes: Mapping[str, Any], now: int) -> str:
    """The name of the new version."""
    version = uuid.uuid4().hex
    secret["versions"][version] = {"value": value, "enabled": True, "at": now, "updated": now, **attributes}
    return version


def latest(secret: Secret) -> str:
    """The newest version."""
    return str(list(secret["versions"])[-1])


def show(address: str, name: str, version: str, kept: Mapping[str, Any], recovery: Mapping[str, Any]) -> dict[str, Any]:
    """A version without its value."""
    times = {key: kept[key] for key in _TIMES if key in kept}
    attributes = {"enabled": kept["enabled"], **times, "created": kept["at"], "updated": kept.get("updated", kept["at"]), **recovery}
    named = f"{address}/secrets/{name}" + (f"/{version}" if version else "")
    return {"id": named, "attributes": attributes} | {key: kept[key] for key in ("contentType", "tags") if key in kept}
