"""Images that a test makes: a command, or a function of the test's own module, that stands for an image in the local cloud."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from localcloud.files import write_whole

RUNNER = ("{python}", "-m", "loadme.step", "run", "--")
"""loadme's own, which reports what a container writes to $LOADME_OUTPUT."""


class Images:
    """An image map of its own, which the local cloud reads again at once."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._images: dict[str, dict[str, Any]] = {}
        self._write()

    def add(self, name: str, made_of: Sequence[str] | Callable[..., Any], env: Mapping[str, str], *, runner: bool) -> None:
        """Raises TypeError for a function that a process of its own could not find."""
        words = _calling(made_of) if callable(made_of) else [*RUNNER, *made_of] if runner else list(made_of)
        self._images[name] = {"command": words, "env": {"PYTHONPATH": _path(), **env}}
        self._write()

    def clear(self) -> None:
        """Take all away."""
        if self._images:
            self._images = {}
            self._write()

    def _write(self) -> None:
        write_whole(self.file, yaml.safe_dump({"images": self._images}))


def _calling(function: Callable[..., Any]) -> list[str]:
    file = inspect.getsourcefile(function)
    if not file or getattr(function, "__qualname__", "<").rpartition(".")[0] or "<" in function.__qualname__:
        raise TypeError(f"{function!r} runs in a process of its own: give a function of a module, not a lambda or one inside another")
    return ["{python}", str(Path(__file__).with_name("call.py")), file, function.__name__]


def _path() -> str:
    """Where this process finds its modules, so that the container's does."""
    own = str(Path(__file__).resolve().parents[2])
    return ":".join(dict.fromkeys([own, *(entry for entry in sys.path if entry and Path(entry).is_dir() and "site-packages" not in entry)]))
