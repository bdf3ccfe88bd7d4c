"""The containers of a container group as a body asks for them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.group import ContainerStatus
from localcloud.arm.containerinstance.network import read_ports
from localcloud.arm.containerinstance.probes import read_probe
from localcloud.arm.containerinstance.reading import as_list, as_object, only
from localcloud.arm.containerinstance.security import read_security
from localcloud.arm.containerinstance.volumes import read_mounts
from localcloud.arm.errors import bad_request, not_supported
from localcloud.containers import Volume

NAME = re.compile(r"(?=.{1,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_MOST = 60

_INIT = {"image", "command", "environmentVariables", "volumeMounts", "securityContext"}
_CONTAINER = _INIT | {"ports", "resources", "livenessProbe", "readinessProbe", "configMap"}

Volumes = Mapping[str, Volume]


def read_containers(properties: Mapping[str, Any], volumes: Volumes, group: str) -> tuple[list[ContainerStatus], list[ContainerStatus]]:
    """The init containers and the others. Raises ACI's 400s."""
    init = [
        _container(item, volumes, group, f"properties.initContainers[{at}]", is_init=True)
        for at, item in enumerate(as_list(properties.get("initContainers"), "properties.initContainers"))
    ]
    given = properties.get("containers")
    if not isinstance(given, list) or not given or len(given) + len(init) > _MOST:
        raise bad_request("InvalidContainerGroupContainers", f"The container group '{group}' must have between 1 and {_MOST} containers.")
    containers = [_container(item, volumes, group, f"properties.containers[{at}]") for at, item in enumerate(given)]
    if len({item.name for item in (*init, *containers)}) < len(init) + len(containers):
        raise bad_request("DuplicateContainerName", f"Two containers of container group '{group}' have the same name.")
    return init, containers


def _container(given: Any, volumes: Volumes, group: str, path: str, *, is_init: bool = False) -> ContainerStatus:
    entry = as_object(given, path)
    only(entry, {"name", "properties"}, (), "Container", f"{path}.")
    name = str(entry.get("name") or "")
    if not NAME.fullmatch(name):
        raise errors.invalid_container_name(name, group)
    properties, path = as_object(entry.get("properties"), path), f"{path}.properties"
    kind = "InitContainerPropertiesDefinition" if is_init else "ContainerProperties"
    only(properties, (_INIT if is_init else _CONTAINER) | {"instanceView"}, (), kind, f"{path}.")
    if not properties.get("image"):
        raise bad_request("InvalidContainerImage", f"The image of container '{name}' in container group '{group}' is not specified.")
    requests, limits = ({}, None) if is_init else _resources(as_object(properties.get("resources"), path), name, group)
    return ContainerStatus(
        name=name,
        image=str(properties["image"]),
        command=[str(word) for word in as_list(properties.get("command"), f"{path}.command")],
        ports=read_ports(properties.get("ports"), f"{path}.ports", group),
        variables=_variables(as_list(properties.get("environmentVariables"), f"{path}.environmentVariables"), name, group),
        requests=requests,
        limits=limits,
        mounts=read_mounts(properties.get("volumeMounts"), volumes, name, group),
        security=read_security(properties.get("securityContext"), f"{path}.securityContext"),
        config=_config(properties.get("configMap"), f"{path}.configMap"),
        liveness=read_probe(properties.get("livenessProbe"), f"{path}.livenessProbe", name, group),
        readiness=read_probe(properties.get("readinessProbe"), f"{path}.readinessProbe", name, group),
    )


def _config(given: Any, path: str) -> dict[str, Any] | None:
    """Of newer versions: for groups that are made from a profile, which the local cloud has not got."""
    entry = as_object(given, path)
    only(entry, {"keyValuePairs"}, (), "ConfigMap", f"{path}.")
    if entry.get("keyValuePairs"):
        raise not_supported("A configuration map of a container")
    return dict(entry) or None


def _resources(given: Mapping[str, Any], name: str, group: str) -> tuple[dict[str, float], dict[str, float] | None]:
    requests, limits = as_object(given.get("requests"), "requests"), as_object(given.get("limits"), "limits")
    try:
        # Text that is a number will do: many templates have parameters of type string for them.
        amounts = {key: _amount(requests[key]) for key in ("memoryInGB", "cpu")}
        known = {key: _amount(value) for key, value in limits.items() if isinstance(value, int | float)}
    except (KeyError, TypeError, ValueError, OverflowError):
        raise errors.no_resources(name, group) from None
    if requests.get("gpu") or limits.get("gpu"):
        raise not_supported("A GPU")
    for key, limit in known.items():
        if limit < amounts.get(key, 0.0):
            raise errors.invalid_limits(name, group, key)
    return amounts, known or None


def _amount(given: Any) -> float:
    if not math.isfinite(amount := float(given)):
        raise ValueError(given)
    return amount


def _variables(given: list[Any], name: str, group: str) -> list[dict[str, str]]:
    variables = []
    for item in given:
        entry = as_object(item, "environmentVariables")
        if not _VARIABLE.fullmatch(str(entry.get("name") or "")):
            raise errors.invalid_variable(name, group)
        # A null is an absent one: templates write both keys and leave one null.
        kept = {key: str(entry[key]) for key in ("name", "value", "secureValue") if entry.get(key) is not None}
        if len(kept) != 2:
            raise bad_request(
                "InvalidContainerEnvironmentVariable",
                f"The environment variable '{kept['name']}' in container '{name}' of container group '{group}' is invalid: "
                "give it either 'value' or 'secureValue'.",
            )
        variables.append(kept)
    return variables
