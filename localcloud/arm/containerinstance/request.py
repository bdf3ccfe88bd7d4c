"""Reads the body of a PUT of a container group: refuses what is wrong, and what the local cloud cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.containers import NAME, read_containers
from localcloud.arm.containerinstance.credentials import read_logins, read_registries
from localcloud.arm.containerinstance.extras import read_extras, read_sku
from localcloud.arm.containerinstance.group import ContainerGroup
from localcloud.arm.containerinstance.identity import read_identity
from localcloud.arm.containerinstance.network import read_address, read_subnets, refuse_profile
from localcloud.arm.containerinstance.reading import as_list, as_object, only
from localcloud.arm.containerinstance.volumes import read_volumes
from localcloud.arm.errors import bad_request, not_supported
from localcloud.arm.ids import region
from localcloud.arm.tags import read_tags

_TOP = {"location", "tags", "identity", "properties", "zones", "id", "name", "type"}
_GROUP = {"containers", "initContainers", "volumes", "imageRegistryCredentials", "restartPolicy", "ipAddress", "osType", "sku"}
_GROUP |= {
    "priority",
    "subnetIds",
    "networkProfile",
    "diagnostics",
    "dnsConfig",
    "encryptionProperties",
    "extensions",
    "confidentialComputeProperties",
}
# Azure's, not ours: accepted when empty, refused when they ask for something.
_UNSUPPORTED = {"containerGroupProfile", "standbyPoolProfile", "identityAcls"}
_READ_ONLY = {
    "provisioningState",
    "instanceView",
    "isCustomProvisioningTimeout",
    "provisioningTimeoutInSeconds",
    "isCreatedFromStandbyPool",
}

_POLICIES = ("Always", "OnFailure", "Never")
_SPOT = "Spot"
_SPOT_REGIONS = ("eastus", "eastus2", "westeurope", "westus")  # as documented; the first is recorded
# The least and the most of a group by its priority, all its containers together.
BOUNDS = {"Cpu": (1.0, 31.0, 4.0), "MemoryInGB": (1.0, 240.0, 16.0)}


def read_group(resource_id: str, name: str, body: Mapping[str, Any], version: str, tenant: str) -> ContainerGroup:
    """The container group that a body asks for. Raises ACI's 400s."""
    if not NAME.fullmatch(name):
        raise errors.invalid_name(name)
    only(body, _TOP, (), "ContainerGroup", "")
    if not body.get("location"):
        raise bad_request("LocationRequired", "The location property is required for this definition.")
    properties = as_object(body.get("properties"), "properties")
    only(properties, _GROUP | _READ_ONLY, _UNSUPPORTED, "ContainerGroupProperties", "properties.")
    _check_choices(properties, name)
    refuse_profile(properties)
    volumes = read_volumes(properties.get("volumes"), name)
    init, containers = read_containers(properties, volumes, name)
    identity = read_identity(body.get("identity"), name)
    group = ContainerGroup(
        id=resource_id,
        name=name,
        location=str(body["location"]),
        tags=read_tags(body["tags"]) if body.get("tags") is not None else None,
        identity=identity,
        registries=read_registries(properties, identity, name, version),
        logins=read_logins(properties),
        restart_policy=properties.get("restartPolicy") or "",
        address=read_address(properties, resource_id, str(body["location"]), tenant),
        containers=containers,
        init=init,
        volumes=[*volumes.values()],
        subnets=read_subnets(properties.get("subnetIds")),
        sku=read_sku(properties.get("sku"), name),
        zones=[str(zone) for zone in as_list(body["zones"], "zones")] if body.get("zones") is not None else None,
        extras=read_extras(properties, name),
        spec={"properties": {key: properties[key] for key in properties.keys() - _READ_ONLY}, "identity": body.get("identity")},
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
    if properties.get("priority") not in (None, "Regular", _SPOT):
        raise errors.no_priority(name)


def _check_amounts(group: ContainerGroup) -> None:
    memory = sum(item.requests["memoryInGB"] for item in group.containers)
    for (resource, (least, most, most_of_spot)), total in zip(BOUNDS.items(), (group.cores, memory), strict=True):
        if total < least:
            raise errors.too_little(group.name, resource, total)
        if total > (bound := most_of_spot if group.priority == _SPOT else most):
            raise errors.too_much(group.name, resource, total, bound)


def _check_spot(group: ContainerGroup) -> None:
    if group.address or group.subnets:
        raise errors.spot_in_a_network()
    if group.sku != "Standard":
        raise errors.spot_with_sku(group.sku)
    if region(group.location) not in _SPOT_REGIONS:
        raise errors.spot_elsewhere(group.location, _SPOT_REGIONS)
