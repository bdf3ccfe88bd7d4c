"""Reads the body of a PUT of a container group: refuses what is wrong, and what the local cloud cannot do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.group import ContainerGroup, ContainerStatus
from localcloud.arm.errors import bad_request, invalid_content, not_supported

_NAME = re.compile(r"(?=.{1,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_MAX_CONTAINERS = 60

_TOP = {"location", "tags", "identity", "properties", "zones", "id", "name", "type"}
_GROUP = {"containers", "imageRegistryCredentials", "restartPolicy", "ipAddress", "osType", "sku", "priority"}
_CONTAINER = {"image", "command", "ports", "environmentVariables", "resources"}
# Azure's, not ours: accepted when empty, refused when they ask for something.
_GROUP_UNSUPPORTED = {
    "initContainers", "volumes", "diagnostics", "subnetIds", "dnsConfig", "encryptionProperties",
    "extensions", "confidentialComputeProperties", "containerGroupProfile", "standbyPoolProfile",
}  # fmt: skip
_CONTAINER_UNSUPPORTED = {"volumeMounts", "livenessProbe", "readinessProbe", "securityContext", "configMap"}
_READ_ONLY = {"provisioningState", "instanceView"}

_POLICIES = ("Always", "OnFailure", "Never")


def read_group(resource_id: str, name: str, body: Mapping[str, Any]) -> ContainerGroup:
    """The container group that a body asks for. Raises ACI's 400s."""
    if not _NAME.fullmatch(name):
        raise errors.invalid_name("ContainerGroup", name, name)
    _only(body, _TOP, (), "ContainerGroup", "")
    if not body.get("location"):
        raise bad_request("LocationRequired", "The location property is required for this definition.")
    properties = _object(body.get("properties"), "properties")
    _only(properties, _GROUP | _READ_ONLY, _GROUP_UNSUPPORTED, "ContainerGroupProperties", "properties.")
    _check_choices(properties, name)
    group = ContainerGroup(
        id=resource_id,
        name=name,
        location=str(body["location"]),
        tags=dict(_object(body["tags"], "tags")) if body.get("tags") is not None else None,
        identity=dict(_object(body["identity"], "identity")) if body.get("identity") else None,
        registries=_registries(properties, body.get("identity"), name),
        logins=_logins(properties),
        restart_policy=properties.get("restartPolicy") or "",
        ip_address=properties.get("ipAddress"),
        containers=_containers(properties.get("containers"), name),
    )
    for resource, total in (("Cpu", group.cores), ("MemoryInGB", sum(item.requests["memoryInGB"] for item in group.containers))):
        if total < 1:
            raise errors.too_little(name, resource, total)
    return group


