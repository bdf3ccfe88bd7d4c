"""Reads the body of a PUT of a container group: refuses what is wrong, and what the local cloud cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.containers import NAME, read_containers
from localcloud.arm.containerinstance.group import ContainerGroup
from localcloud.arm.containerinstance.reading import as_list, as_object, need, only
from localcloud.arm.containerinstance.volumes import read_volumes
from localcloud.arm.errors import bad_request, not_supported
from localcloud.arm.ids import region

_TOP = {"location", "tags", "identity", "properties", "zones", "id", "name", "type"}
_GROUP = {"containers", "initContainers", "volumes", "imageRegistryCredentials", "restartPolicy", "ipAddress", "osType", "sku"}
_GROUP |= {"priority", "subnetIds"}
# Azure's, not ours: accepted when empty, refused when they ask for something.
_UNSUPPORTED = {
    "diagnostics", "dnsConfig", "encryptionProperties", "extensions", "confidentialComputeProperties",
    "containerGroupProfile", "standbyPoolProfile",
}  # fmt: skip
_READ_ONLY = {"provisioningState", "instanceView"}

_POLICIES = ("Always", "OnFailure", "Never")
_SPOT = "Spot"
_SPOT_REGIONS = ("eastus2", "westeurope", "westus")
# The least and the most of a group by its priority, all its containers together.
_BOUNDS = {"Cpu": (1.0, 31.0, 4.0), "MemoryInGB": (1.0, 240.0, 16.0)}


def read_group(resource_id: str, name: str, body: Mapping[str, Any]) -> ContainerGroup:
    """The container group that a body asks for. Raises ACI's 400s."""
    if not NAME.fullmatch(name):
        raise errors.invalid_name("ContainerGroup", name, name)
    only(body, _TOP, (), "ContainerGroup", "")
    if not body.get("location"):
        raise bad_request("LocationRequired", "The location property is required for this definition.")
    properties = as_object(body.get("properties"), "properties")
    only(properties, _GROUP | _READ_ONLY, _UNSUPPORTED, "ContainerGroupProperties", "properties.")
    _check_choices(properties, name)
    volumes = read_volumes(properties.get("volumes"), name)
    init, containers = read_containers(properties, volumes, name)
    group = ContainerGroup(
        id=resource_id,
        name=name,
        location=str(body["location"]),
        tags=dict(as_object(body["tags"], "tags")) if body.get("tags") is not None else None,
        identity=dict(as_object(body["identity"], "identity")) if body.get("identity") else None,
        registries=_registries(properties, body.get("identity"), name),
        logins=_logins(properties),
        restart_policy=properties.get("restartPolicy") or "",
        ip_address=properties.get("ipAddress"),
        containers=containers,
        init=init,
        volumes=[*volumes.values()],
        subnets=_subnets(properties.get("subnetIds")),
        priority=properties.get("priority") or "",
    )
    _check_amounts(group)
    if group.priority == _SPOT:
        _check_spot(group)
    return group


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
    if properties.get("priority") not in (None, "Regular", _SPOT):
        raise errors.no_priority(name)


def _check_amounts(group: ContainerGroup) -> None:
    memory = sum(item.requests["memoryInGB"] for item in group.containers)
    for (resource, (least, most, most_of_spot)), total in zip(_BOUNDS.items(), (group.cores, memory), strict=True):
        if total < least:
            raise errors.too_little(group.name, resource, total)
        if total > (bound := most_of_spot if group.priority == _SPOT else most):
            raise errors.too_much(group.name, resource, total, bound)


def _check_spot(group: ContainerGroup) -> None:
    if group.ip_address or group.subnets:
        raise errors.spot_in_a_network()
    if region(group.location) not in _SPOT_REGIONS:
        raise errors.spot_elsewhere(group.location, _SPOT_REGIONS)


def _subnets(given: Any) -> list[dict[str, str]]:
    entries = [as_object(item, "properties.subnetIds") for item in as_list(given, "properties.subnetIds")]
    for entry in entries:
        only(entry, {"id", "name"}, (), "ContainerGroupSubnetId", "properties.subnetIds.")
        if "/subnets/" not in need(entry, "id", "properties.subnetIds").lower():
            raise errors.invalid_subnet(str(entry["id"]))
    return [{key: str(entry[key]) for key in ("id", "name") if entry.get(key)} for entry in entries]


def _registries(properties: Mapping[str, Any], identity: Any, name: str) -> list[dict[str, Any]]:
    """As they are shown again: without passwords."""
    owned = {key.lower() for key in as_object(as_object(identity, "identity").get("userAssignedIdentities"), "identity")}
    shown = []
    for at, item in enumerate(as_list(properties.get("imageRegistryCredentials"), "properties.imageRegistryCredentials")):
        entry = as_object(item, "properties.imageRegistryCredentials")
        need(entry, "server", f"properties.imageRegistryCredentials[{at}]")
        if entry.get("identity") and str(entry["identity"]).lower() not in owned:
            raise errors.foreign_identity(name)
        shown.append({key: entry[key] for key in ("server", "username", "identity") if entry.get(key)})
    return shown


def _logins(properties: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    entries = [entry for entry in as_list(properties.get("imageRegistryCredentials"), "") if entry.get("username")]
    return [(str(entry["server"]), str(entry["username"]), str(entry.get("password") or "")) for entry in entries]
