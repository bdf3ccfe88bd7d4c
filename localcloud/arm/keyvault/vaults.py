"""Vaults: made, changed, deleted softly, recovered and purged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.ids import region, resource_id
from localcloud.arm.keyvault import errors
from localcloud.arm.keyvault.policies import change_policies, read_policies
from localcloud.arm.keyvault.rules import is_protected, read_days, read_vault
from localcloud.arm.keyvault.secrets import ArmSecrets
from localcloud.arm.reading import as_object
from localcloud.arm.routing import GROUP, Route
from localcloud.arm.tracked import Draft, Resource, Rules, Tracked

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KIND = "Microsoft.KeyVault/vaults"
_NAMES = r"(?=.{3,24}$)[A-Za-z](?:-?[A-Za-z0-9])*"


class KeyVaults:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._deleted: dict[str, Resource] = {}
        self._tracked = Tracked(state, KIND, self._fill, Rules(names=_NAMES, refuse=errors.invalid_name, created=200), self._create)
        self._secrets = ArmSecrets(state, self._tracked)

    def routes(self) -> list[Route]:
        one = f"{GROUP}/providers/{KIND}/{{name0}}"
        whole = "/subscriptions/{subscription}/providers/Microsoft.KeyVault"
        gone = f"{whole}/locations/{{location}}/deletedVaults/{{name}}"
        names = f"{whole}/checkNameAvailability"
        purge = "Microsoft.KeyVault/locations/deletedVaults/purge/action"
        return [
            Route("PUT", one, self.put),
            Route("DELETE", one, self.delete),
            Route("PUT", f"{one}/accessPolicies/{{how}}", self.put_policies),
            Route("GET", f"{whole}/deletedVaults", self.list_deleted),
            Route("GET", gone, self.get_deleted),
            Route("POST", f"{gone}/purge", self.purge, action=purge),
            Route("POST", names, self.check_name, action="Microsoft.KeyVault/checkNameAvailability/read"),
            *self._tracked.routes(),
            *self._secrets.routes(),
        ]

    def named(self, name: str) -> Resource | None:
        """The vault of that name: there is only one, in whatever group."""
        return next((one for one in self._state.shelf.of(KIND, "") if one["name"].lower() == name.lower()), None)

    def put(self, call: Call, group: str, name0: str) -> Reply:
        key = resource_id(self._state.groups.need(group)["id"], KIND, name0)
        recovers = as_object(call.object().get("properties"), "properties").get("createMode") == "recover"
        found = self.named(name0)
        if found is not None and found["id"].lower() != key.lower():
            raise errors.name_taken(name0)
        gone = self._deleted.get(name0.lower())
        if recovers and found is None and gone is None:
            raise errors.not_deleted(name0)
        if gone is not None and found is None:
            if not recovers or gone["id"].lower() != key.lower():
                raise errors.still_deleted()
            return Reply(body=self._recover(gone))
        return self._tracked.put(call, group=group, name0=name0)

    def delete(self, call: Call, group: str, name0: str) -> Reply:
        found = self._state.shelf.find(resource_id(self._state.groups.need(group)["id"], KIND, name0))
        if found is not None:
            self._deleted[name0.lower()] = {**found, "deletedAt": self._state.clock.now()}
            self._state.vaults.put_away(name0)
        return self._tracked.delete(call, group=group, name0=name0)

    def put_policies(self, call: Call, group: str, name0: str, how: str) -> Reply:
        found = self._tracked.need(group, {"name0": name0})
        given = read_policies(as_object(call.object().get("properties"), "properties").get("accessPolicies"))
        found["properties"]["accessPolicies"] = change_policies(found["properties"]["accessPolicies"], given, how.lower())
        return Reply(
            body={
                "id": f"{found['id']}/accessPolicies/",
                "type": f"{KIND}/accessPolicies",
                "properties": {"accessPolicies": found["properties"]["accessPolicies"]},
            }
        )

    def list_deleted(self, _call: Call) -> Reply:
        return Reply(body={"value": [self._show_deleted(one) for one in self._deleted.values()]})

    def get_deleted(self, _call: Call, location: str, name: str) -> Reply:
        return Reply(body=self._show_deleted(self._need_deleted(location, name)))

    def purge(self, call: Call, location: str, name: str) -> Reply:
        found = self._need_deleted(location, name)
        if found["properties"].get("enablePurgeProtection"):
            raise errors.purge_protected(name)
        del self._deleted[name.lower()]
        self._state.vaults.purge_vault(name)
        return self._state.results.begin(call, "VaultPurgeJob", lambda: Reply(status=200))

    def check_name(self, call: Call) -> Reply:
        name = str(call.object().get("name"))
        taken = self.named(name) is not None or name.lower() in self._deleted
        message = f"The vault name '{name}' is already in use." if taken else None
        return Reply(body={"nameAvailable": not taken, **({"reason": "AlreadyExists", "message": message} if taken else {})})

    def secret(self, actor: str, vault_id: str, secret: str, version: str | None) -> str:
        """A secret for a deployment's parameter. Raises ARM's errors for what is not there or not allowed."""
        return self._secrets.for_deployment(actor, vault_id, secret, version or "")

    def _recover(self, gone: Resource) -> Resource:
        del self._deleted[gone["name"].lower()]
        self._state.vaults.bring_back(gone["name"])
        return self._state.shelf.put({key: value for key, value in gone.items() if key != "deletedAt"})

    def _need_deleted(self, location: str, name: str) -> Resource:
        found = self._deleted.get(name.lower())
        if found is None or found["location"] != region(location):
            raise errors.not_deleted(name)
        return found

    def _show_deleted(self, gone: Mapping[str, Any]) -> dict[str, Any]:
        scope = f"/subscriptions/{self._state.settings.subscription}/providers/Microsoft.KeyVault"
        when = gone["deletedAt"].strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "id": f"{scope}/locations/{gone['location']}/deletedVaults/{gone['name']}",
            "name": gone["name"],
            "type": "Microsoft.KeyVault/deletedVaults",
            "properties": {"vaultId": gone["id"], "location": gone["location"], "tags": gone["tags"], "deletionDate": when},
        }

    def _fill(self, draft: Draft) -> Mapping[str, Any]:
        address = f"https://{draft.name.lower()}.vault.azure.net/"
        return {"properties": {**read_vault(draft), "vaultUri": address, "provisioningState": "Succeeded"}}

    def _create(self, draft: Draft) -> None:
        self._state.vaults.create(draft.name, read_days(draft), can_purge=not is_protected(draft))
