"""Podman and Docker by their command lines, which are alike enough: what each command is, and what its answers mean."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.containers import owners
from localcloud.containers.runtime import GIB, Launch, Security
from localcloud.errors import CloudError

CHECKOUT = Path(__file__).resolve().parents[2]
LABEL = "localcloud"  # with the cloud's folder: what a cloud that was killed left behind is found by it
QUICK = 60.0  # seconds; such a command takes half a one, or it never ends
TOO_LONG = 124
OWNER = f"{LABEL}-owner"  # with the process that runs it

OWN = {
    "CONTAINERS_CONF": "containers.conf",
    "CONTAINERS_STORAGE_CONF": "storage.conf",
    "CONTAINERS_REGISTRIES_CONF": "registries.conf",
}
"""Podman's settings that `make containers` has written, by the variables that name them."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """`environment` is for the engine itself; `limits` are what the kernel lets it limit: memory, cpu."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: frozenset[str] = frozenset({"memory", "cpu"})

    def run(
        self,
        container: str,
        image: str,
        launch: Launch,
        *,
        label: str,
        env_file: Path,
        inherited: Iterable[str] = (),
        mounts: Sequence[tuple[Path, str, bool]] = (),
        network: Sequence[str] = ("--network", "host"),
    ) -> list[str]:
        """Runs in the foreground until the container has ended, with its exit code.

        `inherited` are variables that it gets from the engine's own environment. A mount is a folder, a path, and whether it is only read.
        """
        # A sandbox of ACI's is called so, and no proxy of this machine's is known there.
        podmans = [
            "--hostname",
            f"SandboxHost-{launch.group}"[:63].rstrip("-"),
            "--http-proxy=false",
            "--unsetenv",
            "TERM",
            "--unsetenv",
            "container",
            "--security-opt",
            "label=disable",
        ]
        first, *rest = launch.command or ("",)
        return [
            *(self.name, "run", "--name", container, "--pull", "never"),
            *("--label", f"{LABEL}={label}", "--label", f"{OWNER}={owners.me()}"),
            *(*network, "--env-file", str(env_file)),
            *(word for name in inherited for word in ("--env", name)),
            *(podmans if self.name == "podman" else []),
            *self._limits(launch),
            *_security(launch.security),
            *(word for mount in mounts for word in ("--mount", _mount(*mount))),
            *(("--entrypoint", first) if launch.command else ()),
            *(image, *rest),
        ]

    def pull(self, image: str) -> list[str]:
        return [self.name, "pull", "--quiet", *self._no_tls(), image]

    def push(self, image: str, target: str) -> list[list[str]]:
        """The commands that push an image of the engine's own under another name."""
        return [[self.name, "tag", image, target], [self.name, "push", *self._no_tls(), target]]

    def remove(self, containers: Sequence[str]) -> list[str]:
        return [self.name, "rm", "--force", "--volumes", *(("--time", "0") if self.name == "podman" else ()), *containers]

    def was_oom_killed(self, container: str) -> list[str]:
        return [self.name, "inspect", "--type", "container", "--format", "{{.State.OOMKilled}}", container]

    def labelled(self, label: str) -> list[str]:
        return [self.name, "ps", "--all", "--quiet", "--filter", f"label={LABEL}={label}"]

    def owned(self) -> list[str]:
        """Every cloud's containers, a line for each, for `abandoned`."""
        return [self.name, "ps", "--all", "--filter", f"label={OWNER}", "--format", "{{.ID}} {{.Labels}}"]

    def has_image(self, image: str) -> bool:
        return self.do([self.name, "image", "inspect", "--format", "{{.Id}}", image]).returncode == 0

    def remove_images(self, images: Sequence[str]) -> list[str]:
        """By these names alone: an image that has others stays, and so does one that a container needs."""
        return [self.name, "rmi", *images]

    def execute(self, container: str, command: Sequence[str]) -> list[str]:
        return [self.name, "exec", "--interactive", "--tty", container, *command]

    def do(self, words: Sequence[str], timeout: float = QUICK, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs one of the commands, and gives exit code 124 when that takes too long; `more` is added to its environment."""
        environment = {**os.environ, **self.environment, **more}
        try:
            return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, TOO_LONG, "", f"{' '.join(words[:2])} did not end within {timeout:.0f} s")

    def _limits(self, launch: Launch) -> list[str]:
        memory = str(int(launch.memory * GIB))
        asked = {
            # Without room in the swap, or the kernel would rather use that than kill.
            "memory": ["--memory", memory, "--memory-swap", memory] if launch.memory else [],
            "cpu": ["--cpus", f"{launch.cpu:g}"] if launch.cpu else [],
        }
        return [word for name in sorted(self.limits) for word in asked[name]]

    def _no_tls(self) -> list[str]:
        """The registry of this cloud speaks plain HTTP on the loopback; Docker knows of itself that it may there."""
        return ["--tls-verify=false"] if self.name == "podman" else []


def _security(asked: Security) -> list[str]:
    user = [] if asked.user is None and asked.group is None else ["--user", f"{asked.user or 0}:{asked.group or 0}"]
    gains = [] if asked.escalation else ["--security-opt", "no-new-privileges"]
    capabilities = [word for way, names in (("add", asked.add), ("drop", asked.drop)) for name in names for word in (f"--cap-{way}", name)]
    return [*user, *(["--privileged"] if asked.privileged else []), *gains, *capabilities]


def _mount(folder: Path, path: str, only_read: bool) -> str:
    return ",".join(["type=bind", f"source={folder}", f"target={path}", *(["readonly"] if only_read else [])])


def abandoned(lines: str) -> list[str]:
    """Those containers of all whose process has ended, by what `owned` prints: each engine prints labels in its own way."""
    found = [(line.split()[0], re.search(rf"{OWNER}[:=]([\w.-]+)", line)) for line in lines.splitlines() if line]
    return [container for container, owner in found if owner and owners.is_gone(owner[1])]


def find(name: str) -> Engine:
    """The engine of that name, ready for use. Raises CloudError that says what to do."""
    if shutil.which(name) is None:
        raise CloudError(f"there is no {name} here: run make containers (Debian, Ubuntu), install it, or use --containers processes")
    engine = Engine(name=name, environment=own_settings(os.environ) if name == "podman" else {})
    done = engine.do([name, "info", "--format", "json" if name == "podman" else "{{json .}}"])
    try:
        limits = known_limits(name, json.loads(done.stdout))
    except ValueError as error:
        reason = " ".join((done.stderr or str(error)).split())[:300]
        raise CloudError(f"{name} does not work here: {reason} (does its service run? make containers sets Podman up)") from None
    return Engine(name=name, environment=engine.environment, limits=limits)


def own_settings(environment: Mapping[str, str], checkout: Path = CHECKOUT) -> dict[str, str]:
    """The variables that name this checkout's settings of Podman, where `make containers` has written some and nobody has chosen others."""
    home = checkout / ".containers"
    if "CONTAINERS_CONF" in environment or not (home / "storage.conf").exists():
        return {}
    return {name: str(home / file) for name, file in OWN.items()}


def known_limits(name: str, info: Mapping[str, Any]) -> frozenset[str]:
    """What the kernel lets the engine limit, by what it says of itself. Raises ValueError for an engine without a service."""
    if name == "docker":
        # Without a daemon the client may say so, or only leave everything empty.
        if info.get("ServerErrors") or not info.get("OSType"):
            raise ValueError("; ".join(info.get("ServerErrors") or ["its daemon does not answer"]))
        return frozenset({key for key, said in (("memory", "MemoryLimit"), ("cpu", "CpuCfsQuota")) if info.get(said)})
    host = info["host"]
    controllers = host.get("cgroupControllers") or []
    if host["cgroupVersion"] != "v2" and host["security"]["rootless"]:
        return frozenset()
    return frozenset({"memory", "cpu"} & set(controllers))
