"""The one subscription, its tenant and the regions: what a client asks for when it logs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.routing import Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

NAME = "loadme local cloud"
DOMAIN = "localcloud.onmicrosoft.com"


class Subscriptions:
    """Who has a role on anything in the subscription sees it; its tenant everybody."""

    def __init__(self, state: ArmState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/subscriptions", self.list, action=""),
            Route("GET", "/subscriptions/{subscription}", self.get, action=""),
            Route("GET", "/subscriptions/{subscription}/locations", self.locations, action=""),
            Route("GET", "/tenants", self.tenants, action=""),
        ]

    def list(self, call: Call) -> Reply:
        shown = [self._view(call)] if self._state.authorization.sees_any(call.actor, self._scope) else []
        return Reply(body={"value": shown, "count": {"type": "Total", "value": len(shown)}})

    def get(self, call: Call) -> Reply:
        self._check(call)
        return Reply(body=self._view(call))

    def locations(self, call: Call) -> Reply:
        self._check(call)
        return Reply(body={"value": [self._location(name) for name in self._state.settings.locations]})

    def tenants(self, _call: Call) -> Reply:
        tenant = self._state.settings.tenant
        described = {
            "countryCode": "NL",
            "displayName": NAME,
            "domains": [DOMAIN],
            "defaultDomain": DOMAIN,
            "tenantType": "AAD",
            "tenantCategory": "Home",
        }
        return Reply(body={"value": [{"id": f"/tenants/{tenant}", "tenantId": tenant, **described}]})

    @property
    def _scope(self) -> str:
        return f"/subscriptions/{self._state.settings.subscription}"

    def _check(self, call: Call) -> None:
        """A role on any resource group in it is enough."""
        if not self._state.authorization.sees_any(call.actor, self._scope):
            self._state.authorization.check_call(call, None)

    def _view(self, call: Call) -> dict[str, Any]:
        settings = self._state.settings
        view = {
            "id": f"/subscriptions/{settings.subscription}",
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": settings.subscription,
            "tenantId": settings.tenant,
            "displayName": NAME,
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
        }
        if call.version < "2019-06-01":  # from then on it tells the tenants
            del view["managedByTenants"]
        return view

    def _location(self, name: str) -> dict[str, Any]:
        return {
            "id": f"/subscriptions/{self._state.settings.subscription}/locations/{name}",
            "name": name,
            "type": "Region",
            "displayName": name,
            "regionalDisplayName": name,
            "metadata": {"regionType": "Physical", "regionCategory": "Other"},
        }
