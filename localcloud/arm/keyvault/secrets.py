"""Secrets as ARM has them: put by templates, never read back; and read for the parameters of deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import ArmError
from localcloud.arm.keyvault import errors
from localcloud.arm.routing import GROUP, Route
from localcloud.arm.tracked import Tracked
from localcloud.keyvault import VaultError

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KIND = "Microsoft.KeyVault/vaults/secrets"
_DEPLOY = "Microsoft.KeyVault/vaults/deploy/action"


class ArmSecrets:
    def __init__(self, state: ArmState, vaults: Tracked) -> None:
        self._state = state
        self._vaults = vaults

    def routes(self) -> list[Route]:
        every = f"{GROUP}/providers/Microsoft.KeyVault/vaults/{{name0}}/secrets"
        return [
            Route("PUT", f"{every}/{{secret}}", self.put),
            Route("PATCH", f"{every}/{{secret}}", self.patch),
            Route("GET", f"{every}/{{secret}}", self.get),
            Route("GET", every, self.list),
        ]

    def put(self, call: Call, group: str, name0: str, secret: str) -> Reply:
        found = self._vaults.need(group, {"name0": name0})
        given = call.object().get("properties") or {}
        kept = {key: given[key] for key in ("attributes", "contentType") if given.get(key) is not None}
        known = secret.lower() in self._state.vaults.names(name0)
        try:
            made = self._state.vaults.set(name0, secret, given.get("value"), **kept, tags=call.object().get("tags"))
        except VaultError as error:
            raise ArmError(error.status, str(error.error["code"]), str(error)) from None
        return Reply(status=200 if known else 201, body=self._show(found, secret, made))

    def patch(self, call: Call, group: str, name0: str, secret: str) -> Reply:
        """With a value a new version of it, without one other attributes of the newest."""
        properties = call.object().get("properties") or {}
        if properties.get("value") is not None:
            return self.put(call, group, name0, secret)
        found = self._vaults.need(group, {"name0": name0})
        try:
            made = self._state.vaults.update(name0, secret, "", {**properties, "tags": call.object().get("tags")})
        except VaultError as error:
            raise ArmError(error.status, str(error.error["code"]), str(error)) from None
        return Reply(body=self._show(found, secret, made))

    def get(self, _call: Call, group: str, name0: str, secret: str) -> Reply:
        found = self._vaults.need(group, {"name0": name0})
        try:
            newest = self._state.vaults.newest(name0, secret)
        except VaultError as error:
            raise ArmError(error.status, str(error.error["code"]), str(error)) from None
        return Reply(body=self._show(found, secret, newest))

    def list(self, _call: Call, group: str, name0: str) -> Reply:
        found = self._vaults.need(group, {"name0": name0})
        return Reply(body={"value": [self._show(found, one["id"].rpartition("/")[2], one) for one in self._state.vaults.all(name0)]})

    def for_deployment(self, actor: str, vault_id: str, secret: str, version: str) -> str:
        """The value, if the vault is there for deployments and the deployer may use it so."""
        found = self._state.shelf.find(vault_id)
        if found is None:
            raise errors.no_such_vault(vault_id)
        authorization = self._state.authorization
        if not authorization.allows(actor, _DEPLOY, found["id"]):
            raise errors.may_not_deploy(authorization.client(actor), actor, found["id"])
        if not found["properties"]["enabledForTemplateDeployment"]:
            raise errors.not_enabled(found["id"])
        try:
            return self._state.vaults.value(found["name"], secret, version)
        except VaultError as error:
            raise errors.not_retrieved(secret, "NotFound" if error.status == 404 else "Forbidden", str(error)) from None

    def _show(self, vault: dict[str, Any], secret: str, shown: dict[str, Any]) -> dict[str, Any]:
        """Never with its value."""
        address = f"{vault['properties']['vaultUri']}secrets/{secret}"
        typed = {"contentType": shown["contentType"]} if "contentType" in shown else {}
        return {
            "id": f"{vault['id']}/secrets/{secret}",
            "name": secret,
            "type": KIND,
            "location": vault["location"],
            "tags": shown.get("tags") or {},
            "properties": {**typed, "attributes": shown["attributes"], "secretUri": address, "secretUriWithVersion": shown["id"]},
        }
