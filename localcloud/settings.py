"""What the local cloud can be told, from the command line or by a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from localcloud.arm.settings import ArmSettings, Limits

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
TENANT = "22222222-2222-4222-8222-222222222222"
MANAGEMENT_GROUP = "loadme-management"
CONTAINER_GROUP = "loadme-containers"
LOCATION = "westeurope"
APP_IDENTITY = "loadme-app"
CONTAINER_IDENTITY = "loadme-container"
TEMPLATE_SPEC = "loadme-container-group"
TEMPLATE_VERSION = "1.0"
REGISTRY = "loadmeregistry"
FILES_CONTAINER = "loadme-files"

VAULT = "loadme"
"""The app's own vault."""

HOST_PORT = 7071
ARM_PORT = 8443
VAULT_PORT = 8444
LOGIN_PORT = 8445
PROXY_PORT = 8446
STORAGE_PORT = 10000


def _silent(_line: str) -> None:
    return


@dataclass(frozen=True, kw_only=True)
class CloudSettings:
    """`app` is the folder of function_app.py; `scale` shortens Azure's delays (1.0: as slow as Azure).

    With `fixed_ports` the usual ports are taken where they are free; `port` insists on one for the function app. With `watch` the
    Functions host is restarted when a workflow file has changed. `state` is a folder in which all that can outlive the cloud does, and
    `keep` the one of that kind within `folder`; without either nothing outlives it, and with `memory` storage is
    not even on disk (it then does not survive a crash of its own). With `relay` calls to `functions` or `storage` pass
    the side door too. `engine` "runtime" runs the app through Microsoft's own worker library, on a Python 3.13 that is looked for, or is
    `engine_python`. `secrets` are put into vaults, by vault and name.
    """

    app: Path = Path()
    folder: Path = Path(".localcloud")
    images: tuple[Path, ...] = ()
    containers: str = "processes"  # or podman, docker
    host_network: bool = False  # real containers share the machine's network, even where groups could have their own
    workflows: Path | None = None
    port: int | None = None
    fixed_ports: bool = True
    scale: float = 0.05
    arm: ArmSettings = field(default_factory=ArmSettings)
    check_first: float = 0.5  # seconds: a container group is still on its way by then, as it is at the first check on Azure
    check_max: float = 5.0
    host: bool = True
    engine: str = "sdk"
    engine_python: str | None = None
    state: Path | None = None
    keep: bool = False
    memory: bool = False
    watch: bool = False
    relay: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    say: Callable[[str], None] = _silent

    @property
    def limits(self) -> Limits:
        """Azure's creates and deletes for its time, but in windows of real minutes: the app counts in those, and may use one up at once."""
        given, longer = self.arm.limits, 1 / self.scale
        return replace(given, five_minutes=round(given.five_minutes * longer), hour=round(given.hour * longer), longer=longer)

    @property
    def kept(self) -> Path | None:
        """The folder of what outlives the cloud, if anything does."""
        return self.state or (self.folder / "kept" if self.keep else None)

    @property
    def template(self) -> Path:
        """The template that becomes the template spec version."""
        return self.app / "templates" / "container-group.json"

    @property
    def workflow_folder(self) -> Path:
        """Where the app finds its workflow files."""
        return self.workflows or self.app / "workflows"

    @property
    def own_images(self) -> Path:
        """The image map beside the workflow files; it need not be there."""
        return self.workflow_folder / "images.yaml"


def subscription_id() -> str:
    """The ARM id of the subscription."""
    return f"/subscriptions/{SUBSCRIPTION}"


def role_id(role: str) -> str:
    """The ARM id of a role definition, of which `role` is the GUID."""
    return f"{subscription_id()}/providers/Microsoft.Authorization/roleDefinitions/{role}"


def group_id(group: str) -> str:
    """The ARM id of a resource group."""
    return f"{subscription_id()}/resourceGroups/{group}"


def identity_id(name: str) -> str:
    """The ARM id of a user-assigned identity."""
    return f"{group_id(MANAGEMENT_GROUP)}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"


def registry_id() -> str:
    """The ARM id of the registry."""
    return f"{group_id(MANAGEMENT_GROUP)}/providers/Microsoft.ContainerRegistry/registries/{REGISTRY}"


def storage_id() -> str:
    """The ARM id of the storage account, which has the name of Azurite's."""
    return f"{group_id(MANAGEMENT_GROUP)}/providers/Microsoft.Storage/storageAccounts/devstoreaccount1"


def vault_id(name: str) -> str:
    """The ARM id of a vault."""
    return f"{group_id(MANAGEMENT_GROUP)}/providers/Microsoft.KeyVault/vaults/{name}"


def template_spec_id() -> str:
    """The ARM id of the template spec's version."""
    spec = f"{group_id(MANAGEMENT_GROUP)}/providers/Microsoft.Resources/templateSpecs/{TEMPLATE_SPEC}"
    return f"{spec}/versions/{TEMPLATE_VERSION}"
