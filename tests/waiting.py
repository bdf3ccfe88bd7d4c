"""The one way in which tests wait: look again and again, until a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_for(predicate: Callable[[], Value], timeout: float, what: str, pause: float = 0.05) -> Value:
    """The predicate's first true value; fails, naming what was waited for, when there is none in time."""
    deadline = time.monotonic() + timeout
    while not (value := predicate()):
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain for {what}"
        time.sleep(pause)
    return value
