"""Registries. Their admin account has two passwords, made anew at every start."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import ArmError, bad_request
from localcloud.arm.reading import as_flag, as_object, as_text
from localcloud.arm.routing import GROUP, Route
from localcloud.arm.tracked import Draft, Resource, Rules, Tracked

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KIND = "Microsoft.ContainerRegistry/registries"
_NAMES = r"[a-zA-Z0-9]{5,50}"
_PASSWORDS = ("password", "password2")
_GIB = 1024**3
_SIZES = {"Basic": 10 * _GIB, "Standard": 100 * _GIB, "Premium": 500 * _GIB}
_WEBHOOKS = {"Basic": 2, "Standard": 10, "Premium": 500}
_POLICIES = {
    "quarantinePolicy": {"status": "disabled"},
    "trustPolicy": {"type": "Notary", "status": "disabled"},
    "retentionPolicy": {"days": 7, "status": "disabled"},
    "exportPolicy": {"status": "enabled"},
    "azureADAuthenticationAsArmPolicy": {"status": "enabled"},
}


class ContainerRegistry:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._tracked = Tracked(state, KIND, self._fill, Rules(names=_NAMES, refuse=_invalid_name))
        self._passwords: dict[str, dict[str, str]] = {}

    def routes(self) -> list[Route]:
        one = f"{GROUP}/providers/{KIND}/{{name0}}"
        names = "/subscriptions/{subscription}/providers/Microsoft.ContainerRegistry/checkNameAvailability"
        return [
            Route("PUT", one, self.put),
            Route("POST", f"{one}/listCredentials", self.list_credentials),
            Route("POST", f"{one}/regenerateCredential", self.regenerate),
            Route("GET", f"{one}/listUsages", self.usages),
            Route("POST", names, self.check_name, action="Microsoft.ContainerRegistry/checkNameAvailability/read"),
            *self._tracked.routes(),
        ]

    def at(self, server: str) -> Resource | None:
        """The registry with that login server."""
        return next((one for one in self._state.shelf.of(KIND, "") if one["properties"]["loginServer"] == server.lower()), None)

    def is_admin(self, registry: Resource, username: str, password: str) -> bool:
        """Whether it is the registry's admin account, and that is on."""
        known = self._passwords[registry["id"].lower()].values()
        return bool(registry["properties"]["adminUserEnabled"]) and username == registry["name"] and password in known

    def put(self, call: Call, group: str, name0: str) -> Reply:
        found = self.at(_server(name0))
        if found is not None and found["id"].split("/")[4].lower() != group.lower():
            raise ArmError(
                409, "AlreadyInUse", f"The registry DNS name {_server(name0)} is already in use. Registry names are unique in all of Azure."
            )
        return self._tracked.put(call, group=group, name0=name0)

    def list_credentials(self, _call: Call, group: str, name0: str) -> Reply:
        found = self._with_admin(group, name0)
        values = self._passwords[found["id"].lower()]
        return Reply(body={"username": found["name"], "passwords": [{"name": kind, "value": value} for kind, value in values.items()]})

    def regenerate(self, call: Call, group: str, name0: str) -> Reply:
        """A new password in the place of one of the two."""
        found = self._with_admin(group, name0)
        wanted = str(call.object().get("name"))
        if wanted not in _PASSWORDS:
            # The local cloud's own words: Azure's are not known.
            raise bad_request("InvalidPasswordName", f"The password name '{wanted}' is none of {', '.join(_PASSWORDS)}.")
        self._passwords[found["id"].lower()][wanted] = secrets.token_urlsafe(24)
        return self.list_credentials(call, group, name0)

    def usages(self, _call: Call, group: str, name0: str) -> Reply:
        """The limits of its sku. What images take is not counted here."""
        tier = self._tracked.need(group, {"name0": name0})["sku"]["tier"]
        rows = (("Size", _SIZES, "Bytes"), ("Webhooks", _WEBHOOKS, "Count"))
        value = [{"name": name, "limit": limits.get(tier, 0), "currentValue": 0, "unit": unit} for name, limits, unit in rows]
        return Reply(body={"value": value})

    def check_name(self, call: Call) -> Reply:
        name = str(call.object().get("name"))
        if not re.fullmatch(_NAMES, name):
            return Reply(body={"nameAvailable": False, "reason": "Invalid", "message": _invalid_name(name).message})
        if self.at(_server(name)):
            return Reply(body={"nameAvailable": False, "reason": "AlreadyExists", "message": f"The registry {name} is already in use."})
        return Reply(body={"nameAvailable": True})

    def _with_admin(self, group: str, name0: str) -> Resource:
        found = self._tracked.need(group, {"name0": name0})
        if not found["properties"]["adminUserEnabled"]:
            raise bad_request(
                "UnAuthorizedForCredentialOperations",
                f"Cannot perform credential operations for {found['id']} as admin user is disabled. Kindly enable admin user as per docs: "
                "https://docs.microsoft.com/en-us/azure/container-registry/container-registry-authentication#admin-account",
            )
        return found

    def _fill(self, draft: Draft) -> Mapping[str, Any]:
        given = draft.properties
        if draft.known is None:
            self._passwords[draft.id.lower()] = {kind: secrets.token_urlsafe(24) for kind in _PASSWORDS}
        sku = as_text(as_object(draft.body.get("sku"), "sku").get("name"), "sku.name") or "Basic"
        return {
            "sku": {"name": sku, "tier": sku},
            **draft.identity(),
            "properties": {
                "loginServer": _server(draft.name),
                "creationDate": draft.kept("creationDate", draft.now),
                "provisioningState": "Succeeded",
                "adminUserEnabled": as_flag(given.get("adminUserEnabled"), "properties.adminUserEnabled"),
                "policies": {**_POLICIES, **as_object(given.get("policies"), "properties.policies")},
                "encryption": {"status": "disabled"},
                "dataEndpointEnabled": as_flag(given.get("dataEndpointEnabled"), "properties.dataEndpointEnabled"),
                "dataEndpointHostNames": [],
                "privateEndpointConnections": [],
                "publicNetworkAccess": as_text(given.get("publicNetworkAccess"), "properties.publicNetworkAccess") or "Enabled",
                "networkRuleBypassOptions": as_text(given.get("networkRuleBypassOptions"), "properties.networkRuleBypassOptions")
                or "AzureServices",
                "zoneRedundancy": as_text(given.get("zoneRedundancy"), "properties.zoneRedundancy") or "Disabled",
                "anonymousPullEnabled": as_flag(given.get("anonymousPullEnabled"), "properties.anonymousPullEnabled"),
            },
        }


def _server(name: str) -> str:
    return f"{name.lower()}.azurecr.io"


def _invalid_name(name: str) -> ArmError:
    return bad_request("InvalidRegistryName", f"The registry name '{name}' is invalid: it has 5 to 50 letters and digits.")
