"""How long to wait before the next poll of an empty queue."""

from __future__ import annotations

from collections.abc import Callable

MINIMUM = 0.1


class Backoff:
    """0.1 s after work, then randomly about twice as long each time, up to `maximum` seconds."""

    def __init__(self, maximum: float, random: Callable[[], float]) -> None:
        self._maximum = maximum
        self._random = random
        self._empty = 0

    def work_found(self) -> None:
        """Begin again at the minimum."""
        self._empty = 0

    def next(self) -> float:
        """Seconds to wait after another empty poll; `random` is in 0 to 1 and moves it by a fifth either way."""
        self._empty += 1
        if self._empty == 1:
            return MINIMUM
        growing: float = MINIMUM + (0.8 + 0.4 * self._random()) * 2.0 ** min(self._empty - 2, 30) * MINIMUM
        return min(growing, self._maximum)
