"""Just enough of CEL's tokens to find where an expression ends and which names it goes through."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_TOKEN = re.compile(
    r"""
    (?P<string>
        [bB]?[rR][bB]?(?:'''.*?'''|\"\"\".*?\"\"\"|'[^'\n]*'|"[^"\n]*")
      | [bB]?(?:'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")
    )
    | (?P<name>[A-Za-z_]\w*|`[^`\n]*`)
    | (?P<space>\s+|//[^\n]*)
    | (?P<other>\d[\w.]*|.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)


def end_of_expression(text: str, start: int) -> int | None:
    """Where the `}}` is that closes the expression begun at `start`; braces in quotes and those of CEL's own maps do not count."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token.group() == "{":
            depth += 1
        elif token.group() == "}" and depth:
            depth -= 1
        elif token.group() == "}" and text.startswith("}}", token.start()):
            return token.start()
    return None


def paths(source: str, roots: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Each path that begins at a root: `steps['a'].outputs.n` is ("steps", "a", "outputs", "n")."""
    tokens = [token for token in _TOKEN.finditer(source) if token.lastgroup != "space"]
    words = [token.group() for token in tokens]
    for index, word in enumerate(words):
        if word in roots and (index == 0 or words[index - 1] != "."):
            yield (word, *_rest(tokens, words, index + 1))


def _rest(tokens: list[re.Match[str]], words: list[str], index: int) -> Iterator[str]:
    while index + 1 < len(tokens):
        kind, closing = tokens[index + 1].lastgroup, words[index + 2 : index + 3]
        if words[index] == "." and kind == "name" and closing != ["("]:
            yield words[index + 1].strip("`")
            index += 2
        elif words[index] == "[" and kind == "string" and closing == ["]"]:
            yield words[index + 1].strip("'\"")
            index += 3
        else:
            return
