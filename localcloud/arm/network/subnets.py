"""Subnets, with whom they are delegated to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.arm.errors import bad_request
from localcloud.arm.tracked import Resource

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_KEPT = (
    "addressPrefix",
    "addressPrefixes",
    "networkSecurityGroup",
    "routeTable",
    "natGateway",
    "serviceEndpoints",
    "defaultOutboundAccess",
)


def subnet(_state: ArmState, network: str, given: Mapping[str, Any], tag: str) -> Resource:
    """A subnet as its network and itself show it."""
    properties = given.get("properties") or {}
    if not properties.get("addressPrefix") and not properties.get("addressPrefixes"):
        # The local cloud's own words: Azure's are not known.
        raise bad_request("InvalidRequestFormat", f"The subnet '{given.get('name')}' has no address prefix.")
    key = f"{network}/subnets/{given['name']}"
    return {
        "name": given["name"],
        "id": key,
        "etag": tag,
        "properties": {
            "provisioningState": "Succeeded",
            **{name: properties[name] for name in _KEPT if properties.get(name) is not None},
            "delegations": [_delegation(key, one, tag) for one in properties.get("delegations") or []],
            "privateEndpointNetworkPolicies": properties.get("privateEndpointNetworkPolicies") or "Disabled",
            "privateLinkServiceNetworkPolicies": properties.get("privateLinkServiceNetworkPolicies") or "Enabled",
        },
        "type": "Microsoft.Network/virtualNetworks/subnets",
    }


def _delegation(key: str, given: Mapping[str, Any], tag: str) -> Resource:
    return {
        "name": given["name"],
        "id": f"{key}/delegations/{given['name']}",
        "etag": tag,
        "properties": {
            "provisioningState": "Succeeded",
            "serviceName": (given.get("properties") or {}).get("serviceName"),
            "actions": ["Microsoft.Network/virtualNetworks/subnets/action"],
        },
        "type": "Microsoft.Network/virtualNetworks/subnets/delegations",
    }
