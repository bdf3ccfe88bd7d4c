"""Container groups as ACI shows them: its keys in its order, no secret, and nothing that the asker's api-version does not know."""

from __future__ import annotations

from typing import Any

from localcloud.arm.containerinstance.group import ContainerGroup, ContainerStatus
from localcloud.arm.containerinstance.volumes import show_mount, show_volume

KIND = "Microsoft.ContainerInstance/containerGroups"
HERE = "127.0.0.1"  # a process listens on this machine: that is its address

# The first versions that show these: recordings of 2022-10-01-preview have no time-outs, those of 2023-05-01 have them.
_WITH_SKU_AND_INIT = "2019-12-01"
_WITH_TIMEOUT = "2023-05-01"
_WITH_POOLS = "2024-05-01"


def show(group: ContainerGroup, identity: dict[str, Any] | None, version: str, *, instance: bool = True) -> dict[str, Any]:
    """The resource; lists show it without instance views."""
    return {
        "properties": _properties(group, version, instance),
        **({"identity": identity} if identity else {}),
        "id": group.id,
        "name": group.name,
        "type": KIND,
        "location": group.location,
        **({"tags": group.tags} if group.tags is not None else {}),
        **({"zones": group.zones} if group.zones is not None else {}),
    }


def _properties(group: ContainerGroup, version: str, instance: bool) -> dict[str, Any]:
    modern = version >= _WITH_SKU_AND_INIT
    timeout = {"provisioningTimeoutInSeconds": 1800, "isCustomProvisioningTimeout": False}
    confidential = {key: group.extras[key] for key in group.extras if key.startswith("confidential")}
    others = {key: group.extras[key] for key in group.extras if key not in confidential}
    return {
        **({"sku": group.sku} if modern else {}),
        **confidential,
        "provisioningState": group.provisioning_state,
        **(timeout if version >= _WITH_TIMEOUT else {}),
        **({"isCreatedFromStandbyPool": False} if version >= _WITH_POOLS else {}),
        "containers": [_container(container, version, instance) for container in group.containers],
        **({"initContainers": [_init_container(container, instance) for container in group.init]} if modern else {}),
        **_registries(group, version),
        **({"restartPolicy": group.restart_policy} if group.restart_policy else {}),
        **_address(group),
        "osType": "Linux",
        **({"volumes": [show_volume(volume) for volume in group.volumes]} if group.volumes else {}),
        **({"subnetIds": group.subnets} if group.subnets else {}),
        **({"priority": group.priority} if group.priority else {}),
        **others,
        **({"instanceView": {"events": group.events, "state": group.state}} if instance else {}),
    }


def _registries(group: ContainerGroup, version: str) -> dict[str, Any]:
    newer = {"isDelegatedIdentity": False} if version >= _WITH_POOLS else {}
    return {"imageRegistryCredentials": [{**one, **newer} for one in group.registries]} if group.registries else {}


def _address(group: ContainerGroup) -> dict[str, Any]:
    """As recorded: the number comes with the containers, and a private address is not told of before."""
    if group.address is None or (group.transitioning and group.address.kind == "Private"):
        return {}
    return {"ipAddress": group.address.show("" if group.transitioning else _ip(group))}


def _ip(group: ContainerGroup) -> str:
    addresses = [container.process.address for container in group.containers if container.process and container.process.address]
    return addresses[0] if addresses else HERE


def _container(container: ContainerStatus, version: str, instance: bool) -> dict[str, Any]:
    resources = {"requests": container.requests, **({"limits": container.limits} if container.limits else {})}
    probes = {"livenessProbe": container.liveness, "readinessProbe": container.readiness}
    config = {"configMap": container.config or {"keyValuePairs": {}}} if version >= _WITH_POOLS else {}
    return {
        "name": container.name,
        "properties": {
            **_common(container, instance, {"ports": container.ports}),
            "resources": resources,
            **_mounts(container),
            **{name: probe.shown for name, probe in probes.items() if probe},
            **_security(container),
            **config,
        },
    }


def _init_container(container: ContainerStatus, instance: bool) -> dict[str, Any]:
    return {"name": container.name, "properties": {**_common(container, instance, {}), **_mounts(container), **_security(container)}}


def _common(container: ContainerStatus, instance: bool, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "image": container.image,
        **({"command": container.command} if container.command else {}),
        **more,
        # A secure value never comes back: its name alone does.
        "environmentVariables": [{key: item[key] for key in ("name", "value") if key in item} for item in container.variables],
        # Absent while the group is Pending, as recorded.
        **({"instanceView": _instance(container)} if instance and container.current else {}),
    }


def _mounts(container: ContainerStatus) -> dict[str, Any]:
    return {"volumeMounts": [show_mount(mount) for mount in container.mounts]} if container.mounts else {}


def _security(container: ContainerStatus) -> dict[str, Any]:
    return {"securityContext": container.security} if container.security is not None else {}


def _instance(container: ContainerStatus) -> dict[str, Any]:
    return {
        "restartCount": container.restarts,
        "currentState": container.current,
        **({"previousState": container.previous} if container.previous else {}),
        **({"events": container.events} if container.events else {}),
    }
