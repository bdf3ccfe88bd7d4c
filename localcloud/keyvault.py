"""Key Vault: the secrets of all vaults, each under a path of its own, `/vaults/{vault}`, where Azure has a host of its own.

Set, get and delete. A token must be good and for Key Vault; a role on the vault says who may read and who may write, as Azure's RBAC does.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from localcloud.files import write_whole

AUDIENCE = "https://vault.azure.net"
MOST_BYTES = 25_600
RECOVERY = {"recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90}

Verify = Callable[[str, str], dict[str, Any]]
Role = Literal["reader", "writer"]
_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")


class VaultError(Exception):
    """An error answer: `{"error": {"code", "message", "innererror"?}}`."""

    def __init__(self, status: int, code: str, message: str, inner: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message} | ({"innererror": {"code": inner}} if inner else {})
        self.headers = dict(headers or {})


class Vaults:
    """The vaults: their secrets with all versions, kept in a file, and the roles of identities by their object ids."""

    def __init__(self, file: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._roles: dict[str, dict[str, Role]] = {}
        self._secrets: dict[str, dict[str, Any]] = json.loads(file.read_text()) if file and file.exists() else {}
        self._lock = Lock()

    def create(self, vault: str) -> None:
        """A vault, if it is not there yet."""
        with self._lock:
            self._secrets.setdefault(vault.lower(), {})
            self._roles.setdefault(vault.lower(), {})

    def clear(self) -> None:
        """No vault is left."""
        with self._lock:
            self._secrets, self._roles = {}, {}
            self._save()

    def assign(self, vault: str, principal: str, role: Role) -> None:
        """Gives an identity a role on the vault."""
        self.create(vault)
        self._roles[vault.lower()][principal] = role

    def take_away(self, vault: str, principal: str) -> None:
        """Takes the identity's role on the vault away."""
        self._roles[vault.lower()].pop(principal, None)

    def names(self, vault: str) -> list[str]:
        """The secrets that are there, and not deleted."""
        with self._lock:
            return sorted(name for name, found in self._secrets.get(vault.lower(), {}).items() if not found["deleted"])

    def value(self, vault: str, name: str) -> str:
        """The value of a secret's latest version."""
        return str(self.get(vault, name)["value"])

    def check(self, vault: str, principal: str, role: Role) -> None:
        """Raises the refusal of one who has not the role."""
        if vault.lower() not in self._secrets:
            raise VaultError(404, "VaultNotFound", f"The vault '{vault}' is not in the local cloud.")
        found = self._roles.get(vault.lower(), {}).get(principal)
        if found != "writer" and found != role:
            action = "getSecret/action" if role == "reader" else "setSecret/action"
            raise VaultError(
                403,
                "Forbidden",
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were "
                f"changed recently, please observe propagation time.\r\nCaller: oid={principal}\r\n"
                f"Action: 'Microsoft.KeyVault/vaults/secrets/{action}'\r\nVault: {vault}",
                "ForbiddenByRbac",
            )

    def set(self, vault: str, name: str, value: object, enabled: bool = True) -> dict[str, Any]:
        """A new version of the secret, as it is answered."""
        if not _NAME.fullmatch(name):
            raise VaultError(400, "BadParameter", f"The request URI contains an invalid name: {name}")
        if not isinstance(value, str) or len(value.encode()) > MOST_BYTES:
            raise VaultError(400, "BadParameter", "Property  has invalid value\r\n")
        with self._lock:
            found = self._secrets[vault.lower()].setdefault(name.lower(), {"deleted": False, "versions": {}})
            if found["deleted"]:
                raise VaultError(
                    409,
                    "Conflict",
                    f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the "
                    "secret can only be recovered or purged.",
                    "ObjectIsDeletedButRecoverable",
                )
            version = uuid.uuid4().hex
            now = int(self._clock())
            found["versions"][version] = {"value": value, "enabled": enabled, "at": now}
            self._save()
            return _bundle(vault, name, version, found["versions"][version])

    def get(self, vault: str, name: str, version: str = "") -> dict[str, Any]:
        """A version of the secret, the latest unless it is named, as it is answered."""
        with self._lock:
            found = self._found(vault, name)
            version = version or list(found["versions"])[-1]
            if version not in found["versions"]:
                raise _absent(f"{name}/{version}")
            if not found["versions"][version]["enabled"]:
                raise VaultError(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")
            return _bundle(vault, name, version, found["versions"][version])

    def delete(self, vault: str, name: str) -> dict[str, Any]:
        """Deletes the secret with all versions; its name stays taken, as under soft delete."""
        with self._lock:
            found = self._found(vault, name)
            found["deleted"] = True
            self._save()
            version, kept = list(found["versions"].items())[-1]
            answer = _bundle(vault, name, version, kept)
        del answer["value"]
        now = int(self._clock())
        recovery = f"{_address(vault)}/deletedsecrets/{name}"
        return answer | {"recoveryId": recovery, "deletedDate": now, "scheduledPurgeDate": now + 90 * 86_400}

    def _found(self, vault: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] | None = self._secrets[vault.lower()].get(name.lower())
        if found is None or found["deleted"]:
            raise _absent(name)
        return found

    def _save(self) -> None:
        if self._file:
            write_whole(self._file, json.dumps(self._secrets))


def create_app(vaults: Vaults, verify: Verify, tenant: str) -> Starlette:
    """Key Vault over `vaults`. `verify(token, audience)` gives the claims of a good token, and raises ValueError for a bad one."""
    door = _Door(vaults, verify, tenant)
    return Starlette(
        routes=[
            Route("/vaults/{vault}/secrets/{name}", door.answer, methods=["GET", "PUT", "DELETE"]),
            Route("/vaults/{vault}/secrets/{name}/{version:path}", door.answer, methods=["GET"]),
        ]
    )


class _Door:
    def __init__(self, vaults: Vaults, verify: Verify, tenant: str) -> None:
        self._vaults, self._verify, self._tenant = vaults, verify, tenant

    async def answer(self, request: Request) -> JSONResponse:
        try:
            return JSONResponse(await self._answered(request))
        except VaultError as error:
            return JSONResponse({"error": error.error}, error.status, error.headers)

    async def _answered(self, request: Request) -> dict[str, Any]:
        principal = self._principal(request)
        vault, name = request.path_params["vault"], request.path_params["name"]
        if not request.query_params.get("api-version"):
            raise VaultError(400, "BadParameter", "api-version must be specified")
        self._vaults.check(vault, principal, "reader" if request.method == "GET" else "writer")
        if request.method == "GET":
            return self._vaults.get(vault, name, request.path_params.get("version", ""))
        if request.method == "DELETE":
            return self._vaults.delete(vault, name)
        return self._set(vault, name, await request.body())

    def _set(self, vault: str, name: str, body: bytes) -> dict[str, Any]:
        try:
            given = json.loads(body)
            return self._vaults.set(vault, name, given.get("value"), given.get("attributes", {}).get("enabled", True))
        except (ValueError, AttributeError):
            raise VaultError(400, "BadParameter", "The request body is not a valid JSON object.") from None

    def _principal(self, request: Request) -> str:
        """The caller's object id. A call without a good token is told where to get one, which is how clients find out."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            return str(self._verify(token if scheme.lower() == "bearer" else "", AUDIENCE)["oid"])
        except ValueError as error:
            challenge = f'Bearer authorization="https://login.windows.net/{self._tenant}", resource="{AUDIENCE}"'
            raise VaultError(401, "Unauthorized", str(error), headers={"WWW-Authenticate": challenge}) from None


def _bundle(vault: str, name: str, version: str, kept: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {"enabled": kept["enabled"], "created": kept["at"], "updated": kept["at"], **RECOVERY}
    return {"value": kept["value"], "id": f"{_address(vault)}/secrets/{name}/{version}", "attributes": attributes}


def _address(vault: str) -> str:
    return f"https://{vault.lower()}.vault.azure.net"


def _absent(what: str) -> VaultError:
    return VaultError(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {what} was not found in this key vault. If you recently deleted this secret you may be able to "
        "recover it using the correct recovery command.",
    )
