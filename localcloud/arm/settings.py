"""What the local ARM can be set to. Times are Azure's own; the clock scales them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """Seconds on Azure, from recorded traffic where there is some; `stop_grace` is real seconds, for processes are real."""

    hidden: float = 2.0  # for how long a GET of a new container group may still answer 404
    creating: float = 2.0  # Pending -> Creating
    pulling: float = 3.0  # Creating -> the image is being pulled
    pull: float = 2.0
    start: float = 8.0  # pulled -> started
    restart: float = 2.0  # of a group, at a client's wish: Updating -> Succeeded
    back_off: float = 10.0  # before a container is started again, twice as long each time
    back_off_most: float = 300.0
    back_off_forgotten: float = 600.0  # of running: then the next one is as long as the first
    accepted: float = 1.0  # a deployment: Accepted -> Running
    poll: float = 2.0  # a deployment looks at its resources this often
    forget: float = 2.0  # the deletion of a deployment's record
    what_if: float = 2.0  # until what would change is known
    clean_up: float = 30.0  # before the oldest deployments give way; a guess: Azure only says that it happens in the background
    stop_grace: float = 2.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Requests. ACI counts creates and deletes apart, in windows of five minutes and of an hour; ARM fills buckets by the second."""

    five_minutes: int = 100
    hour: int = 300
    longer: float = 1.0  # the windows are so many times as long as Azure's
    reads: tuple[int, float] = (250, 25.0)  # burst, refill per second
    writes: tuple[int, float] = (200, 10.0)
    deletes: tuple[int, float] = (200, 10.0)
    principals: int = 15  # so many principals' buckets have all of a subscription together
    deployment_history: int = 800  # per resource group, and at the subscription itself
    deployment_clean_up: tuple[int, int] = (775, 750)  # beyond so many, the oldest are deleted down to so many


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """Per region."""

    container_groups: int = 100
    cores: int = 100


# Where Azure has container groups: most of its public regions.
LOCATIONS = (
    "australiaeast", "brazilsouth", "canadacentral", "centralindia", "centralus", "eastasia", "eastus", "eastus2", "francecentral",
    "germanywestcentral", "italynorth", "japaneast", "koreacentral", "northcentralus", "northeurope", "norwayeast", "polandcentral",
    "southafricanorth", "southcentralus", "southeastasia", "spaincentral", "swedencentral", "switzerlandnorth", "uaenorth", "uksouth",
    "ukwest", "westcentralus", "westeurope", "westus", "westus2", "westus3",
)  # fmt: skip


DEPLOYER_PRINCIPAL = "44444444-4444-4444-8444-444444444444"


@dataclass(frozen=True, kw_only=True)
class ArmSettings:
    """`seed` makes the unpleasant coincidences repeat: the same calls in the same order meet the same ones.

    `owners` are the object ids of principals that are Owners of the subscription from the start.
    """

    subscription: str = "11111111-1111-4111-8111-111111111111"
    tenant: str = "22222222-2222-4222-8222-222222222222"
    owners: tuple[str, ...] = (DEPLOYER_PRINCIPAL,)
    seed: int = 0
    hidden_probability: float = 0.2  # of a 404 for a container group that has just been PUT
    restart_probability: float = 0.05  # of a restart after a non-zero exit under restartPolicy Never
    latencies: Latencies = field(default_factory=Latencies)
    limits: Limits = field(default_factory=Limits)
    quotas: Quotas = field(default_factory=Quotas)
    locations: tuple[str, ...] = LOCATIONS
