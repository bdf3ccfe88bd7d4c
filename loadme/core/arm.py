"""What the engine knows of Azure Resource Manager: the seam, and the shapes that pass through it. `loadme.azure.arm` is the genuine one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class TemplateParameter:
    """A parameter that a template declares. `type` is in lower case: string, int, bool, object, array, securestring, secureobject."""

    name: str
    type: str
    has_default: bool


@dataclass(frozen=True)
class ArmError:
    """Why something failed, in ARM's words; the cause is usually in the innermost details."""

    code: str
    message: str
    details: tuple[ArmError, ...] = ()


def transient(error: ArmError) -> str:
    """The code, of the error or of one inside it, that passes by itself: a quota, missing capacity, a registry's outage. "" if none does.

    ACI reports missing capacity also without any code, in these words; they count as `ServiceUnavailable` then.
    """
    if error.code in TRANSIENT:
        return error.code
    inner = next(filter(None, map(transient, error.details)), "")
    return inner or ("ServiceUnavailable" if NO_CAPACITY in error.message else "")


TRANSIENT = {"ContainerGroupQuotaReached", "ServiceUnavailable", "InsufficientCapacity", "RegistryErrorResponse"}
NO_CAPACITY = "The requested resource is not available in the location"


@dataclass(frozen=True)
class Deployment:
    """`state` is Accepted, Running, Succeeded, Failed, Canceled or another that is not final; `timestamp` is ARM's, of its last change."""

    name: str
    state: str
    error: ArmError | None = None
    timestamp: datetime | None = field(default=None, compare=False)

    @property
    def is_over(self) -> bool:
        """Whether the state is final."""
        return self.state in {"Succeeded", "Failed", "Canceled"}


@dataclass(frozen=True)
class ContainerState:
    """`state` is Waiting, Running, Terminated, or "" when ARM does not say yet. Times and counts are ACI's own."""

    state: str = ""
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    detail_status: str = ""
    restart_count: int = 0
    events: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """A container group. `state` is Pending, Running, Stopped, Succeeded, Failed, or "" in a list, which has no states or events.

    `provisioning_state` says nothing about the work: it is Succeeded once the containers have run, whatever became of them.
    The containers of `init` run before the others, one after the other; both are by name, in their order.
    """

    name: str
    provisioning_state: str
    state: str = ""
    containers: dict[str, ContainerState] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    location: str = ""
    init: dict[str, ContainerState] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """How much of a quota of one region is used, by anybody in the subscription. Cores are rounded up."""

    current: int
    limit: int


@dataclass(frozen=True)
class RegistryCredentials:
    """A registry's admin account; `server` is its login server. The password is secret: it may stand in a template's parameters only."""

    server: str
    username: str
    password: str = field(repr=False)


class Arm(Protocol):
    """The resource group in which loadme deploys, and the template specs it may read."""

    def template_parameters(self, spec_id: str) -> tuple[TemplateParameter, ...]:
        """The parameters of a template spec version, by its resource id. Raises Absent."""

    def deploy(self, name: str, spec_id: str, parameters: Mapping[str, Any]) -> None:
        """Starts a deployment and does not wait. One of this name that is still active is left alone: that is no error.

        A deployment of this name that is over runs AGAIN: look for it first. It is tried once: after Unavailable it may have begun.
        Retryable, with ARM's code, is what passes by itself (see `transient`); Terminal what can never be deployed as it is asked for.
        """

    def deployment(self, name: str) -> Deployment | None:
        """The deployment, or None."""

    def deployments(self) -> Iterator[Deployment]:
        """All deployments of the resource group, page by page as they are asked for, in an order that is ARM's own."""

    def delete_deployment(self, name: str) -> None:
        """Starts to delete the deployment's record, not what it deployed; one that is not there is no error."""

    def group(self, name: str) -> Group | None:
        """The container group with its state, or None; None also for a moment after it was created."""

    def logs(self, name: str, container: str, tail: int | None = None) -> str | None:
        """The log, or its last `tail` lines; None when there is none (yet)."""

    def delete_group(self, name: str) -> None:
        """Starts to delete the group; one that is not there is no error. Retryable while the group is in transition."""

    def groups(self) -> Iterator[Group]:
        """All container groups of the resource group, without their states."""

    def usages(self, location: str) -> dict[str, Usage]:
        """The quotas of Container Instances in a region, by name: ContainerGroups, StandardCores, and others."""

    def registry_credentials(self, registry_id: str) -> RegistryCredentials:
        """The admin account of a registry, by its resource id. Raises Absent; Terminal when it is forbidden or the account is off."""
