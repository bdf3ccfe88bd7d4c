"""Containers as plain processes: a folder, an environment, a session and a log of their own, and no walls.

A process gets exactly the environment of its container group and what an image or the platform would bring: `PATH`, `HOME` (its
folder), `TMPDIR`, `LANG`, the image's `env`, and the supervisor's platform variables, in which `{group}` stands for the group's name.
On Linux a container that uses more memory than it may is killed. CPU is not limited, and the file system and the network are the
machine's own: that takes real containers. Where a process finds the group's volumes: see `volumes`.
"""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from localcloud.containers.held import Held
from localcloud.containers.images import ImageMap
from localcloud.containers.running import Running
from localcloud.containers.runtime import GIB, Ended, Launch, Problem, Pull
from localcloud.containers.volumes import Volumes, folders_of, link, translate

CLOSE_WITHIN = 5.0  # seconds


class ProcessRuntime:
    """Runs images by the commands of an image map, below `root`."""

    executes = True

    def __init__(self, images: ImageMap, root: Path, platform_env: Mapping[str, str], shares: Path | None = None) -> None:
        self._images = images
        self._root = root
        self._volumes = Volumes(root / "volumes", shares or root / "shares")
        self._platform_env = dict(platform_env)
        self._numbers = itertools.count(1)
        self._running = Running(CLOSE_WITHIN)

    def pull(self, order: Pull, found: Callable[[str], None], done: Callable[[Problem | None], None]) -> None:
        """Nothing is fetched; the outcome is that of a real pull."""
        image = self._images.find(order.image)
        why = order.refusal or ("" if image else self._images.advice(order.image))
        if not why:
            found(f"sha256:{hashlib.sha256(repr((order.image, image)).encode()).hexdigest()}")
        done(Problem(why) if why else None)

    def start(self, launch: Launch, ended: Ended) -> Held:
        self._running.check()
        image = self._images.find(launch.image)
        if image is None:
            raise LookupError(f"no image {launch.image}")
        folder = self._root / f"{launch.group}.{launch.container}.{next(self._numbers)}"
        for name in ("work", "tmp"):
            (folder / name).mkdir(parents=True)
        mounted = folders_of(self._volumes, launch.group, launch.mounts)
        link(folder / "work", mounted)
        env = self._environment(launch, image.env, folder, mounted)
        command = tuple(translate(word, mounted) for word in self._command(launch, image.command))
        return self._running.take(Held(command, env, folder, _options(launch, mounted)), ended)

    def forget(self, group: str) -> None:
        self._volumes.forget(group)

    def close(self) -> None:
        self._running.close()
        shutil.rmtree(self._root, ignore_errors=True)

    def _command(self, launch: Launch, own: tuple[str, ...]) -> tuple[str, ...]:
        """The group's command replaces the image's, as it replaces an ENTRYPOINT; `python` is the interpreter at hand."""
        first, *rest = launch.command or own
        return (self._images.python if first in {"python", "python3"} else first, *rest)

    def _environment(self, launch: Launch, own: Mapping[str, str], folder: Path, mounted: Mapping[str, Path]) -> dict[str, str]:
        bins = Path(self._images.python).parent
        return {
            "PATH": f"{bins}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder / "work"),
            "TMPDIR": str(folder / "tmp"),
            "LANG": "C.UTF-8",
            **launch.platform(self._platform_env),
            **own,
            **{name: translate(value, mounted) for name, value in launch.environment.items()},
        }


def _options(launch: Launch, mounted: Mapping[str, Path]) -> dict[str, Any]:
    """For `init`: the memory in bytes, and the folders of volumes that the container only reads, and mounts nowhere else to write."""
    written = {mounted[mount.path] for mount in launch.mounts if not mount.is_read_only}
    read = {mounted[mount.path] for mount in launch.mounts} - written
    return {"memory": int(launch.memory * GIB), "read_only": sorted(map(str, read))}
