"""Binding expressions: `{name}` in a binding's queue name stands for what the trigger brought. (By the source of the real ones.)"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .newtonsoft import BadJson, is_json, parse, to_string
from .outputs import OutputError
from .protocol import HttpTrigger, QueueTrigger, Trigger

EXPRESSION = re.compile(r"\{([^{}]+)\}")


def queue_name(pattern: str, function: str, trigger: Trigger, now: datetime) -> str:
    """The name with its `{expressions}` replaced; raises OutputError naming one that stands for nothing."""
    if "{" not in pattern:
        return pattern.lower()
    values = {**_system(function, now), **_brought(trigger)}

    def value(found: re.Match[str]) -> str:
        known = _at(values, found[1].lower().split("."))
        if known is None:
            raise OutputError(f"No value for named parameter '{found[1]}'.")
        return to_string(known)

    return EXPRESSION.sub(value, pattern).lower()


def _system(function: str, now: datetime) -> dict[str, Any]:
    own = {"methodname": function, "utcnow": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "randguid": str(uuid.uuid4())}
    return {"rand-guid": str(uuid.uuid4()), "datetime": now.strftime("%Y-%m-%dT%H-%M-%SZ"), "sys": own}


def _brought(trigger: Trigger) -> Mapping[str, Any]:
    match trigger:
        case HttpTrigger():
            query = {name: value for name, value in trigger.query.items() if name.lower() != "code"}
            found = {**_body(trigger.body), **query, "query": query, "headers": trigger.headers, **trigger.route}
        case QueueTrigger():
            found = {name: json.loads(text) if kind == "json" else text for name, (kind, text) in trigger.metadata.items()}
        case _:
            found = {}
    return {name.lower(): value for name, value in found.items()}


def _body(body: bytes) -> dict[str, Any]:
    """The top-level keys of a JSON body."""
    try:
        text = body.decode()
        value = parse(text, dates=True) if is_json(text) else {}
    except (UnicodeDecodeError, BadJson):
        return {}
    return value if isinstance(value, dict) else {}


def _at(tree: Any, path: list[str]) -> Any:
    for name in path:
        tree = {key.lower(): value for key, value in tree.items()}.get(name) if isinstance(tree, Mapping) else None
    return tree
