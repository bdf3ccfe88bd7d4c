"""YAML and JSON texts as plain values, read so that a file means what it looks like.

YAML here is its JSON schema: only true, false, null and numbers written as JSON writes them are more than text. So `on`, `yes`,
`2024-01-01`, `1:30` and `0123` stay text. Duplicate keys, tags, merge keys, deep nesting and alias bombs are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml
from yaml import events

from loadme.definitions.values import DEEPEST, conforms

MOST_BYTES = 1_000_000
MOST_VALUES = 50_000  # aliases count with all that they stand for

_LITERALS = {"": None, "~": None, "null": None, "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9]\d*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(0|[1-9]\d*)?(\.\d+([eE][-+]?\d+)?|[eE][-+]?\d+)", re.ASCII)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unreadable(ValueError):
    """The text is not a document that loadme reads; the message says where and why."""


def read_yaml(text: str) -> Any:
    """The one document in the text."""
    _check_text(text)
    try:
        return _sound(_Reader(yaml.parse(text, Loader=_LOADER)).document())
    except yaml.MarkedYAMLError as error:
        raise Unreadable(f"{_place(error.problem_mark)}: {error.problem or error.context}{_advice(text, error.problem_mark)}") from None
    except yaml.YAMLError as error:
        raise Unreadable(f"is not YAML: {str(error).splitlines()[0]}") from None


def _advice(text: str, mark: yaml.Mark | None) -> str:
    if mark is None:
        return ""
    if _character(text, mark) == "\t":
        return ": a tab, indent with spaces"
    is_expression = _character(text, mark) == ":" and "${{" in text.splitlines()[mark.line][: mark.column]
    return ": a colon and a space in an expression, put the whole text in quotes" if is_expression else ""


def read_json(text: str) -> Any:
    """The value in the text."""
    _check_text(text)
    try:
        return _sound(json.loads(text, object_pairs_hook=_unique, parse_constant=_not_json, parse_int=_integer))
    except json.JSONDecodeError as error:
        raise Unreadable(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise Unreadable(f"is nested more than {DEEPEST} levels deep") from None


class _Reader:
    """Builds the value from YAML's events, so that a bomb is noticed before it has been built."""

    def __init__(self, stream: Iterator[events.Event]) -> None:
        self._events = stream
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._values = 0

    def document(self) -> Any:
        value = None
        for event in self._events:
            if isinstance(event, events.DocumentStartEvent):
                value = self._node(next(self._events), 0)
                break
        if any(isinstance(event, events.DocumentStartEvent) for event in self._events):
            raise Unreadable("holds more than one document: a workflow is one file")
        return value

    def _node(self, event: Any, depth: int) -> Any:
        if isinstance(event, events.AliasEvent):
            return self._alias(event)
        if depth > DEEPEST:
            raise Unreadable(f"{_place(event.start_mark)}: nested more than {DEEPEST} levels deep")
        if event.tag is not None:
            raise Unreadable(f"{_place(event.start_mark)}: the tag {event.tag} is not supported, remove it")
        before = self._values
        self._count(1, event)
        if isinstance(event, events.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, events.SequenceStartEvent):
            value = self._list(depth)
        else:
            value = self._mapping(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._values - before)
        return value

    def _alias(self, event: events.AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            raise Unreadable(f"{_place(event.start_mark)}: the anchor &{event.anchor} is not defined before it is used")
        value, values = self._anchors[event.anchor]
        self._count(values, event)
        return value

    def _list(self, depth: int) -> list[Any]:
        result = []
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            result.append(self._node(event, depth + 1))
        return result

    def _mapping(self, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := next(self._events), events.MappingEndEvent):
            key = _key(event)
            if key in result:
                raise Unreadable(f"{_place(event.start_mark)}: the key `{key}` stands here twice")
            result[key] = self._node(next(self._events), depth + 1)
        return result

    def _count(self, values: int, event: events.Event) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise Unreadable(f"{_place(event.start_mark)}: more than {MOST_VALUES} values, counting what aliases stand for")


def _key(event: events.Event) -> str:
    if not isinstance(event, events.ScalarEvent) or event.tag is not None:
        raise Unreadable(f"{_place(event.start_mark)}: a key must be plain text")
    if event.value == "<<" and event.implicit[0]:
        raise Unreadable(f"{_place(event.start_mark)}: merge keys (<<) are not supported, write the keys out or use `defaults`")
    return str(event.value)


def _scalar(event: events.ScalarEvent) -> Any:
    text = str(event.value)
    if not event.implicit[0]:  # it stands in quotes, or is a block of text
        return text
    if text in _LITERALS:
        return _LITERALS[text]
    if len(text) <= 40 and _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if len(text) <= 40 and _FLOAT.fullmatch(text) else text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise Unreadable(f"the key `{key}` stands twice in one object")
        result[key] = value
    return result


def _not_json(constant: str) -> NoReturn:
    raise Unreadable(f"{constant} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > 40:  # Python itself refuses to read thousands of digits, with an error of its own
        raise Unreadable(f"{digits[:20]}... does not fit into 64 bits")
    return int(digits)


def _sound(value: Any) -> Any:
    # Escapes like "\ud800" and "\0" put into a value what the file's text itself cannot hold.
    if (flaw := conforms(None, value)) is not None:
        raise Unreadable(flaw)
    return value


def _check_text(text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Unreadable("is not valid Unicode") from None
    if size > MOST_BYTES:
        raise Unreadable(f"is too large: {size} bytes, {MOST_BYTES} are allowed")


def _character(text: str, mark: Any) -> str:
    lines = text.split("\n")
    return lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else "somewhere"
