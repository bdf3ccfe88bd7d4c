"""Who may pull from the registries of this cloud: their admin accounts, and identities with a role there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.containers import Login

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState


def refusal(state: ArmState, server: str, login: Login | None) -> str:
    """Why a registry refuses whoever logs in so; "" if it does not, or is none of this cloud's. With the state's lock held."""
    registry = state.registries.at(server)
    if registry is None:
        return ""
    if login is None:
        return f"{server} lets nobody in without credentials: give its admin account or an identity in imageRegistryCredentials"
    if login.identity:
        return _of_identity(state, server, login.identity)
    if not state.registries.is_admin(registry, login.username, login.password):
        return f"the username or the password for {server} is wrong, or its admin account is off"
    return ""


def _of_identity(state: ArmState, server: str, identity: str) -> str:
    name = identity.rpartition("/")[2]
    if state.identities.find(identity) is None:
        return f"there is no identity {name} that {server} could let in"
    return ""
