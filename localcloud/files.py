"""Writing files that others read, or that a killed process may leave behind; naming files to a user."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write it in one piece, for its owner only: whoever reads it sees all or nothing, even when the writer is killed."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}-")  # mkstemp: readable by its owner only
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(name).replace(path)


def short(path: Path) -> str:
    """Relative to the working directory where that is shorter."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
