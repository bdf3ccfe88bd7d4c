"""What the local cloud can be told, from the command line or by a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.arm.settings import ArmSettings

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
TENANT = "22222222-2222-4222-8222-222222222222"
MANAGEMENT_GROUP = "loadme-management"
CONTAINER_GROUP = "loadme-containers"
LOCATION = "westeurope"
APP_IDENTITY = "loadme-app"
CONTAINER_IDENTITY = "loadme-container"
TEMPLATE_SPEC = "loadme-container-group"
TEMPLATE_VERSION = "1.0"
FILES_CONTAINER = "loadme-files"

HOST_PORT = 7071
ARM_PORT = 8443
STORAGE_PORT = 10000


def _silent(_line: str) -> None:
    return


@dataclass(frozen=True, kw_only=True)
class CloudSettings:
    """`app` is the folder of function_app.py; `scale` shortens Azure's delays (1.0: as slow as Azure).

    With `fixed_ports` the usual ports are taken where they are free; `port` insists on one for the function app.
    """

    app: Path = Path()
    folder: Path = Path(".localcloud")
    images: tuple[Path, ...] = ()
    workflows: Path | None = None
    port: int | None = None
    fixed_ports: bool = True
    scale: float = 0.05
    arm: ArmSettings = field(default_factory=ArmSettings)
    check_first: float = 2.0
    check_max: float = 10.0
    host: bool = True
    keep: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    say: Callable[[str], None] = _silent

    @property
    def template(self) -> Path:
        """The template that becomes the template spec version."""
        return self.app / "templates" / "container-group.json"

    @property
    def image_maps(self) -> tuple[Path, ...]:
        """The app's own image map, if it has one, and those that were given; later ones win."""
        folder = self.workflows or self.app / "workflows"
        own = (folder / "images.yaml",) if (folder / "images.yaml").is_file() else ()
        return (*own, *(image for image in self.images if image not in own))


def group_id(group: str) -> str:
    """The ARM id of a resource group."""
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"


def identity_id(name: str) -> str:
    """The ARM id of a user-assigned identity."""
    return f"{group_id(MANAGEMENT_GROUP)}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"


def template_spec_id() -> str:
    """The ARM id of the template spec's version."""
    spec = f"{group_id(MANAGEMENT_GROUP)}/providers/Microsoft.Resources/templateSpecs/{TEMPLATE_SPEC}"
    return f"{spec}/versions/{TEMPLATE_VERSION}"
