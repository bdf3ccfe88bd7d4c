"""Who may do what with the secrets of a vault: by role assignments, or by the vault's own access policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.keyvault import errors

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_PERMISSIONS = {
    "getSecret/action": "get",
    "readMetadata/action": "list",
    "setSecret/action": "set",
    "update/action": "set",
    "delete": "delete",
    "recover/action": "recover",
    "purge/action": "purge",
}


class SecretsGuard:
    """What the vaults' own address asks before it answers. It takes the state's lock."""

    def __init__(self, state: ArmState) -> None:
        self._state = state

    def check(self, vault: str, claims: Mapping[str, Any], action: str, secret: str) -> None:
        """Raises VaultError for a vault that there is not, and for one who may not."""
        with self._state.lock:
            found = self._state.key_vaults.named(vault)
            if found is None:
                raise errors.no_vault(vault)
            if found["properties"]["enableRbacAuthorization"]:
                self._check_roles(found, claims, action, secret)
            else:
                self._check_policies(found, claims, action)

    def _check_roles(self, found: Mapping[str, Any], claims: Mapping[str, Any], action: str, secret: str) -> None:
        scope = f"{found['id']}/secrets/{secret}" if secret else str(found["id"])
        # A token without an object id is nobody's: the empty actor would be the local cloud itself.
        if not claims.get("oid") or not self._state.authorization.allows(str(claims["oid"]), action, scope, data=True):
            raise errors.no_role(_caller(claims), action, scope.lower(), found["name"], found["location"])

    def _check_policies(self, found: Mapping[str, Any], claims: Mapping[str, Any], action: str) -> None:
        permission = _PERMISSIONS[action.partition("/secrets/")[2]]
        caller = str(claims.get("oid") or " ").lower()
        for policy in found["properties"]["accessPolicies"]:
            allowed = {str(one).lower() for one in (policy.get("permissions") or {}).get("secrets") or []}
            if str(policy.get("objectId")).lower() == caller and allowed & {permission, "all"}:
                return
        raise errors.no_policy(_caller(claims), permission, found["name"], found["location"])


def _caller(claims: Mapping[str, Any]) -> str:
    return ";".join(f"{key}={claims.get(key, '')}" for key in ("appid", "oid", "iss"))
