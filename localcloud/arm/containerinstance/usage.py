"""What container groups take of a region's quotas. Spot and confidential ones have quotas of their own, as large as the others'."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.group import ContainerGroup
from localcloud.arm.containerinstance.store import Groups
from localcloud.arm.settings import Quotas


@dataclass(frozen=True)
class Usage:
    """A line of ACI's list of usages: `word` ends its id, `words` are for people."""

    name: str
    word: str
    words: str
    current: int
    limit: int


def usage(groups: Groups, location: str, quotas: Quotas) -> list[Usage]:
    """As recorded in 2024, with its way of calling confidential ones dedicated; there are no GPUs and no dedicated groups here."""
    here = groups.there(location)
    regular = [found for found in here if found.sku != "Confidential"]
    none = [(f"{card}Cores", f"{card} Cores") for card in ("K80", "P100", "V100")]
    return [
        Usage("ContainerGroups", "ContainerGroups", "Container Groups", len(regular), quotas.container_groups),
        Usage("StandardCores", "standardCores", "Standard Cores", _cores(here, "StandardCores"), quotas.cores),
        Usage("StandardSpotCores", "standardSpotCores", "Standard Spot Cores", _cores(here, "StandardSpotCores"), quotas.cores),
        *(Usage(f"Standard{name}", f"standard{name}", f"Standard {words}", 0, 0) for name, words in none),
        Usage("DedicatedContainerGroups", "DedicatedContainerGroups", "Dedicated Container Groups", 0, 0),
        Usage("DedicatedCores", "dedicatedCores", "Dedicated Cores", 0, 0),
        Usage(
            "ConfidentialContainerGroups",
            "ConfidentialContainerGroups",
            "Dedicated Container Groups",
            len(here) - len(regular),
            quotas.container_groups,
        ),
        Usage("ConfidentialCores", "confidentialCores", "Dedicated Cores", _cores(here, "ConfidentialCores"), quotas.cores),
    ]


def check_quota(groups: Groups, quotas: Quotas, wanted: ContainerGroup, known: ContainerGroup | None) -> None:
    """Of the region. Raises 400."""
    others = [found for found in groups.there(wanted.location) if found is not known]
    kind = "ConfidentialContainerGroups" if wanted.sku == "Confidential" else "ContainerGroups"
    count = sum((found.sku == "Confidential") == (wanted.sku == "Confidential") for found in others)
    if count + 1 > quotas.container_groups:
        raise errors.quota_reached(kind, wanted.location, quotas.container_groups, count, 1)
    taken = _taken(others, _quota(wanted))
    if taken + wanted.cores > quotas.cores:
        raise errors.quota_reached(_quota(wanted), wanted.location, quotas.cores, taken, wanted.cores)


def _quota(group: ContainerGroup) -> str:
    """The name of the quota that its cores are taken from."""
    if group.sku == "Confidential":
        return "ConfidentialCores"
    return "StandardSpotCores" if group.priority == "Spot" else "StandardCores"


def _cores(groups: Iterable[ContainerGroup], quota: str) -> int:
    return math.ceil(_taken(groups, quota))


def _taken(groups: Iterable[ContainerGroup], quota: str) -> float:
    """Nothing by those that have ended or are stopped."""
    return sum(group.cores for group in groups if _quota(group) == quota and not group.at_rest)
