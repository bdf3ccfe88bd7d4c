"""Rules of security groups: a user's own, and the six that every group has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.arm.reading import as_object, need_text
from localcloud.arm.tracked import Resource

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_KIND = "Microsoft.Network/networkSecurityGroups"
# Name, description, from, to, whether it lets in, priority, direction.
_DEFAULTS = (
    ("AllowVnetInBound", "Allow inbound traffic from all VMs in VNET", "VirtualNetwork", "VirtualNetwork", True, 65000, "Inbound"),
    ("AllowAzureLoadBalancerInBound", "Allow inbound traffic from azure load balancer", "AzureLoadBalancer", "*", True, 65001, "Inbound"),
    ("DenyAllInBound", "Deny all inbound traffic", "*", "*", False, 65500, "Inbound"),
    ("AllowVnetOutBound", "Allow outbound traffic from all VMs to all VMs in VNET", "VirtualNetwork", "VirtualNetwork", True, 65000,
     "Outbound"),
    ("AllowInternetOutBound", "Allow outbound traffic from all VMs to Internet", "*", "Internet", True, 65001, "Outbound"),
    ("DenyAllOutBound", "Deny all outbound traffic", "*", "*", False, 65500, "Outbound"),
)  # fmt: skip
_LISTS = ("sourcePortRanges", "destinationPortRanges", "sourceAddressPrefixes", "destinationAddressPrefixes")


def default_rules(group: str, tag: str) -> list[Resource]:
    """Those that Azure puts into every group."""
    rules = []
    for name, words, source, target, allow, priority, direction in _DEFAULTS:
        properties = {
            "description": words,
            "protocol": "*",
            "sourcePortRange": "*",
            "destinationPortRange": "*",
            "sourceAddressPrefix": source,
            "destinationAddressPrefix": target,
            "access": "Allow" if allow else "Deny",
            "priority": priority,
            "direction": direction,
        }
        rules.append(_rule(group, "defaultSecurityRules", name, properties, tag))
    return rules


def security_rule(_state: ArmState, group: str, given: dict[str, Any], tag: str) -> Resource:
    """A rule of a user's own."""
    name = need_text(given, "name", "securityRules")
    return _rule(group, "securityRules", name, as_object(given.get("properties"), "properties"), tag)


def _rule(group: str, word: str, name: str, properties: Mapping[str, Any], tag: str) -> Resource:
    return {
        "name": name,
        "id": f"{group}/{word}/{name}",
        "etag": tag,
        "type": f"{_KIND}/{word}",
        "properties": {**{key: [] for key in _LISTS}, **properties, "provisioningState": "Succeeded"},
    }
