"""What the images do, in the place of real ones. A file of its own: each function runs in a process that imports this and no tests."""

from __future__ import annotations

from collections import Counter
from typing import Any


def split(text: str) -> dict[str, Any]:
    """In the place of example.azurecr.io/words/split:1."""
    return {"words": text.split()}


def count(words: list[str]) -> dict[str, Any]:
    """In the place of example.azurecr.io/words/count:1."""
    [(most, times)] = Counter(words).most_common(1)
    return {"most": most, "times": times}


def report(most: str, times: int) -> dict[str, Any]:
    """In the place of example.azurecr.io/words/report:1."""
    print(f"reporting {most}")
    return {"line": f"{most}: {times}"}
