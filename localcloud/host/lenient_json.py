"""What Newtonsoft reads besides JSON: single quotes, bare names, comments, a last comma, NaN. (By its source.)"""

from __future__ import annotations

import re
from typing import Any

SPACE = re.compile(r"(?:\s|/\*.*?\*/|//[^\n]*)*", re.DOTALL)
STRING = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
NAME = re.compile(r"[A-Za-z_$][\w$]*")
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
WORDS = {"true": True, "false": False, "null": None, "undefined": None, "NaN": float("nan"), "Infinity": float("inf")}
ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "\n": "\n", "\\": "\\", "/": "/", "'": "'", '"': '"'}
DEEPEST = 64


class BadJson(ValueError):
    """Text that looks like JSON and is none."""


def parse_lenient(text: str) -> Any:
    """The value of the text; raises BadJson saying where it is wrong."""
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def whole(self) -> Any:
        value = self._value()
        self._skip()
        if self._at < len(self._text):
            raise self._error("there is more after its end")
        return value

    def _value(self) -> Any:
        self._skip()
        match self._text[self._at : self._at + 1]:
            case "{":
                return self._nested("}", self._pairs)
            case "[":
                return self._nested("]", self._items)
            case "'" | '"':
                return self._string()
            case _:
                return self._scalar()

    def _nested(self, end: str, read: Any) -> Any:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"it is nested more than {DEEPEST} deep")
        self._at += 1
        found = read(end)
        self._depth -= 1
        return found

    def _pairs(self, end: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self._take(end):
            name = self._name()
            if not self._take(":"):
                raise self._error("a colon is missing")
            found[name] = self._value()
            self._separate(end)
        return found

    def _items(self, end: str) -> list[Any]:
        found: list[Any] = []
        while not self._take(end):
            found.append(self._value())
            self._separate(end)
        return found

    def _separate(self, end: str) -> None:
        self._skip()
        if not self._take(",") and self._text[self._at : self._at + 1] != end:
            raise self._error("a comma is missing")

    def _name(self) -> str:
        self._skip()
        if self._text[self._at : self._at + 1] in {"'", '"'}:
            return self._string()
        return self._matched(NAME, "a name is missing").group()

    def _string(self) -> str:
        found = self._matched(STRING, "a string does not end")
        return ESCAPE.sub(self._unescaped, found[1] if found[1] is not None else found[2])

    def _unescaped(self, found: re.Match[str]) -> str:
        escape = found[1]
        if escape[0] == "u" and len(escape) == 5:
            return chr(int(escape[1:], 16))
        if escape not in ESCAPES:
            raise self._error(f"there is no escape \\{escape}")
        return ESCAPES[escape]

    def _scalar(self) -> Any:
        if found := NUMBER.match(self._text, self._at):
            self._at = found.end()
            return float(found.group()) if re.search(r"[.eE]", found.group()) else int(found.group())
        negative = self._take("-")
        word = self._matched(NAME, "a value is missing").group()
        if word not in WORDS or (negative and word != "Infinity"):
            raise self._error(f"{word} is no value")
        return float("-inf") if negative else WORDS[word]

    def _take(self, character: str) -> bool:
        self._skip()
        found = self._text.startswith(character, self._at)
        self._at += found
        return found

    def _skip(self) -> None:
        if found := SPACE.match(self._text, self._at):
            self._at = found.end()

    def _matched(self, pattern: re.Pattern[str], otherwise: str) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if not found:
            raise self._error(otherwise)
        self._at = found.end()
        return found

    def _error(self, why: str) -> BadJson:
        return BadJson(f"it looks like JSON, but {why} (character {self._at})")
