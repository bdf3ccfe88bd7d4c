"""From the text of an expression to its tree: recursive descent over five token kinds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from localcloud.arm.expressions.values import ExpressionError

MAX_LENGTH = 24_576  # characters; ARM's limit for one expression
MAX_DEPTH = 60  # nested calls; ours: far under Python's own recursion limit

_TOKEN = re.compile(r"\s*(?:(?P<String>'(?:[^']|'')*')|(?P<Integer>-?\d+)|(?P<Identifier>[A-Za-z_$][\w$]*)|(?P<Symbol>[()\[\],.]))")
_WORDS = {"true", "false", "null"}  # also without the parentheses of a call
_SYMBOLS = {"(": "LeftParenthesis", ")": "RightParenthesis", "[": "LeftSquareBracket", "]": "RightSquareBracket", ",": "Comma", ".": "Dot"}


@dataclass(frozen=True, slots=True)
class Literal:
    """A string or a whole number; everything else is a function's value, even `true()`."""

    value: str | int


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """`target.name` or `target[key]`."""

    target: Node
    key: Node


Node = Literal | Call | Member


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str


def tokens(source: str) -> Iterator[Token]:
    """The tokens of an expression without its brackets, then one `EndOfData`."""
    position = 0
    while source[position:].strip():
        match = _TOKEN.match(source, position)
        if match is None:
            at = position + len(source[position:]) - len(source[position:].lstrip())
            raise ExpressionError(
                f"The language expression '{source}' is not valid: the string character '{source[at]}' at position '{at}' is not expected."
            )
        kind = str(match.lastgroup)
        yield Token(_SYMBOLS[match["Symbol"]] if kind == "Symbol" else kind, match[kind])
        position = match.end()
    yield Token("EndOfData", "")


def parse(source: str) -> Node:
    """The tree of an expression given without its outer brackets."""
    if len(source) > MAX_LENGTH:
        raise ExpressionError(f"The language expression length limit exceeded. Limit: '{MAX_LENGTH}' and actual: '{len(source)}'.")
    parser = _Parser(source)
    tree = parser.expression(0)
    parser.take("EndOfData")
    return tree


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = list(tokens(source))
        self._at = 0

    def take(self, kind: str) -> Token:
        token = self._tokens[self._at]
        if token.kind != kind:
            raise ExpressionError(
                f"Unable to parse language expression '{self._source}': expected token '{kind}' and actual '{token.kind}'."
            )
        self._at += 1
        return token

    def _peek(self) -> str:
        return self._tokens[self._at].kind

    def _skip(self, kind: str) -> bool:
        if self._peek() != kind:
            return False
        self._at += 1
        return True

    def expression(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"The language expression '{self._source[:80]}...' is nested more than {MAX_DEPTH} deep.")
        node = self._primary(depth)
        while True:
            if self._skip("Dot"):
                node = Member(node, Literal(self.take("Identifier").text))
            elif self._skip("LeftSquareBracket"):
                node = Member(node, self.expression(depth + 1))
                self.take("RightSquareBracket")
            else:
                return node

    def _primary(self, depth: int) -> Node:
        if self._peek() == "String":
            return Literal(self.take("String").text[1:-1].replace("''", "'"))
        if self._peek() == "Integer":
            return Literal(int(self.take("Integer").text))
        name = self.take("Identifier").text
        if self._peek() != "LeftParenthesis" and name in _WORDS:
            return Call(name, ())
        while self._skip("Dot"):  # a user-defined function: `contoso.name()`
            name += "." + self.take("Identifier").text
        self.take("LeftParenthesis")
        return Call(name, self._arguments(depth + 1))

    def _arguments(self, depth: int) -> tuple[Node, ...]:
        if self._skip("RightParenthesis"):
            return ()
        found = [self.expression(depth)]
        while self._skip("Comma"):
            found.append(self.expression(depth))
        self.take("RightParenthesis")
        return tuple(found)
