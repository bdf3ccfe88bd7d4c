"""The container groups there are, and the names that were ever used."""

from __future__ import annotations

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
        self.starts: Counter[str] = Counter()  # of the first container, by the group's name

    def id(self, group: str, name: str) -> str:
        """Raises 404 for an unknown resource group."""
        return resource_id(self._state.groups.need(group)["id"], KIND, name)

    def find(self, group: str, name: str) -> ContainerGroup | None:
        return self.by_id.get(self.id(group, name).lower())

    def need(self, group: str, name: str) -> ContainerGroup:
        """Raises the 404 of whoever does not know it: ACI does not know a name that was in use, and any other never gets past ARM."""
        found = self.find(group, name)
        if found is None:
            raise errors.not_found(name) if name in self.starts else resource_not_found(KIND, name, group)
        if found.hidden:
            raise resource_not_found(KIND, name, group)
        return found

    def add(self, group: ContainerGroup) -> None:
        self.by_id[group.id.lower()] = group
        # Also remembers that the name was in use: its 404 is another one from now on.
        self.starts.setdefault(group.name, 0)

    def remove(self, group: ContainerGroup) -> None:
        del self.by_id[group.id.lower()]

    def below(self, scope: str) -> list[ContainerGroup]:
        return [found for key, found in self.by_id.items() if key.startswith(f"{scope.lower()}/")]

    def there(self, location: str) -> list[ContainerGroup]:
        """Those of a region."""
        return [found for found in self.by_id.values() if region(found.location) == region(location)]

    def started(self, group: ContainerGroup) -> None:
        self.starts[group.name] += 1

    def identity_ids(self, name: str) -> list[str]:
        """The user-assigned identities of the group of that name, or of all when it is empty: none while it runs init containers."""
        groups = [found for found in self.by_id.values() if name in ("", found.name) and not found.prepares]
        return [*{key.lower(): key for group in groups for key in user_assigned(group.identity)}.values()]

    def own_identities(self, name: str) -> list[Identity]:
        """The system-assigned identities of the groups of that name: none while they run init containers."""
        found = [one for one in self.by_id.values() if one.name == name and not one.prepares]
        return [own_identity(one.id, one.name) for one in found if "SystemAssigned" in (one.identity or {}).get("type", "")]

    def summary(self) -> dict[str, Any]:
        """For the side door: process starts and, where the group exists, its states, by every name ever used."""
        live = {found.name: found for found in self.by_id.values()}
        return {
            name: {
                "starts": starts,
                "exists": name in live,
                "state": live[name].state if name in live else None,
                "provisioning_state": live[name].provisioning_state if name in live else None,
            }
            for name, starts in self.starts.items()
        }
