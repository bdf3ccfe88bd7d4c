"""What is left of a container that was ended by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn


class Remains:
    """Its log."""

    address = ""

    def __init__(self, log: bytes) -> None:
        self._log = log

    def log(self) -> bytes:
        return self._log

    def stop(self, _grace: float) -> None:
        """There is nothing to stop."""

    def execute(self, _command: Sequence[str], _rows: int, _cols: int) -> NoReturn:
        """There is nothing left to run it in."""
        raise OSError("the container has ended")
