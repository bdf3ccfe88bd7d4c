"""The state folder: `cloud.json` in it is how the command line and tests find the cloud that is up, `data-…` what that cloud holds."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localcloud.errors import CloudError
from localcloud.files import write_whole
from localcloud.ports import is_free


class StateFile:
    """The file in the state folder; it has the app's key, so only its owner may read it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "cloud.json"

    def read(self) -> dict[str, Any] | None:
        """What was written by a cloud that is up; None when there is none, the one that wrote it was killed, or the file is damaged."""
        try:
            content: dict[str, Any] = json.loads(self.path.read_text())
            pid, port = content["pid"], int(content["url"].rpartition(":")[2])
            # The process number of one that was killed may be somebody else's by now: does it listen, too?
            is_up = type(pid) is int and pid > 0 and is_alive(pid) and not is_free(port)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return None
        return content if is_up else None

    def write(self, content: Mapping[str, Any]) -> None:
        """Write it in one piece."""
        write_whole(self.path, json.dumps(content, indent=2))

    def remove(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)

    def refuse_if_running(self) -> None:
        """Raises CloudError when a cloud is up here already."""
        if found := self.read():
            raise CloudError(
                f"one is up already at {found['url']} (process {found['pid']}): use it, or stop it with python -m localcloud down"
            )


@contextmanager
def only_one_in(folder: Path) -> Iterator[None]:
    """Holds the folder against a second cloud, also while neither is up yet; raises CloudError when somebody else has it.

    The lock is on the folder itself: nothing is left to remove, and it ends with its process, even one that was killed.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise CloudError(f"another one is starting or stopping in {folder}: wait a moment and try again") from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def data_folder(folder: Path, kept: Path | None) -> Iterator[Path]:
    """A fresh folder below the state folder, removed at the end; or the one that is kept, which no second cloud may use meanwhile."""
    if kept:
        if kept.resolve() == folder.resolve():
            raise CloudError(f"{kept} is the local cloud's own folder: give --state another one, such as {kept / 'kept'}")
        kept.mkdir(parents=True, exist_ok=True, mode=0o700)
        with only_one_in(kept):
            yield kept.resolve()
        return
    for left_behind in folder.glob("data-*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix="data-", dir=folder)).resolve()
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


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
