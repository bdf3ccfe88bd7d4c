"""The resource ids that operators write into the settings, taken apart."""

from __future__ import annotations

import re
from typing import NamedTuple

from loadme.errors import Terminal

SCOPE = r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/"


class SpecId(NamedTuple):
    """The parts of the resource id of a template spec version."""

    subscription: str
    resource_group: str
    name: str
    version: str


class RegistryId(NamedTuple):
    """The parts of the resource id of a container registry."""

    subscription: str
    resource_group: str
    name: str


def parse_spec_id(spec_id: str) -> SpecId:
    """Raises Terminal if it is not the resource id of a template spec version."""
    match = re.fullmatch(SCOPE + r"Microsoft\.Resources/templateSpecs/([^/]+)/versions/([^/]+)/?", spec_id, re.IGNORECASE)
    if not match:
        raise Terminal(
            f"'{spec_id}' is not the resource id of a template spec version: it must be like "
            "/subscriptions/…/resourceGroups/…/providers/Microsoft.Resources/templateSpecs/NAME/versions/VERSION.",
            code="InvalidTemplateSpecId",
        )
    return SpecId(*match.groups())


def parse_registry_id(registry_id: str) -> RegistryId:
    """Raises Terminal if it is not the resource id of a container registry."""
    match = re.fullmatch(SCOPE + r"Microsoft\.ContainerRegistry/registries/([^/]+)/?", registry_id, re.IGNORECASE)
    if not match:
        raise Terminal(
            f"'{registry_id}' is not the resource id of a container registry: it must be like "
            "/subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerRegistry/registries/NAME.",
            code="InvalidRegistryId",
        )
    return RegistryId(*match.groups())
