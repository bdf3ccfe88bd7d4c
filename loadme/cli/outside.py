"""What the command line takes from the world around it, in one object, so that a test can bring its own."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx


def _now() -> datetime:
    return datetime.now().astimezone()


def _is_alive(pid: int) -> bool:
    """Whether the process exists. Windows has no harmless signal to ask with: there the answer is always yes."""
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have a user without a name
        return ""


@dataclass(frozen=True, kw_only=True)
class Outside:
    """The network, the clock, the working directory, the process table, and who sits there."""

    transport: httpx.BaseTransport | None = None
    now: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    folder: Path = field(default_factory=Path.cwd)
    is_alive: Callable[[int], bool] = _is_alive
    user: Callable[[], str] = _user
