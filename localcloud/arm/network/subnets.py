"""Subnets, with whom they are delegated to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.arm.errors import bad_request
from localcloud.arm.reading import as_object, as_objects, need_text
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


def subnet(_state: ArmState, network: str, given: dict[str, Any], tag: str) -> Resource:
    """A subnet as its network and itself show it."""
    name, properties = need_text(given, "name", "subnets"), as_object(given.get("properties"), "properties")
    if not properties.get("addressPrefix") and not properties.get("addressPrefixes"):
        # The local cloud's own words: Azure's are not known.
        raise bad_request("InvalidRequestFormat", f"The subnet '{name}' has no address prefix.")
    key = f"{network}/subnets/{name}"
    return {
        "name": name,
        "id": key,
        "etag": tag,
        "properties": {
            "provisioningState": "Succeeded",
            **{name: properties[name] for name in _KEPT if properties.get(name) is not None},
            "delegations": [_delegation(key, one, tag) for one in as_objects(properties.get("delegations"), "properties.delegations")],
            "privateEndpointNetworkPolicies": properties.get("privateEndpointNetworkPolicies") or "Disabled",
            "privateLinkServiceNetworkPolicies": properties.get("privateLinkServiceNetworkPolicies") or "Enabled",
        },
        "type": "Microsoft.Network/virtualNetworks/subnets",
    }


def _delegation(key: str, given: dict[str, Any], tag: str) -> Resource:
    name = need_text(given, "name", "properties.delegations")
    return {
        "name": name,
        "id": f"{key}/delegations/{name}",
        "etag": tag,
        "properties": {
            "provisioningState": "Succeeded",
            "serviceName": as_object(given.get("properties"), "properties.delegations.properties").get("serviceName"),
            "actions": ["Microsoft.Network/virtualNetworks/subnets/action"],
        },
        "type": "Microsoft.Network/virtualNetworks/subnets/delegations",
    }
