"""The volumes of container groups as folders of this machine, and how a process that nobody can mount anything for finds them.

What a group's containers share (emptyDir, secret) goes with the group. A share of Azure Files is a folder that stays. A mount path is
found in two ways: by its own name below the folder that the process is started in (`/data` is `data`), and, wherever it stands as a
path in the command or in the group's environment, replaced by the volume's folder. A path that is written in the program itself is not
found: that takes real containers. What is read-only is so on Linux, where the kernel lets this user see to it (root, or user namespaces).
"""

from __future__ import annotations

import itertools
import re
import shutil
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from localcloud.containers.runtime import Mount, Volume

_BEFORE, _AFTER = r"(?<![\w./-])", r"(?![\w.-])"


class Volumes:
    """Those of one group are below `root`, the shares below `shares`, by account and name."""

    def __init__(self, root: Path, shares: Path) -> None:
        self._root = root
        self._shares = shares
        self._numbers = itertools.count(1)

    def folder(self, group: str, volume: Volume) -> Path:
        """The volume's folder, which is made with its files when a container first needs it. Raises ValueError."""
        if volume.kind == "azureFile":
            folder = _below(self._shares, volume.account, volume.share)
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        folder = _below(self._root, group, volume.name)
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
            for name, content in volume.files.items():
                _below(folder, name).write_bytes(content)
        return folder

    def forget(self, group: str) -> None:
        """Remove the group's own; the next group of this name has new ones at once."""
        gone = self._root / f".gone-{next(self._numbers)}"
        with suppress(FileNotFoundError):
            (self._root / group).rename(gone)
            # At the side: whoever forgets it may hold a lock, and there may be many files.
            threading.Thread(target=shutil.rmtree, args=(gone,), kwargs={"ignore_errors": True}, daemon=True).start()


def link(work: Path, folders: Mapping[str, Path]) -> None:
    """Make each mount path, below `work`, a link to its folder. One inside another one's is left out. Raises ValueError for `..`."""
    for path in sorted(folders):
        place = _below(work, *path.strip("/").split("/"))
        if not any(parent.is_symlink() for parent in place.parents):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(folders[path], target_is_directory=True)


def _below(folder: Path, *names: str) -> Path:
    """Whoever asked has been checked; this is so that no name that was overlooked leads out of the folder."""
    for name in names:
        if name in ("", ".", "..") or "/" in name:
            raise ValueError(f"'{name}' is not the name of a folder or a file")
    return folder.joinpath(*names)


def translate(text: str, folders: Mapping[str, Path]) -> str:
    """The text with each mount path that stands in it as a path, or begins one, replaced by its folder."""
    if not folders:
        return text
    paths = "|".join(re.escape(path) for path in sorted(folders, key=len, reverse=True))
    return re.sub(f"{_BEFORE}({paths}){_AFTER}", lambda found: str(folders[found[1]]), text)


def folders_of(volumes: Volumes, group: str, mounts: Sequence[Mount]) -> dict[str, Path]:
    """The folder at each mount path."""
    return {mount.path: volumes.folder(group, mount.volume) for mount in mounts}
