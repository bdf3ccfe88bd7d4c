"""Application Insights and Log Analytics workspaces: keys and connection strings that an app's settings are made of."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.ids import stable_guid
from localcloud.arm.routing import GROUP, Route
from localcloud.arm.tracked import Draft, Rules, Tracked

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

COMPONENTS = "Microsoft.Insights/components"
WORKSPACES = "Microsoft.OperationalInsights/workspaces"
_DAYS = 30


class Insights:
    def __init__(self, state: ArmState) -> None:
        self._keys: dict[str, tuple[str, str]] = {}
        self._components = Tracked(state, COMPONENTS, _component, Rules(names=r"[^%&\\?/]{1,260}", created=200))
        self._workspaces = Tracked(state, WORKSPACES, _workspace, Rules(names=r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]"))

    def routes(self) -> list[Route]:
        one = f"{GROUP}/providers/{WORKSPACES}/{{name0}}"
        # Templates ask for the same by `listKeys`.
        keys = [Route("POST", f"{one}/{action}", self.shared_keys) for action in ("sharedKeys", "listKeys")]
        return [*self._components.routes(), *self._workspaces.routes(), *keys]

    def shared_keys(self, _call: Call, group: str, name0: str) -> Reply:
        found = self._workspaces.need(group, {"name0": name0})
        first, second = self._keys.setdefault(found["id"].lower(), (_key(), _key()))
        return Reply(body={"primarySharedKey": first, "secondarySharedKey": second})


def _component(draft: Draft) -> Mapping[str, Any]:
    given = draft.properties
    key, app = stable_guid(f"instrumentation:{draft.id}"), stable_guid(f"application:{draft.id}")
    place = draft.location
    return {
        "kind": draft.body.get("kind") or "web",
        "etag": f'"{stable_guid(draft.now())}"',
        "properties": {
            "Ver": "v2",
            "ApplicationId": draft.name,
            "AppId": app,
            "Application_Type": given.get("Application_Type") or "web",
            "Flow_Type": given.get("Flow_Type"),
            "Request_Source": given.get("Request_Source"),
            "InstrumentationKey": key,
            "ConnectionString": f"InstrumentationKey={key};IngestionEndpoint=https://{place}-5.in.applicationinsights.azure.com/;"
            f"LiveEndpoint=https://{place}.livediagnostics.monitor.azure.com/;ApplicationId={app}",
            "Name": draft.name,
            "CreationDate": draft.kept("CreationDate", draft.now),
            "TenantId": draft.state.settings.subscription,
            "provisioningState": "Succeeded",
            "SamplingPercentage": given.get("SamplingPercentage"),
            "RetentionInDays": given.get("RetentionInDays") or 90,
            **({"WorkspaceResourceId": given["WorkspaceResourceId"]} if given.get("WorkspaceResourceId") else {}),
            "IngestionMode": "LogAnalytics" if given.get("WorkspaceResourceId") else "ApplicationInsights",
            "publicNetworkAccessForIngestion": given.get("publicNetworkAccessForIngestion") or "Enabled",
            "publicNetworkAccessForQuery": given.get("publicNetworkAccessForQuery") or "Enabled",
        },
    }


def _workspace(draft: Draft) -> Mapping[str, Any]:
    given = draft.properties
    sku = {"name": (given.get("sku") or {}).get("name") or "PerGB2018", "lastSkuUpdate": draft.kept("createdDate", draft.now)}
    return {
        "properties": {
            "customerId": stable_guid(f"workspace:{draft.id}"),
            "provisioningState": "Succeeded",
            "sku": sku,
            "retentionInDays": given.get("retentionInDays") or _DAYS,
            "features": {
                "legacy": 0,
                "searchVersion": 1,
                "enableLogAccessUsingOnlyResourcePermissions": True,
                **(given.get("features") or {}),
            },
            "workspaceCapping": given.get("workspaceCapping") or {"dailyQuotaGb": -1.0},
            "publicNetworkAccessForIngestion": given.get("publicNetworkAccessForIngestion") or "Enabled",
            "publicNetworkAccessForQuery": given.get("publicNetworkAccessForQuery") or "Enabled",
            "createdDate": draft.kept("createdDate", draft.now),
            "modifiedDate": draft.now(),
        },
    }


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(64)).decode()
