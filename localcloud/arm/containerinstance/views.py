"""Container groups as ACI shows them: its keys in its order, and no secret."""

from __future__ import annotations

from typing import Any

from localcloud.arm.containerinstance.group import ContainerGroup, ContainerStatus
from localcloud.arm.containerinstance.volumes import show_mount, show_volume

KIND = "Microsoft.ContainerInstance/containerGroups"


def show(group: ContainerGroup, identity: dict[str, Any] | None, *, instance: bool = True) -> dict[str, Any]:
    """The resource; lists show it without instance views."""
    return {
        "properties": _properties(group, instance),
        **({"identity": identity} if identity else {}),
        "id": group.id,
        "name": group.name,
        "type": KIND,
        "location": group.location,
        **({"tags": group.tags} if group.tags is not None else {}),
    }


def _properties(group: ContainerGroup, instance: bool) -> dict[str, Any]:
    return {
        "sku": "Standard",
        "provisioningState": group.provisioning_state,
        "provisioningTimeoutInSeconds": 1800,
        "isCustomProvisioningTimeout": False,
        "containers": [_container(container, instance) for container in group.containers],
        "initContainers": [_init_container(container, instance) for container in group.init],
        **({"imageRegistryCredentials": group.registries} if group.registries else {}),
        **({"restartPolicy": group.restart_policy} if group.restart_policy else {}),
        **({"ipAddress": _address(group.ip_address, group.location)} if group.ip_address else {}),
        "osType": "Linux",
        **({"volumes": [show_volume(volume) for volume in group.volumes]} if group.volumes else {}),
        **({"subnetIds": group.subnets} if group.subnets else {}),
        **({"priority": group.priority} if group.priority else {}),
        **({"instanceView": {"events": group.events, "state": group.state}} if instance else {}),
    }


def _container(container: ContainerStatus, instance: bool) -> dict[str, Any]:
    resources = {"requests": container.requests, **({"limits": container.limits} if container.limits else {})}
    return {
        "name": container.name,
        "properties": {**_common(container, instance, {"ports": container.ports}), "resources": resources, **_mounts(container)},
    }


def _init_container(container: ContainerStatus, instance: bool) -> dict[str, Any]:
    return {"name": container.name, "properties": {**_common(container, instance, {}), **_mounts(container)}}


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


def _instance(container: ContainerStatus) -> dict[str, Any]:
    return {
        "restartCount": container.restarts,
        "currentState": container.current,
        **({"previousState": container.previous} if container.previous else {}),
        **({"events": container.events} if container.events else {}),
    }


def _address(asked: dict[str, Any], location: str) -> dict[str, Any]:
    """A process listens on this machine: that is its address."""
    label = asked.get("dnsNameLabel")
    named = {"dnsNameLabel": label, "fqdn": f"{label}.{location}.azurecontainer.io"} if label else {}
    return {"ports": asked.get("ports") or [], "ip": "127.0.0.1", "type": asked.get("type", "Public"), **named}
