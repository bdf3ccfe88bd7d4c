"""The credentials with which a container group pulls its images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.identity import user_assigned
from localcloud.arm.containerinstance.reading import as_list, as_object, need, only

_WITH_IDENTITIES = "2021-07-01"  # the first version that knows identities here
_KEYS = {"server", "username", "password", "identity", "identityUrl", "isDelegatedIdentity", "passwordReference"}


def read_registries(properties: Mapping[str, Any], identity: Mapping[str, Any] | None, group: str, version: str) -> list[dict[str, Any]]:
    """As they are shown again: without passwords. Raises ACI's 400s."""
    owned = {key.lower() for key in user_assigned(identity)}
    shown = []
    for at, item in enumerate(as_list(properties.get("imageRegistryCredentials"), "properties.imageRegistryCredentials")):
        path = f"properties.imageRegistryCredentials[{at}]"
        entry = as_object(item, path)
        only(entry, _KEYS - {"passwordReference"}, {"passwordReference"}, "ImageRegistryCredential", f"{path}.")
        server = need(entry, "server", path)
        if entry.get("identity"):
            if version < _WITH_IDENTITIES:
                raise errors.old_credential(group)
            if entry.get("username"):
                raise errors.ambiguous_credential(server, group)
            if str(entry["identity"]).lower() not in owned:
                raise errors.foreign_identity(group)
        shown.append({key: entry[key] for key in ("server", "username", "identity", "identityUrl") if entry.get(key)})
    return shown


def read_logins(properties: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Servers, usernames and passwords."""
    entries = [entry for entry in as_list(properties.get("imageRegistryCredentials"), "") if entry.get("username")]
    return [(str(entry["server"]), str(entry["username"]), str(entry.get("password") or "")) for entry in entries]
