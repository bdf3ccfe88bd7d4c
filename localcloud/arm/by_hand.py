"""What a test does to the states of container groups and deployments, where Azure would do it by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.arm import given
from localcloud.arm.containerinstance.group import ContainerGroup, ContainerStatus
from localcloud.arm.state import ArmState
from localcloud.containers.runtime import OOM_KILLED

OUT_OF_MEMORY = 137


class Absent(LookupError):
    """There is nothing of that name."""


def release(state: ArmState, name: str) -> None:
    """Let a container group, and the deployments of its name, go on from where they are held, or would have been."""
    with state.lock:
        group = state.containers.live(name)
        if group is not None:
            state.containers.lifecycle.release(group)
        if not state.deployments.release(name) and group is None:
            raise Absent(f"there is neither a container group nor a deployment {name}")


def exit_container(state: ArmState, name: str, *, container: str = "", code: int = 0, oom: bool = False) -> None:
    """End a container that runs, the group's first unless another one is named, with this code; out of memory with 137."""
    given.whole("code", code, 0, 255)
    with state.lock:
        group, found = _running(state, name, container)
        state.containers.lifecycle.end(group, found, OUT_OF_MEMORY if oom else code, OOM_KILLED if oom else "")


def restart(state: ArmState, name: str, *, container: str = "") -> None:
    """Have a container started again."""
    with state.lock:
        group, found = _running(state, name, container, also_ended=True)
        state.containers.lifecycle.restart(group, found)


def evict(state: ArmState, name: str, *, gone: bool = False) -> None:
    """Take the group's machine away; Azure starts it again unless it is gone for good."""
    with state.lock:
        group, _ = _running(state, name, "")
        state.containers.lifecycle.evict(group, comes_back=not gone)


def act(state: ArmState, name: str, action: str, keys: dict[str, Any]) -> None:
    """By name, for the side door. Raises ValueError for what makes no sense, and Absent."""
    if action not in ACTIONS:
        raise ValueError(f"there is no action {action}: give one of {', '.join(ACTIONS)}")
    work, allowed = ACTIONS[action]
    if unknown := keys.keys() - allowed.keys():
        raise ValueError(f"{action} does not know {', '.join(sorted(unknown))}")
    for key, value in keys.items():
        allowed[key](key, value)
    work(state, name, **keys)


ACTIONS: Mapping[str, tuple[Callable[..., None], Mapping[str, Callable[[str, Any], None]]]] = {
    "release": (release, {}),
    "exit": (exit_container, {"container": given.word, "code": given.whole, "oom": given.flag}),
    "restart": (restart, {"container": given.word}),
    "evict": (evict, {"gone": given.flag}),
}
"""What is done, and the keys that it takes."""


def _running(state: ArmState, name: str, container: str, *, also_ended: bool = False) -> tuple[ContainerGroup, ContainerStatus]:
    group = state.containers.live(name)
    found = group and (group.container(container) if container else next(iter(group.containers), None))
    if not group or not found:
        raise Absent(f"there is no container {container} in a container group {name}" if group else f"there is no container group {name}")
    if found.current is None or found.current["state"] not in ("Running", *(("Terminated",) if also_ended else ())):
        raise ValueError(f"the container {found.name} of {name} does not run")
    return group, found
