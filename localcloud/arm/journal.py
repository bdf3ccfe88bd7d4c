"""Every call that ARM has got, for tests to read back."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any

from localcloud.arm.calls import Call

KEPT = 100_000  # calls


class Journal:
    def __init__(self) -> None:
        self._calls: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def write(self, call: Call, status: int, now: datetime) -> None:
        """No bodies and no headers: they hold secrets."""
        self._calls.append(
            {
                "method": call.method,
                "path": call.path,
                "query": dict(call.query),
                "status": status,
                "by": call.by,
                "time": now.isoformat(),
            }
        )

    def clear(self) -> None:
        self._calls.clear()

    def listing(self) -> list[dict[str, Any]]:
        return list(self._calls)
