"""Storage accounts with their keys, services, containers, queues, tables and shares."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import ArmError, bad_request, not_supported
from localcloud.arm.reading import as_object, as_text
from localcloud.arm.routing import GROUP, Route
from localcloud.arm.tracked import Draft, Rules, Tracked

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

KIND = "Microsoft.Storage/storageAccounts"
SERVICES = {"blobServices": "containers", "queueServices": "queues", "tableServices": "tables", "fileServices": "shares"}
_ENDPOINTS = ("dfs", "web", "blob", "queue", "table", "file")
_KEYS = ("key1", "key2")
_GIVEN = {
    "supportsHttpsTrafficOnly": True,
    "allowBlobPublicAccess": False,
    "minimumTlsVersion": "TLS1_0",
    "accessTier": "Hot",
    "networkAcls": {"bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [], "defaultAction": "Allow"},
}
_OPTIONAL = ("allowSharedKeyAccess", "publicNetworkAccess", "isHnsEnabled", "defaultToOAuthAuthentication", "largeFileSharesState")


def _invalid_name(name: str) -> ArmError:
    return bad_request(
        "AccountNameInvalid",
        f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in length and use numbers "
        "and lower-case letters only.",
    )


class Storage:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._keys: dict[str, dict[str, str]] = {}
        self._accounts = Tracked(state, KIND, self._account, Rules(names=r"[a-z0-9]{3,24}", refuse=_invalid_name, created=200))
        inner = Rules(names=r"[$\w-]{1,63}", located=False)
        self._services = {kind: Tracked(state, f"{KIND}/{kind}", _service, Rules(located=False, created=200)) for kind in SERVICES}
        things = [Tracked(state, f"{KIND}/{kind}/{word}", _thing, inner) for kind, word in SERVICES.items()]
        self._types = (self._accounts, *self._services.values(), *things)

    def routes(self) -> list[Route]:
        one = f"{GROUP}/providers/{KIND}/{{name0}}"
        checked = "/subscriptions/{subscription}/providers/Microsoft.Storage/checkNameAvailability"
        return [
            Route("POST", f"{one}/listKeys", self.list_keys),
            Route("POST", f"{one}/regenerateKey", self.regenerate_key),
            Route("POST", f"{one}/{{what}}Sas", self.no_signature),
            Route("POST", checked, self.check_name, action="Microsoft.Storage/checkNameAvailability/read"),
            *(route for kind in self._types for route in kind.routes()),
        ]

    def list_keys(self, _call: Call, group: str, name0: str) -> Reply:
        account = self._accounts.need(group, {"name0": name0})
        created = account["properties"]["creationTime"]
        keys = self._keys_of(account["id"])
        shown = [{"creationTime": created, "keyName": name, "value": keys[name], "permissions": "FULL"} for name in _KEYS]
        return Reply(body={"keys": shown})

    def regenerate_key(self, call: Call, group: str, name0: str) -> Reply:
        account = self._accounts.need(group, {"name0": name0})
        wanted = call.object().get("keyName")
        if wanted not in _KEYS:
            raise bad_request("InvalidValuesForRequestParameters", "Values for request parameters are invalid: keyName.")
        self._keys_of(account["id"])[str(wanted)] = _key()
        return self.list_keys(call, group, name0)

    def no_signature(self, _call: Call, group: str, name0: str, what: str) -> Reply:  # noqa: ARG002
        raise not_supported("A shared access signature made by ARM")

    def check_name(self, call: Call) -> Reply:
        name = str(call.object().get("name"))
        if any(one["name"] == name for one in self._state.shelf.of(KIND, "")):
            taken = {"reason": "AlreadyExists", "message": f"The storage account named {name} is already taken."}
            return Reply(body={"nameAvailable": False, **taken})
        return Reply(body={"nameAvailable": True})

    def _keys_of(self, account: str) -> dict[str, str]:
        return self._keys.setdefault(account.lower(), {name: _key() for name in _KEYS})

    def _account(self, draft: Draft) -> Mapping[str, Any]:
        given = draft.properties
        sku = as_text(as_object(draft.body.get("sku"), "sku").get("name"), "sku.name")
        if not sku:
            raise bad_request("InvalidValuesForRequestParameters", "Values for request parameters are invalid: sku.")
        if draft.known is None:
            self._keys.pop(draft.id.lower(), None)
            self._add_services(draft)
        place = {"primaryLocation": draft.location, "statusOfPrimary": "available"}
        return {
            "sku": {"name": sku, "tier": sku.partition("_")[0]},
            "kind": as_text(draft.body.get("kind"), "kind") or "StorageV2",
            **draft.identity(),
            "properties": {
                **{key: given.get(key, usual) for key, usual in _GIVEN.items()},
                **{key: given[key] for key in _OPTIONAL if given.get(key) is not None},
                "privateEndpointConnections": [],
                "encryption": _encryption(draft.kept("creationTime", draft.now)),
                "provisioningState": "Succeeded",
                "creationTime": draft.kept("creationTime", draft.now),
                "primaryEndpoints": {kind: f"https://{draft.name}.{kind}.core.windows.net/" for kind in _ENDPOINTS},
                **place,
            },
        }

    def _add_services(self, draft: Draft) -> None:
        """Every account has them from the start."""
        for kind, service in self._services.items():
            service.make(draft.call, f"{draft.id}/{kind}/default", {}, None)


def _encryption(since: str) -> dict[str, Any]:
    on = {"keyType": "Account", "enabled": True, "lastEnabledTime": since}
    return {"services": {"file": on, "blob": on}, "keySource": "Microsoft.Storage"}


def _service(draft: Draft) -> Mapping[str, Any]:
    return {"properties": {"cors": {"corsRules": []}, **draft.properties}}


def _thing(draft: Draft) -> Mapping[str, Any]:
    """A container, queue, table or share: what it was given is kept."""
    return {"etag": f'"{draft.id.rpartition("/")[2]}"', "properties": {**draft.properties}}


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(64)).decode()
