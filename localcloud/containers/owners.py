"""Which process a container belongs to, and whether that still runs: what a cloud that was killed left behind belongs to nobody."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

_NAME = re.sub(r"[^\w-]", "-", os.uname().nodename)


def me() -> str:
    """This process: its machine, its number, and when it began, for numbers are used again."""
    return f"{_NAME}.{os.getpid()}.{_began(os.getpid())}"


def is_gone(owner: str) -> bool:
    """Whether it surely has ended: of another machine's process nobody here can say so."""
    name, _, rest = owner.partition(".")
    number, _, began = rest.partition(".")
    if name != _NAME or not number.isdecimal():
        return False
    return not _runs(int(number)) or began != _began(int(number))


def _runs(number: int) -> bool:
    with suppress(PermissionError):  # somebody else's, but it is there
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return False
    return True


def _began(number: int) -> str:
    """In ticks since the machine began; "" where there is no /proc."""
    with suppress(OSError):
        # The name before it, in brackets, may have any characters.
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
    return ""
