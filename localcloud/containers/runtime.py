"""What ARM asks of whatever runs its containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


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


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One start of one container. An empty command means the image's own."""

    group: str
    container: str
    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...] = ()


class Container(Protocol):
    """A container that has been started."""

    def log(self) -> bytes:
        """Standard output and error so far; each line begins with a stamp (see `logs`)."""

    def stop(self, grace: float) -> None:
        """Ask it to end and, after `grace` real seconds, make it; returns at once. Its files and log are removed."""


class Runtime(Protocol):
    def has(self, image: str) -> bool:
        """Whether the image could be pulled."""

    def advice(self, image: str) -> str:
        """What whoever uses this machine can do about an image that could not be pulled."""

    def start(self, launch: Launch, ended: Callable[[int], None]) -> Container:
        """Start a container; `ended` gets its exit code, on another thread, unless it was stopped before."""

    def forget(self, group: str) -> None:
        """Remove the group's own volumes, which its containers share: none of them runs any more, or each is being stopped."""

    def close(self) -> None:
        """Kill all that runs."""
