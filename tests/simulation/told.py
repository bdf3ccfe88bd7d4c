"""What users were told and may rely on."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Told(NamedTuple):
    """What somebody who answered a step was told: that it was `accepted`, or `kept` until the step waits; and when."""

    run: str
    step: str
    approved: bool
    said: str
    at: datetime
