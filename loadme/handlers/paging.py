"""The numbers with which a caller asks for a page."""

from __future__ import annotations

from collections.abc import Collection

from loadme.definitions.problems import nearest
from loadme.errors import Rejected

PAGE = 50
LARGEST_PAGE = 500
DIGITS = 9


def limit(text: str) -> int:
    """How many a page has at most. Raises Rejected(400)."""
    return min(number(text, "limit"), LARGEST_PAGE) if text else PAGE


def number(text: str, name: str, least: int = 1) -> int:
    """The query parameter `name`, a whole number from `least`. Raises Rejected(400)."""
    if not text.isascii() or not text.isdigit() or len(text) > DIGITS or int(text) < least:
        raise Rejected(400, f"Bad {name}", f"`{name}` must be a whole number from {least}, not {text[:20]!r}")
    return int(text)


def status(text: str, known: Collection[str]) -> dict[str, str]:
    """What rows are looked for by the query parameter `status`, which may be empty. Raises Rejected(400) for one that no row has."""
    if text and text not in known:
        raise Rejected(400, "Bad status", f"there is no status {text[:20]!r}: {nearest(text[:20], known)}")
    return {"status": text} if text else {}
