"""Who may pull from and push to the registries of this cloud: their admin accounts, and identities with a role there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from localcloud.containers import Login

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

ACTIONS = {
    "pull": "Microsoft.ContainerRegistry/registries/pull/read",
    "push": "Microsoft.ContainerRegistry/registries/push/write",
}


class RegistryAccess:
    """Asks the state, which need not be there yet when this is made."""

    def __init__(self, state: Callable[[], ArmState]) -> None:
        self._find = state

    @property
    def _state(self) -> ArmState:
        return self._find()

    def knows(self, server: str) -> bool:
        """Whether this cloud has a registry with that login server."""
        with self._state.lock:
            return self._state.registries.at(server) is not None

    def of_admin(self, server: str, username: str, password: str) -> Sequence[str] | None:
        """All for the admin account, when it is on; None when there is no such account."""
        with self._state.lock:
            registry = self._state.registries.at(server)
            known = registry is not None and self._state.registries.is_admin(registry, username, password)
            return tuple(ACTIONS) if known else None

    def of_principal(self, server: str, principal: str) -> Sequence[str]:
        """What its roles let an identity do."""
        with self._state.lock:
            registry = self._state.registries.at(server)
            if registry is None or not principal:
                return ()
            allows = self._state.authorization.allows
            return tuple(name for name, action in ACTIONS.items() if allows(principal, action, registry["id"]))


def refusal(state: ArmState, server: str, login: Login | None) -> str:
    """Why a registry refuses to let somebody pull; "" if it does not, or is none of this cloud's."""
    access = RegistryAccess(lambda: state)
    if not access.knows(server):
        return ""
    if login is None:
        return f"{server} lets nobody in without credentials: give its admin account or an identity in imageRegistryCredentials"
    if not login.identity:
        known = access.of_admin(server, login.username, login.password)
        return "" if known else f"the username or the password for {server} is wrong, or its admin account is off"
    name, identity = login.identity.rpartition("/")[2], state.identities.find(login.identity)
    if identity is None or "pull" not in access.of_principal(server, identity.principal_id):
        return f"the identity {name} has no role on {server} that lets it pull, such as AcrPull"
    return ""
