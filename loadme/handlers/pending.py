"""What a check of a step without a container finds while the step is not over."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from msgspec import Struct

LONGEST = 3600.0
"""Seconds between two looks: a message that was lost is missed for no longer."""


class Pending(Struct, frozen=True, kw_only=True):
    """Not over yet: look again `delay` seconds from now. Of another run, whether it exists and when it began."""

    delay: float
    is_deployed: bool = False
    started_at: datetime | None = None

    @classmethod
    def until(cls, left: float) -> Self:
        """Look again when so many seconds have passed, or sooner."""
        return cls(delay=min(left, LONGEST))