def _object(value: Any, path: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_content(f"Error converting value to an object. Path '{path}', line 1, position 1.")
    return value


def _list(value: Any, path: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid_content(f"Error converting value to an array. Path '{path}', line 1, position 1.")
    return value


def _only(given: Mapping[str, Any], known: Iterable[str], unsupported: Iterable[str], kind: str, path: str) -> None:
    for key, value in given.items():
        if key in unsupported:
            if value not in (None, [], {}):
                raise not_supported(f"'{path}{key}' of a container group")
        elif key not in known:
            raise invalid_content(f"Could not find member '{key}' on object of type '{kind}'. Path '{path}{key}', line 1, position 1.")


def _check_choices(properties: Mapping[str, Any], name: str) -> None:
    os_type = str(properties.get("osType") or "<null>")
    if os_type.lower() not in {"linux", "windows"}:
        raise bad_request(
            "InvalidOsType", "The 'osType' for container group '<null>' is invalid. The value must be one of 'Windows,Linux'."
        )
    if os_type.lower() == "windows":
        raise not_supported("A Windows container group")
    policy = properties.get("restartPolicy")
    if policy not in (None, *_POLICIES):
        allowed = ",".join(_POLICIES)
        raise bad_request(
            "InvalidRestartPolicy", f"The 'restartPolicy' for container group '{name}' is invalid. The value must be one of '{allowed}'."
        )
    if properties.get("sku") not in (None, "Standard"):
        raise not_supported(f"The sku '{properties['sku']}' of a container group")
    if properties.get("priority") not in (None, "Regular"):
        raise not_supported(f"The priority '{properties['priority']}' of a container group")


def _registries(properties: Mapping[str, Any], identity: Any, name: str) -> list[dict[str, Any]]:
    """As they are shown again: without passwords."""
    owned = {key.lower() for key in _object(_object(identity, "identity").get("userAssignedIdentities"), "identity")}
    shown = []
    for item in _list(properties.get("imageRegistryCredentials"), "properties.imageRegistryCredentials"):
        entry = _object(item, "properties.imageRegistryCredentials")
        if not entry.get("server"):
            raise invalid_content(
                "Required property 'server' not found in JSON. Path 'properties.imageRegistryCredentials[0]', line 1, position 1."
            )
        if entry.get("identity") and str(entry["identity"]).lower() not in owned:
            raise errors.foreign_identity(name)
        shown.append({key: entry[key] for key in ("server", "username", "identity") if entry.get(key)})
    return shown


def _logins(properties: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    entries = [entry for entry in _list(properties.get("imageRegistryCredentials"), "") if entry.get("username")]
    return [(str(entry["server"]), str(entry["username"]), str(entry.get("password") or "")) for entry in entries]


def _containers(given: Any, group: str) -> list[ContainerStatus]:
    if not isinstance(given, list) or not 1 <= len(given) <= _MAX_CONTAINERS:
        raise bad_request(
            "InvalidContainerGroupContainers", f"The container group '{group}' must have between 1 and {_MAX_CONTAINERS} containers."
        )
    containers = [_container(item, group, at) for at, item in enumerate(given)]
    if len({item.name for item in containers}) < len(containers):
        raise bad_request("DuplicateContainerName", f"Two containers of container group '{group}' have the same name.")
    return containers


def _container(given: Any, group: str, at: int) -> ContainerStatus:
    path = f"properties.containers[{at}]"
    entry = _object(given, path)
    _only(entry, {"name", "properties"}, (), "Container", f"{path}.")
    name = str(entry.get("name") or "")
    if not _NAME.fullmatch(name):
        raise errors.invalid_name("Container", name, group)
    properties = _object(entry.get("properties"), path)
    _only(properties, _CONTAINER | {"instanceView"}, _CONTAINER_UNSUPPORTED, "ContainerProperties", f"{path}.properties.")
    if not properties.get("image"):
        raise bad_request("InvalidContainerImage", f"The image of container '{name}' in container group '{group}' is not specified.")
    requests, limits = _resources(_object(properties.get("resources"), path), name, group)
    return ContainerStatus(
        name=name,
        image=str(properties["image"]),
        command=[str(word) for word in _list(properties.get("command"), f"{path}.properties.command")],
        ports=_list(properties.get("ports"), f"{path}.properties.ports"),
        variables=_variables(_list(properties.get("environmentVariables"), f"{path}.properties.environmentVariables"), name, group),
        requests=requests,
        limits=limits,
    )


def _resources(given: Mapping[str, Any], name: str, group: str) -> tuple[dict[str, float], dict[str, float] | None]:
    requests = _object(given.get("requests"), "requests")
    try:
        # Text that is a number will do: many templates have parameters of type string for them.
        amounts = {key: float(requests[key]) for key in ("memoryInGB", "cpu")}
    except (KeyError, TypeError, ValueError):
        raise errors.no_resources(name, group) from None
    if requests.get("gpu"):
        raise not_supported("A GPU")
    limits = _object(given.get("limits"), "limits")
    known = {key: float(value) for key, value in limits.items() if isinstance(value, int | float)}
    return amounts, known or None


def _variables(given: list[Any], name: str, group: str) -> list[dict[str, str]]:
    variables = []
    for item in given:
        entry = _object(item, "environmentVariables")
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
