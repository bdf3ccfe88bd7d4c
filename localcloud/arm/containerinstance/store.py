"""The container groups there are, and the names that were ever used.

Two resource groups may each have a group of the same name: nothing is kept by the name alone.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.group import ContainerGroup
from localcloud.arm.containerinstance.identity import own_identity, user_assigned
from localcloud.arm.containerinstance.views import KIND
from localcloud.arm.errors import resource_not_found
from localcloud.arm.ids import region, resource_id
from localcloud.tokens import Identity

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState


class Groups:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self.by_id: dict[str, ContainerGroup] = {}  # by the id in lower case
        self._starts: Counter[str] = Counter()  # of the first container, by the id in lower case
        self._lives: dict[str, str] = {}  # new for a group that was deleted and made again, by the id in lower case
        self._keys: dict[str, str] = {}  # of every group there ever was, by the id in lower case

    def id(self, group: str, name: str) -> str:
        """Raises 404 for an unknown resource group."""
        return resource_id(self._state.groups.need(group)["id"], KIND, name)

    def find(self, group: str, name: str) -> ContainerGroup | None:
        return self.by_id.get(self.id(group, name).lower())

    def need(self, group: str, name: str) -> ContainerGroup:
        """Raises the 404 of whoever does not know it: ACI does not know a name that was in use, and any other never gets past ARM."""
        found = self.find(group, name)
        if found is None:
            raise errors.not_found(name) if self.id(group, name).lower() in self._keys else resource_not_found(KIND, name, group)
        if found.hidden:
            raise resource_not_found(KIND, name, group)
        return found

    def add(self, group: ContainerGroup) -> None:
        identifier = group.id.lower()
        # Also remembers that the name was in use: its 404 is another one from now on.
        group.key = self._keys.setdefault(identifier, self._new_key(group))
        group.life = self._lives.setdefault(identifier, uuid.uuid4().hex)
        self.by_id[identifier] = group

    def _new_key(self, group: ContainerGroup) -> str:
        """A word for file systems and URLs: the name, if no other group ever had it. No name has a dot."""
        if group.name not in self._keys.values():
            return group.name
        return f"{group.name}.{hashlib.sha256(group.id.lower().encode()).hexdigest()[:8]}"

    def remove(self, group: ContainerGroup) -> None:
        del self.by_id[group.id.lower()]
        del self._lives[group.id.lower()]

    def below(self, scope: str) -> list[ContainerGroup]:
        return [found for key, found in self.by_id.items() if key.startswith(f"{scope.lower()}/")]

    def there(self, location: str) -> list[ContainerGroup]:
        """Those of a region."""
        return [found for found in self.by_id.values() if region(found.location) == region(location)]

    def started(self, group: ContainerGroup) -> None:
        self._starts[group.id.lower()] += 1

    def live(self, name: str) -> ContainerGroup | None:
        """The group of that name, or of `resourceGroup/name`. Raises ValueError when there are several."""
        where, _, last = name.lower().rpartition("/")
        found = {_place(key): one for key, one in self.by_id.items() if _place(key)[1] == last and where in ("", _place(key)[0])}
        if len(found) > 1:
            raise ValueError(f"there are several container groups {name}: give one of {', '.join(map('/'.join, sorted(found)))}")
        return next(iter(found.values()), None)

    def identity_ids(self, key: str) -> list[str]:
        """The user-assigned identities of the group with that key, or of all when it is empty: none while it runs init containers."""
        groups = [found for found in self.by_id.values() if key in ("", found.key) and not found.prepares]
        return [*{key.lower(): key for group in groups for key in user_assigned(group.identity)}.values()]

    def own_identities(self, key: str) -> list[Identity]:
        """The system-assigned identity of the group with that key: none while it runs init containers."""
        found = [one for one in self.by_id.values() if one.key == key and not one.prepares]
        return [own_identity(one.life, one.id, one.name) for one in found if "SystemAssigned" in (one.identity or {}).get("type", "")]

    def summary(self) -> dict[str, Any]:
        """For the side door: process starts and, where the group exists, its states, by every name ever used.

        Where two resource groups have used the same name, it stands there twice: as `resourceGroup/name`, in lower case.
        """
        used = Counter(_place(key)[1] for key in self._keys)
        names = {key: _place(key)[1] if used[_place(key)[1]] == 1 else "/".join(_place(key)) for key in self._keys}
        return {name: _summary(self._starts[key], self.by_id.get(key)) for key, name in names.items()}


def _place(identifier: str) -> tuple[str, str]:
    """The resource group and the name in an id."""
    parts = identifier.split("/")
    return parts[4], parts[-1]


def _summary(starts: int, group: ContainerGroup | None) -> dict[str, Any]:
    state, provisioning_state = (group.state, group.provisioning_state) if group else (None, None)
    return {"starts": starts, "exists": group is not None, "state": state, "provisioning_state": provisioning_state}
