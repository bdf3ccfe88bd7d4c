"""What becomes of a function's outputs: the messages that the host makes of a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .newtonsoft import is_json, parse, to_string
from .protocol import Bytes, Data, Json, Number, Text


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
