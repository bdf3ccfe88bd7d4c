"""What a container is started with, and how long a restart waits."""

from __future__ import annotations

from datetime import datetime

from localcloud.arm.containerinstance.group import ContainerGroup, ContainerStatus
from localcloud.arm.containerinstance.security import security_of
from localcloud.arm.settings import Latencies
from localcloud.containers import Launch


def launch_of(group: ContainerGroup, container: ContainerStatus) -> Launch:
    return Launch(
        group=group.key,
        container=container.name,
        image=container.image,
        command=tuple(container.command),
        environment=container.environment,
        mounts=container.mounts,
        is_init=container in group.init,
        ports=_ports(container),
        security=security_of(container.security),
        **_limits(group, container),
    )


def _limits(group: ContainerGroup, container: ContainerStatus) -> dict[str, float]:
    """A container may use what it requests, or its limits where they are more; an init container all that the group has."""
    own = [{**container.requests, **(container.limits or {})}] if container.requests else [each.requests for each in group.containers]
    return {name: sum(each.get(key) or 0.0 for each in own) for name, key in (("memory", "memoryInGB"), ("cpu", "cpu"))}


def _ports(container: ContainerStatus) -> tuple[int, ...]:
    """Where others, and its probes, may ask it."""
    probes = [probe.request.port for probe in (container.liveness, container.readiness) if probe and probe.request]
    return (*dict.fromkeys([*(int(entry["port"]) for entry in container.ports), *probes]),)


def next_delay(container: ContainerStatus, now: datetime, latencies: Latencies) -> float:
    """Twice the last one, up to five minutes; as at first after ten minutes of running."""
    if container.since and (now - container.since).total_seconds() >= latencies.back_off_forgotten:
        container.failures = 0
    delay = min(latencies.back_off * 2.0 ** min(container.failures, 60), latencies.back_off_most)
    container.failures += 1
    return delay
