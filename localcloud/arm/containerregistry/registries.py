"""Registries. Their admin account has two passwords, made anew at every start."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import bad_request, resource_not_found
from localcloud.arm.ids import resource_id, timestamp
from localcloud.arm.routing import GROUP, Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KIND = "Microsoft.ContainerRegistry/registries"
_NAME = re.compile(r"[a-zA-Z0-9]{5,50}")
_PASSWORDS = ("password", "password2")


class ContainerRegistry:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._registries: dict[str, dict[str, Any]] = {}
        self._passwords: dict[str, list[str]] = {}

    def routes(self) -> list[Route]:
        one = f"{GROUP}/providers/{KIND}/{{name}}"
        return [
            Route("PUT", one, self.put),
            Route("GET", one, self.get),
            Route("GET", f"{GROUP}/providers/{KIND}", self.list),
            Route("POST", f"{one}/listCredentials", self.list_credentials),
        ]

    def at(self, server: str) -> dict[str, Any] | None:
        """The registry with that login server."""
        return next((one for one in self._registries.values() if one["properties"]["loginServer"] == server.lower()), None)

    def is_admin(self, registry: dict[str, Any], username: str, password: str) -> bool:
        """Whether it is the registry's admin account, and that is on."""
        known = self._passwords[registry["id"].lower()]
        return bool(registry["properties"]["adminUserEnabled"]) and username == registry["name"] and password in known

    def put(self, call: Call, group: str, name: str) -> Reply:
        body = call.object()
        if not body.get("location"):
            raise bad_request("LocationRequired", "The location property is required for this definition.")
        if not _NAME.fullmatch(name):
            raise bad_request("InvalidRegistryName", f"The registry name '{name}' is invalid: it has 5 to 50 letters and digits.")
        key = self._id(group, name)
        known = self._registries.get(key.lower())
        self._passwords.setdefault(key.lower(), [secrets.token_urlsafe(24) for _ in _PASSWORDS])
        created = known["properties"]["creationDate"] if known else timestamp(self._state.clock.now())
        self._registries[key.lower()] = {
            "type": KIND,
            "id": key,
            "name": name,
            "location": body["location"],
            "tags": body.get("tags") or {},
            "sku": body.get("sku") or {"name": "Basic", "tier": "Basic"},
            "properties": {
                "loginServer": f"{name.lower()}.azurecr.io",
                "creationDate": created,
                "provisioningState": "Succeeded",
                "adminUserEnabled": bool((body.get("properties") or {}).get("adminUserEnabled")),
            },
        }
        return Reply(status=200 if known else 201, body=self._registries[key.lower()])

    def get(self, _call: Call, group: str, name: str) -> Reply:
        return Reply(body=self._need(group, name))

    def list(self, _call: Call, group: str) -> Reply:
        scope = str(self._state.groups.need(group)["id"]).lower()
        return Reply(body={"value": [one for key, one in self._registries.items() if key.startswith(f"{scope}/")]})

    def list_credentials(self, _call: Call, group: str, name: str) -> Reply:
        found = self._need(group, name)
        if not found["properties"]["adminUserEnabled"]:
            raise bad_request(
                "UnAuthorizedForCredentialOperations",
                f"Cannot perform credential operations for {found['id']} as admin user is disabled. Kindly enable admin user as per docs: "
                "https://docs.microsoft.com/en-us/azure/container-registry/container-registry-authentication#admin-account",
            )
        values = zip(_PASSWORDS, self._passwords[found["id"].lower()], strict=True)
        return Reply(body={"username": found["name"], "passwords": [{"name": kind, "value": value} for kind, value in values]})

    def _id(self, group: str, name: str) -> str:
        return resource_id(self._state.groups.need(group)["id"], KIND, name)

    def _need(self, group: str, name: str) -> dict[str, Any]:
        key = self._id(group, name)
        if key.lower() not in self._registries:
            raise resource_not_found(KIND, name, group)
        return self._registries[key.lower()]
