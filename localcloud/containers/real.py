"""Containers run by Podman or Docker: real images, really pulled, behind real walls.

A group has a network of its own where that is possible (see `networks`), or else the machine's: either way its containers meet at
127.0.0.1 and reach this cloud there. A container has the environment of its image, of the platform and of its group, in this order; its
volumes are folders of this machine.
"""

from __future__ import annotations

import base64
import itertools
import json
import logging
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from localcloud.containers.engine import Engine, abandoned
from localcloud.containers.held import KILLED, Held
from localcloud.containers.logs import unstamped
from localcloud.containers.manifests import Place, Unavailable
from localcloud.containers.networks import RESOLVER, GroupNetwork, Networks
from localcloud.containers.running import Running
from localcloud.containers.runtime import OOM_KILLED, Ended, Launch, Login, Problem, Pull
from localcloud.containers.terminals import ProcessTerminal
from localcloud.containers.volumes import Volumes
from localcloud.ports import LOOPBACK

_log = logging.getLogger(__name__)

CLOSE_WITHIN = 15.0  # seconds
PULL_WITHIN = 1800.0  # seconds: ACI gives a group half an hour to come up


class Registries(Protocol):
    """Where images are, and as whom to ask there."""

    def place(self, image: str) -> Place: ...

    def login(self, place: Place, login: Login | None) -> tuple[str, str] | None:
        """A user name and a password; None for nobody. Raises Unavailable."""

    def digest(self, place: Place, login: tuple[str, str] | None) -> str:
        """Raises Unavailable."""

    def advice(self, image: str) -> str:
        """What whoever uses this machine can do about an image that is not there."""


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What ACI would bring into every container: `environment`, with {group} for the group's name, and folders that are only read."""

    environment: Mapping[str, str]
    folders: Mapping[str, Path]


class RealRuntime:
    """`label` tells its containers from those of other clouds: what one that was killed left behind is removed first."""

    executes = True

    def __init__(
        self,
        engine: Engine,
        root: Path,
        registries: Registries,
        platform: Platform,
        shares: Path,
        label: str,
        networks: Networks | None = None,
    ) -> None:
        self._engine = engine
        self._root = root
        self._registries = registries
        self._platform = platform
        self._volumes = Volumes(root / "volumes", shares)
        self._label = label
        self._networks = networks
        self._id = secrets.token_hex(3)
        self._numbers = itertools.count(1)
        self._images: dict[tuple[str, str], str] = {}  # what was pulled, by group and the image's name
        self._own_images: set[str] = set()  # those that were not on this machine before
        self._running = Running(CLOSE_WITHIN)
        root.mkdir(parents=True, exist_ok=True)
        self.sweep()
        self._remove(abandoned(engine.do(engine.owned()).stdout))

    def sweep(self) -> None:
        """Remove every container with this label."""
        self._remove(self._engine.do(self._engine.labelled(self._label)).stdout.split())

    def pull(self, order: Pull, found: Callable[[str], None], done: Callable[[Problem | None], None]) -> None:
        def fetch() -> None:
            problem = self._outcome(order, found)
            if not self._running.closed:
                done(problem)

        threading.Thread(target=fetch, name=f"pull-{order.group}", daemon=True).start()

    def start(self, launch: Launch, ended: Ended) -> RealContainer:
        self._running.check()
        image = self._images.get((launch.group, launch.image))
        if image is None:
            raise LookupError(f"{launch.image} was not pulled")
        network = self._networks.of(launch.group) if self._networks else None
        number = next(self._numbers)
        folder = self._root / f"{launch.group}.{launch.container}.{number}"
        (folder / "work").mkdir(parents=True)
        name = f"{launch.group}.{launch.container}.{self._id}{number}"
        environment, inherited = divided(self._environment(launch), {**os.environ, **self._engine.environment})
        env_file = write_environment(folder / "environment", environment)
        words = self._engine.run(
            name,
            image,
            launch,
            label=self._label,
            env_file=env_file,
            inherited=inherited,
            mounts=self._mounts(launch),
            **_network_of(network, launch),
        )
        container = RealContainer(self._engine, name, words, inherited, folder, network.address if network else LOOPBACK)
        return self._running.take(container, ended)

    def forget(self, group: str) -> None:
        self._volumes.forget(group)
        if self._networks:
            self._networks.forget(group)

    def close(self) -> None:
        self._running.close()
        self.sweep()
        if self._networks:
            self._networks.close()
        if self._own_images:
            self._engine.do(self._engine.remove_images(sorted(self._own_images)))
        shutil.rmtree(self._root, ignore_errors=True)

    def _remove(self, containers: Sequence[str]) -> None:
        if containers:
            self._engine.do(self._engine.remove(containers))

    def _outcome(self, order: Pull, found: Callable[[str], None]) -> Problem | None:
        try:
            self._running.check()
            if self._networks:
                self._networks.of(order.group)  # here, where nobody waits for it
            self._fetch(order, found)
        except Unavailable as unavailable:
            advice = self._registries.advice(order.image) if unavailable.absent else order.refusal
            problem = unavailable.problem
            return replace(problem, message="; ".join(filter(None, (problem.message, advice))))
        except Exception as error:
            if not self._running.closed:
                _log.exception("a bug in the local cloud: %s cannot be pulled", order.image)
            return Problem(repr(error), transient=True)
        return None

    def _fetch(self, order: Pull, found: Callable[[str], None]) -> None:
        place = self._registries.place(order.image)
        login = self._registries.login(place, order.login)
        digest = self._registries.digest(place, login)
        found(digest)
        host = place.url.partition("://")[2].replace("registry-1.docker.io", "docker.io")
        image = f"{host}/{place.repository}@{digest}"
        if image not in self._own_images and not self._engine.has_image(image):
            self._own_images.add(image)
        with auth_folder(self._root, host, login) as folder:
            failed = self._bring(image, folder)
        if failed is not None:
            # Its manifest was there a moment ago, and the credentials were good: what failed will pass.
            raise Unavailable(Problem(" ".join(failed.split())[-400:], transient=True))
        self._images[order.group, order.image] = image

    def _bring(self, image: str, credentials: Path) -> str | None:
        """Pull it, in a process that ends with this runtime, however that ends; what it said when it failed."""
        folder = self._root / f"pull.{next(self._numbers)}"
        (folder / "work").mkdir(parents=True)
        more = {"REGISTRY_AUTH_FILE": str(credentials / "config.json"), "DOCKER_CONFIG": str(credentials)}
        words, environment = self._engine.pull(image), {**os.environ, **self._engine.environment, **more}
        held = self._running.take(Held(words, environment, folder), _pulled)
        held.join(PULL_WITHIN)
        said = unstamped(held.log()).decode(errors="replace") or "the pull was given up"
        held.stop(0)
        return None if held.exit_code == 0 else said

    def _environment(self, launch: Launch) -> dict[str, str]:
        return {**launch.platform(self._platform.environment), **launch.environment}

    def _mounts(self, launch: Launch) -> list[tuple[Path, str, bool]]:
        """Outer paths first, or the inner ones would be hidden."""
        own = [(folder, path, True) for path, folder in self._platform.folders.items()]
        for mount in sorted(launch.mounts, key=lambda mount: mount.path):
            folder = self._volumes.folder(launch.group, mount.volume)
            folder.chmod(0o755 if mount.volume.kind == "secret" else 0o777)  # whoever an image runs as
            own.append((folder, mount.path, mount.is_read_only))
        return own


