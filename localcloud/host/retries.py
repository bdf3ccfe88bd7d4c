"""A function's retry policy (`@app.retry`), which timers have; queue messages have their dequeue count instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

FIRST = 0.1  # seconds: what an exponential back-off begins with


@dataclass(frozen=True)
class RetryPolicy:
    """How often a failed run is run again (-1: for ever) and after how many seconds: a fixed delay is its own minimum and maximum."""

    count: int
    minimum: float
    maximum: float

    def delay(self, attempt: int, random: Callable[[], float]) -> float:
        """Seconds before retry number `attempt`, the first being 1; a growing one is moved by a fifth either way."""
        growing: float = (0.8 + 0.4 * random()) * 2.0 ** min(attempt - 1, 30) * FIRST
        return min(self.minimum + (growing if self.maximum > self.minimum else 0.0), self.maximum)


def retry_policy(given: Mapping[str, str]) -> RetryPolicy | None:
    """The policy as the worker describes it; None without one. Raises ValueError naming what is wrong."""
    if not given:
        return None
    count = int(given.get("max_retry_count") or 0)
    if given.get("strategy") == "fixed_delay":
        delay = _seconds(given.get("delay_interval"), 0.0)
        return RetryPolicy(count, delay, delay)
    return RetryPolicy(count, _seconds(given.get("minimum_interval"), 0.0), _seconds(given.get("maximum_interval"), 2147483647.0))


def _seconds(text: str | None, default: float) -> float:
    if not text:
        return default
    found = re.fullmatch(r"(?:(\d+) days?, )?(\d+):(\d{2}):(\d{2})", text)
    if not found:
        raise ValueError(f"the retry policy has the interval {text!r}: it must look like 00:00:05")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(days * 86400 + hours * 3600 + minutes * 60 + seconds)
