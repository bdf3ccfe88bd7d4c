"""What is wrong with something a person wrote: where, what, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from msgspec import Struct

LONGEST_COMPARED = 100  # comparing takes time with the square of the length, and a caller chooses the name


class Problem(Struct, frozen=True, order=True):
    """`path` is like `steps.convert.needs[0]`; `hint` may be empty."""

    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.message} ({self.hint})" if self.hint else f"{place}{self.message}"

    def under(self, path: str) -> Problem:
        """The same problem, seen from outside: its path is put behind `path`."""
        return Problem(join(path, self.path), self.message, self.hint)

    def as_error(self) -> dict[str, str]:
        """The form that problem+json carries in `errors`; without a `hint` where there is none."""
        words = {"field": printable(self.path), "message": printable(self.message)}
        return {**words, "hint": printable(self.hint)} if self.hint else words


def printable(text: str) -> str:
    """The text as an answer can carry it: a caller's name may hold half a surrogate pair, which no encoder takes."""
    return text.encode(errors="backslashreplace").decode()


def join(path: str, rest: str) -> str:
    """`steps.a` and `needs[0]` make `steps.a.needs[0]`; either side may be empty."""
    return path + rest if not path or not rest or rest.startswith("[") else f"{path}.{rest}"


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known word most like `name`, or lists all of them when there are few; empty otherwise."""
    words = list(known)
    if like := closest(name, words):
        return f"did you mean `{like}`?"
    return f"known here: {', '.join(words)}" if 0 < len(words) <= 12 and len(name) <= LONGEST_COMPARED else ""


def closest(name: str, words: Iterable[str]) -> str | None:
    """The word most like `name`, whatever the case; None when none is like it."""
    if len(name) > LONGEST_COMPARED:
        return None
    spelling = {word.lower(): word for word in words}
    close = get_close_matches(name.lower(), spelling, n=1, cutoff=0.6)
    return spelling[close[0]] if close else None
