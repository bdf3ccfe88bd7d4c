"""Virtual networks, security groups and public addresses. The shapes are those of recorded deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.arm.ids import stable_guid
from localcloud.arm.network.parts import Part
from localcloud.arm.network.rules import default_rules, security_rule
from localcloud.arm.network.subnets import subnet
from localcloud.arm.reading import as_flag, as_object, as_objects
from localcloud.arm.routing import Route
from localcloud.arm.tracked import Draft, Rules, Tracked

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

GROUPS = "Microsoft.Network/networkSecurityGroups"
NETWORKS = "Microsoft.Network/virtualNetworks"
ADDRESSES = "Microsoft.Network/publicIPAddresses"
_RULES = Rules(names=r"\w(?:[\w.-]{0,78}\w)?")


class Network:
    def __init__(self, state: ArmState) -> None:
        groups = Tracked(state, GROUPS, _group, _RULES)
        networks = Tracked(state, NETWORKS, _network, _RULES)
        self._types = (
            groups,
            Part(groups, "securityRules", security_rule),
            networks,
            Part(networks, "subnets", subnet),
            Tracked(state, ADDRESSES, _address, _RULES),
        )

    def routes(self) -> list[Route]:
        return [route for kind in self._types for route in kind.routes()]


def _common(draft: Draft) -> dict[str, Any]:
    return {"provisioningState": "Succeeded", "resourceGuid": stable_guid(f"resource:{draft.id}")}


def etag(draft: Draft) -> str:
    return f'W/"{stable_guid(f"{draft.id}:{draft.now()}")}"'


def _group(draft: Draft) -> Mapping[str, Any]:
    tag = etag(draft)
    given = as_objects(draft.properties.get("securityRules"), "properties.securityRules")
    rules = [security_rule(draft.state, draft.id, one, tag) for one in given]
    return {
        "etag": tag,
        "properties": {**_common(draft), "securityRules": rules, "defaultSecurityRules": default_rules(draft.id, tag)},
    }


def _network(draft: Draft) -> Mapping[str, Any]:
    tag, given = etag(draft), draft.properties
    known = draft.known["properties"]["subnets"] if draft.known else []
    # A PUT that does not name its subnets keeps those that there are.
    asked = as_objects(given.get("subnets"), "properties.subnets")
    subnets = [subnet(draft.state, draft.id, one, tag) for one in asked] if given.get("subnets") is not None else known
    return {
        "etag": tag,
        "properties": {
            **_common(draft),
            "addressSpace": as_object(given.get("addressSpace"), "properties.addressSpace") or {"addressPrefixes": []},
            **{key: given[key] for key in ("dhcpOptions", "encryption", "privateEndpointVNetPolicies") if given.get(key)},
            "subnets": subnets,
            "virtualNetworkPeerings": [],
            "enableDdosProtection": as_flag(given.get("enableDdosProtection"), "properties.enableDdosProtection"),
        },
    }


def _address(draft: Draft) -> Mapping[str, Any]:
    given = draft.properties
    return {
        "etag": etag(draft),
        "sku": as_object(draft.body.get("sku"), "sku") or {"name": "Basic", "tier": "Regional"},
        "properties": {
            **_common(draft),
            "publicIPAddressVersion": given.get("publicIPAddressVersion") or "IPv4",
            "publicIPAllocationMethod": given.get("publicIPAllocationMethod") or "Dynamic",
            "idleTimeoutInMinutes": given.get("idleTimeoutInMinutes") or 4,
            **({"dnsSettings": given["dnsSettings"]} if given.get("dnsSettings") else {}),
            "ipTags": [],
        },
    }
