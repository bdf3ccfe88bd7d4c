"""What chance decides, so that it can be met again."""

from __future__ import annotations

import random
from collections import Counter


class Coincidences:
    """The n-th decision of a name depends on nothing but the seed, the name and n: not on what else was decided, or in which order."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made: Counter[str] = Counter()

    def happens(self, name: str, probability: float) -> bool:
        self._made[name] += 1
        source = random.Random(f"{self._seed}:{name}:{self._made[name]}")  # noqa: S311 - no secrets
        return source.random() < probability
