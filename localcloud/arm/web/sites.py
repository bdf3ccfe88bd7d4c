"""Plans, sites, their configuration and their keys."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import ArmError
from localcloud.arm.reading import as_object, as_objects, as_text, need_text
from localcloud.arm.routing import GROUP, Route
from localcloud.arm.tracked import Draft, Resource, Rules, Tracked

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

PLANS = "Microsoft.Web/serverfarms"
SITES = "Microsoft.Web/sites"
CONFIG = f"{SITES}/config"
POLICIES = f"{SITES}/basicPublishingCredentialsPolicies"
_SETTINGS = ("appsettings", "connectionstrings")
_KEPT = (
    "httpsOnly", "clientAffinityEnabled", "virtualNetworkSubnetId", "functionAppConfig", "publicNetworkAccess", "keyVaultReferenceIdentity",
    "reserved",
)  # fmt: skip


class Web:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._keys: dict[str, dict[str, Any]] = {}
        self._sites = Tracked(state, SITES, self._site, Rules(names=r"[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]", created=200), self._keep)
        self._config = Tracked(state, CONFIG, _kept, Rules(located=False, created=200))
        self._types = (
            Tracked(state, PLANS, _plan, Rules(names=r"[\w-]{1,60}", created=200)),
            self._sites,
            self._config,
            Tracked(state, POLICIES, _kept, Rules(names="scm|ftp", located=False, created=200)),
        )

    def routes(self) -> list[Route]:
        one = f"{GROUP}/providers/{SITES}/{{name0}}"
        return [
            Route("POST", f"{one}/config/{{name1}}/list", self.list_settings),
            *(Route("GET", f"{one}/config/{secret}", self.no_settings) for secret in _SETTINGS),
            Route("GET", f"{one}/config", self.list_config),
            Route("POST", f"{one}/host/default/listkeys", self.list_keys, action=f"{SITES}/host/listkeys/action"),
            *(route for kind in self._types for route in kind.routes()),
        ]

    def list_settings(self, _call: Call, group: str, name0: str, name1: str) -> Reply:
        """The only way to see them: what the site itself shows has none."""
        site = self._sites.need(group, {"name0": name0})
        found = self._state.shelf.find(f"{site['id']}/config/{name1}")
        empty = {"id": f"{site['id']}/config/{name1}", "name": name1, "type": CONFIG, "properties": {}}
        return Reply(body={**(found or empty), "location": site["location"]})

    def no_settings(self, _call: Call, group: str, name0: str) -> Reply:
        """A reader must not see secrets: they are asked for with an action of their own."""
        self._sites.need(group, {"name0": name0})
        raise ArmError(405, "MethodNotAllowed", "The requested resource does not support http method 'GET'.")

    def list_config(self, _call: Call, group: str, name0: str) -> Reply:
        """Without the secrets."""
        site = self._sites.need(group, {"name0": name0})
        found = self._state.shelf.of(CONFIG, site["id"])
        return Reply(body={"value": [one for one in found if one["name"].lower() not in _SETTINGS]})

    def list_keys(self, _call: Call, group: str, name0: str) -> Reply:
        """Not those of the functions host that the local cloud runs: it is no site of ARM's."""
        site = self._sites.need(group, {"name0": name0})
        made = {"masterKey": secrets.token_urlsafe(40), "functionKeys": {"default": secrets.token_urlsafe(40)}, "systemKeys": {}}
        return Reply(body=self._keys.setdefault(site["id"].lower(), made))

    def _site(self, draft: Draft) -> Mapping[str, Any]:
        given = draft.properties
        config, _, _ = _config_of(draft)
        plan = given.get("serverFarmId")
        host = f"{draft.name.lower()}.azurewebsites.net"
        return {
            "kind": as_text(draft.body.get("kind"), "kind") or "app",
            **draft.identity(),
            "properties": {
                "name": draft.name,
                "state": "Running",
                "hostNames": [host],
                "enabledHostNames": [host, f"{draft.name.lower()}.scm.azurewebsites.net"],
                "defaultHostName": host,
                "repositorySiteName": draft.name,
                "enabled": given.get("enabled", True),
                "usageState": "Normal",
                "availabilityState": "Normal",
                "lastModifiedTimeUtc": draft.now(),
                **({"serverFarmId": plan} if plan else {}),
                **{key: given[key] for key in _KEPT if given.get(key) is not None},
                "siteConfig": {key: value for key, value in config.items() if key not in ("appSettings", "connectionStrings")},
                "resourceGroup": draft.id.split("/")[4],
                "provisioningState": "Succeeded",
            },
        }

    def _keep(self, draft: Draft) -> None:
        """What a site was given beside what it shows."""
        if draft.known is None:
            self._keys.pop(draft.id.lower(), None)
        _, values, given = _config_of(draft)
        if values is not None:
            self._put_config(draft, "appsettings", {name: one.get("value") for name, one in values.items()})
        if given is not None:
            strings = {name: {"value": one.get("connectionString"), "type": one.get("type")} for name, one in given.items()}
            self._put_config(draft, "connectionstrings", strings)

    def _put_config(self, draft: Draft, name: str, properties: Resource) -> None:
        key = f"{draft.id}/config/{name}"
        self._config.make(draft.call, key, {"properties": properties}, self._state.shelf.find(key))


def _named(given: Any, path: str) -> dict[str, dict[str, Any]] | None:
    """The objects of a list by their names; None if there is no list."""
    return None if given is None else {need_text(one, "name", path): one for one in as_objects(given, path)}


def _config_of(draft: Draft) -> tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any] | None]:
    """The `siteConfig`, and what it says of settings and of connection strings, by name."""
    config = as_object(draft.properties.get("siteConfig"), "properties.siteConfig")
    settings, strings = (_named(config.get(key), f"properties.siteConfig.{key}") for key in ("appSettings", "connectionStrings"))
    return config, settings, strings


def _kept(draft: Draft) -> Mapping[str, Any]:
    return {"properties": {**draft.properties}}


def _plan(draft: Draft) -> Mapping[str, Any]:
    sku = dict(as_object(draft.body.get("sku"), "sku") or {"name": "F1"})
    name = as_text(sku.get("name"), "sku.name")
    sku = {
        "name": name,
        "tier": sku.get("tier") or name,
        "size": sku.get("size") or name,
        "family": name[:1],
        "capacity": sku.get("capacity") or 0,
    }
    given = draft.properties
    return {
        "kind": as_text(draft.body.get("kind"), "kind") or "app",
        "sku": sku,
        "properties": {
            "name": draft.name,
            "status": "Ready",
            "reserved": bool(given.get("reserved")),
            "maximumElasticWorkerCount": given.get("maximumElasticWorkerCount") or 1,
            "numberOfSites": 0,
            "resourceGroup": draft.id.split("/")[4],
            "subscription": draft.state.settings.subscription,
            "zoneRedundant": bool(given.get("zoneRedundant")),
            "provisioningState": "Succeeded",
        },
    }