class RealContainer(Held):
    """A container whose foreground command is held: when that is killed, so is the container."""

    def __init__(self, engine: Engine, name: str, words: Sequence[str], inherited: Mapping[str, str], folder: Path, address: str) -> None:
        self.address = address
        self._engine = engine
        self._name = name
        options = {"lets_go": True, "after": engine.remove([name])}
        super().__init__(words, {**inherited, **os.environ, **engine.environment}, folder, options)

    def settle(self, code: int) -> tuple[int, str]:
        """Ask why it ended, then remove it: its log is kept here."""
        detail = OOM_KILLED if code == KILLED and not self._stopped and self._was_oom_killed() else ""
        self._engine.do(self._engine.remove([self._name]))
        return code, detail

    def open_terminal(self, command: Sequence[str], rows: int, cols: int) -> ProcessTerminal:
        return ProcessTerminal(self._engine.execute(self._name, command), self._env, self.folder, rows, cols)

    def _was_oom_killed(self) -> bool:
        # Podman's monitor of Debian 12 leaves its mark where Podman was called, and Podman never finds it.
        marked = (self.folder / "work" / "oom").exists()
        return marked or self._engine.do(self._engine.was_oom_killed(self._name)).stdout.strip() == "true"


def _pulled(code: int, detail: str = "") -> None:
    """Whoever pulls waits for it."""
    _log.debug("a pull has ended with %d %s", code, detail)


def _network_of(network: GroupNetwork | None, launch: Launch) -> dict[str, list[str]]:
    """For the engine: nothing when it is this machine's."""
    if network is None:
        return {}
    for port in launch.ports:
        network.open(port)
    return {"network": ["--network", f"ns:{network.path}", "--dns", RESOLVER]}


def divided(environment: Mapping[str, str], engines: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Those variables that fit into a file with a line for each, and those that the engine must hand on from its own environment.

    Raises ValueError for one of several lines that has a name in the engine's environment.
    """
    inherited = {name: value for name, value in environment.items() if "\n" in value}
    if taken := inherited.keys() & engines.keys():
        raise ValueError(f"the environment variable {min(taken)} has several lines, and the engine needs one of that name for itself")
    return {name: value for name, value in environment.items() if name not in inherited}, inherited


def write_environment(file: Path, environment: Mapping[str, str]) -> Path:
    """As an env file: nobody sees the values in the list of processes."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as content:
        content.writelines(f"{name}={value}\n" for name, value in environment.items())
    return file


@contextmanager
def auth_folder(root: Path, host: str, login: tuple[str, str] | None) -> Iterator[Path]:
    """A folder with the credentials, in the one form that both engines read."""
    folder = Path(tempfile.mkdtemp(prefix="auth-", dir=root))
    try:
        auth = {"auth": base64.b64encode(":".join(login).encode()).decode()} if login else {}
        names = (host, "https://index.docker.io/v1/") if host == "docker.io" else (host,)
        (folder / "config.json").write_text(json.dumps({"auths": dict.fromkeys(names, auth) if login else {}}))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
