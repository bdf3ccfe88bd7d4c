"""How a resource as it is differs from what a template makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from localcloud.arm.deployments.masks import MASK
from localcloud.arm.deployments.references import late
from localcloud.arm.expressions import is_expression
from localcloud.arm.ids import region

Change = dict[str, Any]

# What a service sets itself, and a template does not, in lower case. Azure knows it of each type; these are of the types that are here.
_READ_ONLY = {
    "provisioningstate",
    "provisioningtimeoutinseconds",
    "iscustomprovisioningtimeout",
    "instanceview",
    "configmap",
    "etag",
    "resourceguid",
    "systemdata",
    "creationdate",
    "creationtime",
    "createddate",
    "modifieddate",
    "lastskuupdate",
    "loginserver",
    "principalid",
    "clientid",
    "vaulturi",
    "primaryendpoints",
    "primarylocation",
    "statusofprimary",
    "defaultsecurityrules",
    "fqdn",
    "ip",
    "createdon",
    "updatedon",
    "createdby",
    "updatedby",
    "customerid",
}
_OF_TYPE = {
    "microsoft.managedidentity/userassignedidentities": {"tenantid"},
    "microsoft.insights/components": {"appid", "applicationid", "connectionstring", "instrumentationkey", "tenantid", "ver"},
    "microsoft.web/serverfarms": {"status", "subscription", "resourcegroup", "family", "size", "tier", "numberofsites"},
    "microsoft.containerregistry/registries": {"tier"},
}
_DEFAULTS = {"sku": "Standard", "tier": "Standard", "publicNetworkAccess": "Enabled"}
_IN_PARTS = {"id", "type"}  # of what lies in a resource, as rules and subnets do


def normal(body: Mapping[str, Any], version: str) -> dict[str, Any]:
    """A resource as what-if shows it: without what its service sets itself."""
    own = _READ_ONLY | _OF_TYPE.get(str(body.get("type", "")).lower(), set())
    return {"apiVersion": version, **_without(own, body)}


def _without(keys: set[str], value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if key.lower() not in keys}
        return {key: _without(keys | {"tenantid"} if key == "identity" else keys, item) for key, item in kept.items()}
    if isinstance(value, list):
        return [
            _without(keys | _IN_PARTS, item) if isinstance(item, dict) and "properties" in item else _without(keys, item) for item in value
        ]
    return value


def delta(before: Any, after: Any, path: str = "") -> list[Change]:
    """The properties that change, by their paths; a PUT replaces, so what the template leaves out is deleted."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [change for key in sorted({*before, *after}) for change in _property(key, before, after, path)]
    if isinstance(before, list) and isinstance(after, list):
        children = [*_items(before, after)]
        return [{"path": path, "propertyChangeType": "Array", "children": children}] if children else []
    if _same(path, before, after):
        return []
    return [{"path": path, "propertyChangeType": "Modify", "before": before, "after": after}]


def _property(key: str, before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> list[Change]:
    inner = f"{path}.{key}" if path else key
    if key in before and key in after:
        return delta(before[key], after[key], inner)
    if key in after:
        return (
            []
            if _is_nothing(after[key]) or _is_unknown(after[key])
            else [{"path": inner, "propertyChangeType": "Create", "after": after[key]}]
        )
    # A default is what leaving it out gives again.
    if _is_nothing(before[key]) or _DEFAULTS.get(key) == before[key]:
        return []
    return [{"path": inner, "propertyChangeType": "Delete", "before": before[key]}]


def _items(before: list[Any], after: list[Any]) -> Iterator[Change]:
    for at, (old, new) in enumerate(zip(before, after, strict=False)):
        if isinstance(old, dict) and isinstance(new, dict):
            children = delta(old, new)
            if children:
                yield {"path": str(at), "propertyChangeType": "Modify", "children": children}
        else:
            yield from delta(old, new, str(at))
    for at in range(len(before), len(after)):
        yield {"path": str(at), "propertyChangeType": "Create", "after": after[at]}
    for at in range(len(after), len(before)):
        yield {"path": str(at), "propertyChangeType": "Delete", "before": before[at]}


def _is_nothing(value: Any) -> bool:
    """Whether a property that has this value might as well be left out."""
    return value is None or value is False or (isinstance(value, list | dict | str) and not value)


def _same(path: str, before: Any, after: Any) -> bool:
    if path == "location" or path.endswith("Id"):
        return region(before) == region(after)
    return bool(before == after) or _is_unknown(after)


def _is_unknown(value: Any) -> bool:
    """A secret, or what waits for other resources: it cannot be said whether it changes."""
    if isinstance(value, dict):
        return bool(value) and all(_is_unknown(item) for item in value.values())
    return isinstance(value, str) and (value == MASK or (is_expression(value) and late(value)))
