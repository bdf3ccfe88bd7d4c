"""As whom a container runs and what it may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.arm.containerinstance.reading import as_list, as_object, only
from localcloud.arm.errors import invalid_content
from localcloud.containers import Security

_KEYS = {"privileged", "allowPrivilegeEscalation", "capabilities", "runAsUser", "runAsGroup"}
_TYPES = {"privileged": bool, "allowPrivilegeEscalation": bool, "runAsUser": int, "runAsGroup": int}


def read_security(given: Any, path: str) -> dict[str, Any] | None:
    """As it is shown again. Raises 400."""
    if given is None:
        return None
    entry = as_object(given, path)
    only(entry, _KEYS, {"seccompProfile"}, "SecurityContextDefinition", f"{path}.")
    for name, kind in _TYPES.items():
        if entry.get(name) is not None and type(entry[name]) is not kind:
            raise invalid_content(
                f"Error converting value \"{entry[name]}\" to a {kind.__name__}. Path '{path}.{name}', line 1, position 1."
            )
    capabilities = as_object(entry.get("capabilities"), f"{path}.capabilities")
    only(capabilities, {"add", "drop"}, (), "SecurityContextCapabilitiesDefinition", f"{path}.capabilities.")
    for way in ("add", "drop"):
        as_list(capabilities.get(way), f"{path}.capabilities.{way}")
    return dict(entry)


def security_of(shown: Mapping[str, Any] | None) -> Security:
    """For whatever runs the container."""
    asked = shown or {}
    capabilities = asked.get("capabilities") or {}
    return Security(
        user=asked.get("runAsUser"),
        group=asked.get("runAsGroup"),
        privileged=bool(asked.get("privileged")),
        escalation=asked.get("allowPrivilegeEscalation") is not False,
        add=tuple(str(name) for name in capabilities.get("add") or ()),
        drop=tuple(str(name) for name in capabilities.get("drop") or ()),
    )
