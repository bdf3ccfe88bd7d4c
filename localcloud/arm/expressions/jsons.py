"""Reads JSON as ARM does, whose reader takes more than JSON: single quotes, names without quotes, comments, a last comma."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from localcloud.arm.expressions.values import ExpressionError, general_usage, not_valid

MAX_DEPTH = 64  # of ARM's reader, which is Newtonsoft's: its own default

_BLANK = re.compile(r"(?:\s|//[^\n]*|/\*(?s:.*?)\*/)*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"|\'(?:[^\'\\]|\\.)*+\'', re.DOTALL)
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_NUMBER = re.compile(r"-?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,4})?")
_WORDS = {"true": True, "false": False, "null": None}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\", "/": "/"}


def read_json(source: str) -> Any:
    """The words around the reason are those of Logic Apps, which share the language."""
    try:
        return load(source)
    except ValueError as error:
        raise ExpressionError(
            "The template language function 'json' parameter is not valid. The provided value '{}' cannot be parsed: '{}'. "
            + general_usage("json"),
            source,
            error,
        ) from None


def load(source: str) -> Any:
    """Raises ValueError. JSON proper is read by Python's own reader."""
    try:
        value = json.loads(source, parse_constant=_refuse, parse_float=_finite, parse_int=_whole)
    except (ValueError, RecursionError):
        value = _Reader(source).document()
    _check_depth(value)
    return value


def load_of(name: str, source: str) -> Any:
    try:
        return load(source)
    except ValueError:
        raise not_valid(name, "The value cannot be converted to the target type.") from None


def _refuse(word: str) -> Any:
    raise ValueError(f"Unexpected character encountered while parsing value: {word[0]}. Path '', line 1, position 1.")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"Input string '{digits}' is not a valid number. Path '', line 1, position {len(digits)}.")
    return number


def _whole(digits: str) -> int:
    if len(digits) > 380:  # the reader has a limit, too
        raise ValueError(f"JSON integer {digits[:20]}... is too large or small for an Int64. Path '', line 1, position {len(digits)}.")
    return int(digits)


def _check_depth(value: Any) -> None:
    left = [(value, 0)]
    while left:
        item, depth = left.pop()
        if isinstance(item, list | dict):
            if depth >= MAX_DEPTH:
                raise ValueError(f"The reader's MaxDepth of {MAX_DEPTH} has been exceeded.")
            left.extend((inner, depth + 1) for inner in (item.values() if isinstance(item, dict) else item))


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0

    def document(self) -> Any:
        value = self._value(0)
        self._blank()
        if self._at < len(self._source):
            raise self._unexpected("Additional text encountered after finished reading JSON content")
        return value

    def _value(self, depth: int) -> Any:
        self._blank()
        if depth > MAX_DEPTH:
            raise ValueError(f"The reader's MaxDepth of {MAX_DEPTH} has been exceeded.")
        if self._skip("{"):
            return dict(self._members(depth + 1))
        if self._skip("["):
            return self._items(depth + 1)
        if (string := self._match(_STRING)) is not None:
            return _unescaped(string)
        if (number := self._match(_NUMBER)) is not None:
            return _whole(number) if number.lstrip("-").isdecimal() else _finite(number)
        word = self._match(_NAME)
        if word not in _WORDS:
            raise self._unexpected("Unexpected character encountered while parsing value")
        return _WORDS[word]

    def _members(self, depth: int) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        while not self._skip("}"):
            string = self._match(_STRING)
            name = _unescaped(string) if string is not None else self._match(_NAME)
            if name is None or not self._skip(":"):
                raise self._unexpected("Invalid property identifier character")
            found.append((name, self._value(depth)))
            self._comma("}")
        return found

    def _items(self, depth: int) -> list[Any]:
        found: list[Any] = []
        while not self._skip("]"):
            found.append(self._value(depth))
            self._comma("]")
        return found

    def _comma(self, end: str) -> None:
        if not self._skip(",") and not self._ahead(end):
            raise self._unexpected("After parsing a value an unexpected character was encountered")

    def _blank(self) -> None:
        blank = _BLANK.match(self._source, self._at)
        self._at = blank.end() if blank else self._at

    def _ahead(self, character: str) -> bool:
        self._blank()
        return self._source.startswith(character, self._at)

    def _skip(self, character: str) -> bool:
        found = self._ahead(character)
        self._at += found
        return found

    def _match(self, pattern: re.Pattern[str]) -> str | None:
        self._blank()
        match = pattern.match(self._source, self._at)
        if match is None:
            return None
        self._at = match.end()
        return match[0]

    def _unexpected(self, reason: str) -> ValueError:
        line = self._source.count("\n", 0, self._at) + 1
        column = self._at - (self._source.rfind("\n", 0, self._at) + 1)
        character = self._source[self._at : self._at + 1]
        return ValueError(f"{reason}: {character}. Path '', line {line}, position {column}.")


def _unescaped(quoted: str) -> str:
    def one(match: re.Match[str]) -> str:
        letter = match[1]
        if len(letter) > 1:
            return chr(int(letter[1:], 16))
        if letter not in _ESCAPES:
            raise ValueError(f"Bad JSON escape sequence: \\{letter}. Path '', line 1, position 1.")
        return _ESCAPES[letter]

    text = _ESCAPE.sub(one, quoted[1:-1])
    # A pair of \u escapes is one character.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
