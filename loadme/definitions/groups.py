"""The types of what a step's container group has besides the step's own container."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

MOST_CONTAINERS, MOST_VOLUMES = 60, 20
"""Of one container group; of the containers one is the step's own."""

LEAST = 1.0
"""Cores, and GB of memory: a container group has at least as much, all its containers together. The same for either priority."""

MOST_CPU, MOST_MEMORY = 31.0, 240.0
"""Cores and GB that a regular container group can have, all its containers together."""

SPOT_CPU, SPOT_MEMORY = 4.0, 16.0
"""The same of a spot one."""

SIDECAR_CPU, SIDECAR_MEMORY = 0.1, 0.1
"""What a sidecar has that does not say it."""


class AzureFiles(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A share of Azure Files; `key` is where the storage account's key is: keyvault://VAULT/SECRET."""

    account: str
    share: str
    key: str
    read_only: bool = False


class Volume(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A volume at `mount`: `empty`, shared by the group's containers; `secret`, file names and keyvault:// references; or `files`."""

    mount: str
    empty: bool = False
    secret: dict[str, str] | None = None
    files: AzureFiles | None = None


class Beside(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A container besides the step's own: before it (`init`) or beside it (`sidecars`). It has the step's environment and volumes.

    `cpu` and `memory` are for a sidecar; an init container has none of its own.
    """

    image: str
    command: tuple[str, ...] = ()
    env: dict[str, str] = {}
    cpu: float | None = None
    memory: float | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """All of it that may hold an expression."""
        return (self.image, *self.command, *self.env.values())


def cpu(own: float, sidecars: Iterable[Beside]) -> float:
    """Cores of a group: the step's own container's and those beside it. One that comes before them has all that there is."""
    return round(own + sum(SIDECAR_CPU if one.cpu is None else one.cpu for one in sidecars), 3)


def memory(own: float, sidecars: Iterable[Beside]) -> float:
    """GB of a group, in the same way."""
    return round(own + sum(SIDECAR_MEMORY if one.memory is None else one.memory for one in sidecars), 3)
