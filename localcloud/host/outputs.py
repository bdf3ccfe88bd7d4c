"""What becomes of a function's outputs: the messages that the host makes of a value, and the queue that they go to."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .newtonsoft import is_json, parse, to_string
from .protocol import Bytes, Data, HttpTrigger, Json, Number, QueueTrigger, Text, Trigger

EXPRESSION = re.compile(r"\{([^{}]+)\}")


class OutputError(Exception):
    """An output that cannot be written: the function has failed."""


@dataclass(frozen=True)
class QueueOutput:
    """A queue that a function writes to; `parameter` is `$return` for what it returns. The name may hold binding expressions."""

    parameter: str
    queue: str
    connection: str


def messages(value: Data) -> list[bytes]:
    """The messages of a value, in their order.

    Text that looks like JSON is printed anew, and an array becomes one message for each of its elements; bytes are left alone.
    Raises BadJson for text that looks like JSON and is none.
    """
    match value:
        case Bytes():
            return [value.value]
        case Number():
            return [to_string(value.value).encode()]
        case Text():
            return _of_text(value.value)
        case Json():  # dates are left alone here: the host tells its library so for what the worker made into JSON
            found = parse(value.value, dates=False)
            return _of_text(found) if isinstance(found, str) else _each(found)
        case _:
            raise OutputError("an HTTP response cannot be put on a queue")


def _of_text(text: str) -> list[bytes]:
    return _each(parse(text, dates=True)) if is_json(text) else [text.encode()]


def _each(value: Any) -> list[bytes]:
    return [to_string(element).encode() for element in (value if isinstance(value, list) else [value])]


def queue_name(pattern: str, trigger: Trigger, now: datetime) -> str:
    """The name with its `{expressions}` replaced by what the trigger brought; raises OutputError naming one that it did not bring."""
    values = _binding_data(trigger)
    system = {"rand-guid": str(uuid.uuid4()), "datetime": now.strftime("%Y-%m-%dT%H-%M-%SZ")}

    def value(found: re.Match[str]) -> str:
        name = found[1].lower()
        if name not in values and name not in system:
            raise OutputError(f"No value for named parameter '{found[1]}'.")
        return values[name] if name in values else system[name]

    return EXPRESSION.sub(value, pattern).lower()


def _binding_data(trigger: Trigger) -> Mapping[str, str]:
    match trigger:
        case HttpTrigger():
            return {name.lower(): value for name, value in {**trigger.query, **trigger.route}.items()}
        case QueueTrigger():
            return {name.lower(): value for name, (_, value) in trigger.metadata.items()}
        case _:
            return {}
