"""`.localcloud/cloud.json`: how the command line and tests find the cloud that is up."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.errors import CloudError
from localcloud.ports import is_free


class StateFile:
    """The file in the state folder; it has the app's key, so only its owner may read it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "cloud.json"

    def read(self) -> dict[str, Any] | None:
        """What was written by a cloud that is up; None when there is none, or the one that wrote it was killed."""
        try:
            content: dict[str, Any] = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return None
        # The process number of one that was killed may be somebody else's by now: does it listen, too?
        return content if is_alive(int(content["pid"])) and not is_free(int(content["url"].rpartition(":")[2])) else None

    def write(self, content: Mapping[str, Any]) -> None:
        """Write it in one piece: whoever reads it sees all or nothing."""
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix="cloud-")  # mkstemp: readable by its owner only
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=2)
        Path(name).replace(self.path)

    def remove(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)

    def refuse_if_running(self) -> None:
        """Raises CloudError when a cloud is up here already."""
        if found := self.read():
            raise CloudError(
                f"one is up already at {found['url']} (process {found['pid']}): use it, or stop it with python -m localcloud down"
            )


def is_alive(pid: int) -> bool:
    """Whether the process is running, and is ours to signal."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether it has ended and only its parent has not looked yet; where there is no /proc, nobody can say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
