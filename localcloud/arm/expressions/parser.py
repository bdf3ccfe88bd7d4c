"""From the text of an expression to its tree: recursive descent over five token kinds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from localcloud.arm.expressions.values import INT_MAX, INT_MIN, ExpressionError, general_usage

MAX_LENGTH = 24_576  # characters; ARM's limit for one expression
MAX_DEPTH = 60  # nested calls, or accesses in a row; ours: far under Python's own recursion limit

_TOKEN = re.compile(
    r"(?P<String>'(?:[^']|'')*+')|(?P<Float>-?\d+\.\d+)|(?P<Integer>-?\d+)|(?P<Identifier>[A-Za-z_$][\w$]*)|(?P<Symbol>[()\[\],.])"
)
_SPACE = re.compile(r"\s*")
_WORDS = {"true", "false", "null"}  # also without the parentheses of a call
_SYMBOLS = {"(": "LeftParenthesis", ")": "RightParenthesis", "[": "LeftSquareBracket", "]": "RightSquareBracket", ",": "Comma", ".": "Dot"}


@dataclass(frozen=True, slots=True)
class Literal:
    """A string or a number; everything else is a function's value, even `true()`."""

    value: str | int | float


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
    position = _skip_space(source, 0)
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            raise _unexpected(source, position)
        kind = str(match.lastgroup)
        yield Token(_SYMBOLS[match["Symbol"]] if kind == "Symbol" else kind, match[kind])
        position = _skip_space(source, match.end())
    yield Token("EndOfData", "")


def _skip_space(source: str, position: int) -> int:
    match = _SPACE.match(source, position)
    return match.end() if match else position


def _unexpected(source: str, at: int) -> ExpressionError:
    start = f"The language expression '{source}' is not valid: the string "
    if source[at] == "'":
        return ExpressionError(
            f"{start}constant at position '{at}' is not terminated. String constants must be enclosed within a pair of single quotes. "
            + general_usage()
        )
    return ExpressionError(f"{start}character '{source[at]}' at position '{at}' is not expected.")


def quote(value: str) -> str:
    """A string as a constant of an expression."""
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


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
        self._check(depth)
        node = self._primary(depth)
        accesses = 0
        while True:
            if self._skip("Dot"):
                node = Member(node, Literal(self.take("Identifier").text))
            elif self._skip("LeftSquareBracket"):
                node = Member(node, self.expression(depth + 1))
                self.take("RightSquareBracket")
            else:
                return node
            accesses += 1
            self._check(accesses)

    def _check(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"The language expression '{self._source[:80]}...' is nested more than {MAX_DEPTH} deep.")

    def _primary(self, depth: int) -> Node:
        if self._peek() == "String":
            return Literal(self.take("String").text[1:-1].replace("''", "'"))
        if self._peek() == "Integer":
            return Literal(self._integer(self.take("Integer").text))
        if self._peek() == "Float":
            return Literal(float(self.take("Float").text))
        name = self.take("Identifier").text
        if self._peek() not in ("LeftParenthesis", "Dot") and name.lower() in _WORDS:
            return Call(name, ())
        while self._skip("Dot"):  # a user-defined function: `contoso.name()`
            name += "." + self.take("Identifier").text
        self.take("LeftParenthesis")
        return Call(name, self._arguments(depth + 1))

    def _integer(self, digits: str) -> int:
        # Compared by length first: Python refuses to read thousands of digits.
        if len(digits) > 20 or not INT_MIN <= int(digits) <= INT_MAX:
            raise ExpressionError(f"The language expression '{self._source}' is not valid: the number '{digits}' is out of range.")
        return int(digits)

    def _arguments(self, depth: int) -> tuple[Node, ...]:
        if self._skip("RightParenthesis"):
            return ()
        found = [self.expression(depth)]
        while self._skip("Comma"):
            found.append(self.expression(depth))
        self.take("RightParenthesis")
        return tuple(found)
