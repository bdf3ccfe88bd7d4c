"""What ARM asks of whatever runs its containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

IDENTITY_HOST = "AZURE_POD_IDENTITY_AUTHORITY_HOST"
GIB = 2**30  # what ACI calls a GB: a guess, Azure's is not documented
"""The variable that tells the Azure SDKs where a container's metadata service is."""


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A volume of a container group. `kind` is emptyDir, secret (with `files`) or azureFile (a `share` of a storage `account`)."""

    name: str
    kind: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    account: str = ""
    share: str = ""
    read_only: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A volume in a container, at an absolute path without a slash at its end. `read_only` is as it was sent, or None."""

    volume: Volume
    path: str
    read_only: bool | None = None

    @property
    def is_read_only(self) -> bool:
        """Whether the container may only read it: a secret always, a share also when the volume says so."""
        return bool(self.read_only or self.volume.read_only or self.volume.kind == "secret")


@dataclass(frozen=True, kw_only=True)
class Security:
    """As whom a container runs and what it may do, where that was asked for; plain processes run as whoever started them."""

    user: int | None = None
    group: int | None = None
    privileged: bool = False
    escalation: bool = True  # whether its processes may gain more than they were started with
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One start of one container. An empty command means the image's own; `memory` (GiB) and `cpu` (cores) are its limits, if not 0.

    `ports` are those at which others than its group may ask it.
    """

    group: str
    container: str
    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...] = ()
    memory: float = 0.0
    cpu: float = 0.0
    is_init: bool = False
    ports: tuple[int, ...] = ()
    security: Security = Security()

    def platform(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What the platform sets in this container, of all that it can: an init container has no identity, and {group} is the group."""
        withheld = {IDENTITY_HOST} if self.is_init else set()
        return {name: value.replace("{group}", self.group) for name, value in environment.items() if name not in withheld}


@dataclass(frozen=True, kw_only=True)
class Login:
    """For a registry: a username with its password, or the resource id of an identity."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity: str = ""


@dataclass(frozen=True, kw_only=True)
class Pull:
    """An image that a group needs. `refusal` is why a registry of this cloud refuses it, for a runtime that has no registry to ask."""

    group: str
    image: str
    login: Login | None = None
    refusal: str = ""


@dataclass(frozen=True)
class Problem:
    """Why an image did not come. It is `transient` when its registry answered with an error of its own, or not at all."""

    message: str
    transient: bool = False

    @classmethod
    def of_answer(cls, status: int, message: str) -> Problem:
        """What an HTTP status of a registry means: too many requests and its own errors may pass."""
        return cls(message, transient=status == 429 or status >= 500)


class Ended(Protocol):
    def __call__(self, code: int, detail: str = "") -> None:
        """The exit code, and more about it than the code says, such as OOM_KILLED."""


OOM_KILLED = "OOMKilled"


class Terminal(Protocol):
    """A further command in a container, at a terminal of its own."""

    def read(self) -> bytes:
        """What it has written since; waits until there is some. Nothing at all once it has ended."""

    def write(self, data: bytes) -> None:
        """Type this; nothing happens when it has ended."""

    def close(self) -> int:
        """Its exit code; what still runs of it is killed first. `read` then returns."""


class Container(Protocol):
    """A container that has been started."""

    @property
    def address(self) -> str:
        """Where this machine reaches its ports; "" where it does not."""

    def log(self) -> bytes:
        """Standard output and error so far; each line begins with a stamp (see `logs`)."""

    def stop(self, grace: float) -> None:
        """Ask it to end and, after `grace` real seconds, make it; returns at once. Its files and log are removed."""

    def execute(self, command: Sequence[str], rows: int, cols: int) -> Terminal:
        """Run a command among its files and with its environment. It ends with the container. Raises OSError when it cannot start."""


class Runtime(Protocol):
    @property
    def executes(self) -> bool:
        """Whether its containers have `execute` and an `address`: without, nobody can look into them, and probes cannot be kept."""

    def pull(self, order: Pull, found: Callable[[str], None], done: Callable[[Problem | None], None]) -> None:
        """Fetch an image. `found` gets its digest when that is known, `done` the outcome; on any thread, or before this returns."""

    def start(self, launch: Launch, ended: Ended) -> Container:
        """Start a container of an image that was pulled; `ended` is called at its end, on another thread, unless it was stopped before."""

    def forget(self, group: str) -> None:
        """Remove the group's own volumes, which its containers share: none of them runs any more, or each is being stopped."""

    def close(self) -> None:
        """Kill all that runs."""
