"""Refusals, in Key Vault's words."""

from __future__ import annotations

from collections.abc import Mapping


class VaultError(Exception):
    """An error answer: `{"error": {"code", "message", "innererror"?}}`."""

    def __init__(self, status: int, code: str, message: str, inner: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message} | ({"innererror": {"code": inner}} if inner else {})
        self.headers = dict(headers or {})


def bad(message: str) -> VaultError:
    return VaultError(400, "BadParameter", message)


def no_vault(vault: str) -> VaultError:
    """The local cloud's own: on Azure a vault that there is not has no address."""
    return VaultError(404, "VaultNotFound", f"The vault '{vault}' is not in the local cloud.")


def absent(what: str) -> VaultError:
    return VaultError(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {what} was not found in this key vault. If you recently deleted this secret you may be able to "
        "recover it using the correct recovery command. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182",
    )


def not_deleted(name: str) -> VaultError:
    return VaultError(404, "SecretNotFound", f"Deleted Secret not found: {name}")


def still_deleted(name: str) -> VaultError:
    return VaultError(
        409,
        "Conflict",
        f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the "
        "secret can only be recovered or purged.",
        "ObjectIsDeletedButRecoverable",
    )


def disabled() -> VaultError:
    return VaultError(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")


def no_purge(vault: str) -> VaultError:
    """The local cloud's own words: Azure's are not known."""
    return VaultError(403, "Forbidden", f"The vault '{vault}' has purge protection: nothing in it can be purged.", "ForbiddenByPolicy")


def no_role(caller: str, action: str, resource: str, vault: str, location: str) -> VaultError:
    return VaultError(
        403,
        "Forbidden",
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed "
        f"recently, please observe propagation time.\r\nCaller: {caller}\r\nAction: '{action}'\r\nResource: '{resource}'\r\n"
        f"Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {vault};location={location}\r\n",
        "ForbiddenByRbac",
    )


def no_policy(caller: str, permission: str, vault: str, location: str) -> VaultError:
    return VaultError(
        403,
        "Forbidden",
        f"The user, group or application '{caller}' does not have secrets {permission} permission on key vault "
        f"'{vault};location={location}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
        "AccessDenied",
    )
