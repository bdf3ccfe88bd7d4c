"""Containers as plain processes: a folder, an environment, a session and a log of their own, and no walls.

A process gets exactly the environment of its container group and what an image or the platform would bring: `PATH`, `HOME` (its
folder), `TMPDIR`, `LANG`, the image's `env`, and the supervisor's platform variables, in which `{group}` stands for the group's name.
Memory and CPU are not limited, and the file system and the network are the machine's own: that takes real containers. Where a process
finds the group's volumes: see `volumes`.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from localcloud.containers import init
from localcloud.containers.images import ImageMap
from localcloud.containers.runtime import Ended, Launch, Problem, Pull
from localcloud.containers.terminals import ProcessTerminal
from localcloud.containers.volumes import Volumes, folders_of, link, translate

KEPT_LOG = 4 * 1024 * 1024  # bytes of a log that are readable: ACI's limit for a running container
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
        self._running: set[ContainerProcess] = set()
        self._lock = threading.Lock()

    def pull(self, order: Pull, found: Callable[[str], None], done: Callable[[Problem | None], None]) -> None:
        """Nothing is fetched; the outcome is that of a real pull."""
        image = self._images.find(order.image)
        why = order.refusal or ("" if image else self._images.advice(order.image))
        if not why:
            found(f"sha256:{hashlib.sha256(repr((order.image, image)).encode()).hexdigest()}")
        done(Problem(why) if why else None)

    def start(self, launch: Launch, ended: Ended) -> ContainerProcess:
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
        container = ContainerProcess(command, env, folder)
        with self._lock:
            self._running.add(container)
        container.watch(ended, self._forget)
        return container

    def forget(self, group: str) -> None:
        self._volumes.forget(group)

    def close(self) -> None:
        with self._lock:
            running = list(self._running)
        for container in running:
            container.kill()
        for container in running:
            container.join(CLOSE_WITHIN)
        shutil.rmtree(self._root, ignore_errors=True)

    def _forget(self, container: ContainerProcess) -> None:
        with self._lock:
            self._running.discard(container)

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
            **{name: value.replace("{group}", launch.group) for name, value in self._platform_env.items()},
            **own,
            **{name: translate(value, mounted) for name, value in launch.environment.items()},
        }


class ContainerProcess:
    """One process tree, held by `init`."""

    address = "127.0.0.1"  # a process listens on this machine

    def __init__(self, command: tuple[str, ...], env: Mapping[str, str], folder: Path) -> None:
        self._folder = folder
        self._env = dict(env)
        self._terminals: list[ProcessTerminal] = []
        self._log = folder / "log"
        self._stopped = False
        starter = [sys.executable, "-I", "-S", init.__file__, str(folder / "work"), str(self._log), *command]
        self._process = subprocess.Popen(starter, env=env, stdin=subprocess.PIPE, start_new_session=True)
        self._thread: threading.Thread | None = None

    def watch(self, ended: Ended, gone: Callable[[ContainerProcess], None]) -> None:
        """Report the end: to `gone` always, to `ended` unless it was stopped."""

        def wait() -> None:
            code = self._process.wait()
            self._cut()
            for terminal in self._terminals:
                terminal.kill()
            gone(self)
            if self._stopped:
                shutil.rmtree(self._folder, ignore_errors=True)
            else:
                ended(code)

        self._thread = threading.Thread(target=wait, name=f"container-{self._process.pid}", daemon=True)
        self._thread.start()

    def log(self) -> bytes:
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - KEPT_LOG))
                data = file.read()
        except FileNotFoundError:
            return b""
        return data if len(data) < KEPT_LOG else data[data.find(b"\n") + 1 :]

    def stop(self, grace: float) -> None:
        self._stopped = True
        if self._process.poll() is not None:
            # At the side: whoever stops it may hold a lock, and there may be many files.
            threading.Thread(target=shutil.rmtree, args=(self._folder,), kwargs={"ignore_errors": True}, daemon=True).start()
            return
        self._process.terminate()
        timer = threading.Timer(grace, self._cut)
        timer.daemon = True
        timer.start()

    def execute(self, command: Sequence[str], rows: int, cols: int) -> ProcessTerminal:
        if self._process.poll() is not None:
            raise ProcessLookupError("the container has ended")
        terminal = ProcessTerminal(command, self._env, self._folder / "work", rows, cols)
        self._terminals = [*(one for one in self._terminals if one.runs), terminal]
        if self._process.poll() is not None:  # just now, and it may have been overlooked when all others were killed
            terminal.kill()
        return terminal

    def kill(self) -> None:
        """At once, with all its children."""
        self._stopped = True
        self._cut()

    def join(self, timeout: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout)

    def _cut(self) -> None:
        """Close the lifeline: `init` kills everything and ends."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
