"""Filling the parameters that a template spec declares with what an attempt needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from loadme.core.arm import TemplateParameter
from loadme.errors import Terminal

AZURE_REGISTRY = re.compile(r"^([a-z0-9-]+\.azurecr\.(?:io|cn|us))/")


class GroupRequest(Struct, frozen=True, kw_only=True):
    """What the container group of an attempt is made of; `memory` in GB. `plain` and `secure` are its environment."""

    name: str
    location: str
    image: str
    command: tuple[str, ...]
    cpu: float
    memory: float
    plain: Mapping[str, str]
    secure: Mapping[str, str]
    identity: str
    tags: Mapping[str, str]

    @property
    def registry_server(self) -> str:
        """The Azure registry that the identity pulls the image from; empty for public images."""
        match = AZURE_REGISTRY.match(self.image)
        return match[1] if match and self.identity else ""


def fill(declared: Iterable[TemplateParameter], request: GroupRequest) -> dict[str, Any]:
    """The value of each declared parameter, by its name whatever its case. One with a default that loadme does not know keeps its default.

    Raises Terminal, before anything is deployed, for a parameter that nothing fills and for a need that no parameter can express.
    """
    known = _values(request)
    parameters = tuple(declared)
    names = {parameter.name.lower() for parameter in parameters}
    unfilled = [parameter.name for parameter in parameters if parameter.name.lower() not in known and not parameter.has_default]
    if unfilled:
        raise Terminal(
            f"the template spec asks for the parameter {unfilled[0]!r}, which loadme does not know and which has no default: "
            "give it a default, or rename it to one of " + ", ".join(sorted(known)),
            code="TemplateParameter",
        )
    lost = [need for need in _needs(request) if need not in names]
    if lost:
        message = f"the template spec has no parameter {lost[0]!r}, which this step needs: add it to the template"
        raise Terminal(message, code="TemplateParameter")
    readable = [one.name for one in parameters if one.name.lower() == "environment" and one.type.lower() != "secureobject"]
    if readable:
        message = f"the template spec's parameter {readable[0]!r} must be a secureObject: it holds a token, and would stay readable"
        raise Terminal(message, code="TemplateParameter")
    return {parameter.name: known[parameter.name.lower()] for parameter in parameters if parameter.name.lower() in known}


def _needs(request: GroupRequest) -> tuple[str, ...]:
    """What the template must be able to express; without `name` and `tags` a container group could not be found again."""
    asked = {"command": request.command, "identity": request.identity, "registryserver": request.registry_server}
    return ("name", "image", "environment", "cpu", "memory", "tags", *(need for need, value in asked.items() if value))


def _values(request: GroupRequest) -> dict[str, Any]:
    return {
        "name": request.name,
        "location": request.location,
        "image": request.image,
        "command": list(request.command),
        "cpu": f"{request.cpu:g}",
        "memory": f"{request.memory:g}",
        "environment": {"plain": dict(request.plain), "secure": dict(request.secure)},
        "identity": request.identity,
        "registryserver": request.registry_server,
        "tags": dict(request.tags),
    }
