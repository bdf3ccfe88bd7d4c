"""What a vault may be given, and what of it stays as it was first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.arm.ids import is_guid
from localcloud.arm.keyvault import errors
from localcloud.arm.keyvault.policies import read_policies
from localcloud.arm.reading import as_flag, as_object, as_text, as_whole
from localcloud.arm.tracked import Draft

_SKUS = ("standard", "premium")
_RETENTION = (7, 90)  # days, at least and at most
_FLAGS = ("enabledForDeployment", "enabledForDiskEncryption", "enabledForTemplateDeployment")
_RBAC_BY_DEFAULT = "2026-02-01"  # from this api-version on


def read_vault(draft: Draft) -> dict[str, Any]:
    """The properties that are the client's to choose, complete. Raises a 400."""
    given = draft.properties
    tenant = as_text(given.get("tenantId"), "properties.tenantId")
    if not is_guid(tenant):
        raise errors.missing("tenantId")
    acls = as_object(given.get("networkAcls"), "properties.networkAcls")
    by_roles = _by_roles(given, draft.call.version)
    return {
        "sku": {"family": "A", "name": _sku(given)},
        "tenantId": tenant,
        **({"networkAcls": acls} if acls else {}),
        "accessPolicies": _policies(draft, given, by_roles),
        **{key: as_flag(given.get(key), f"properties.{key}") for key in _FLAGS},
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": read_days(draft),
        "enableRbacAuthorization": by_roles,
        **({"enablePurgeProtection": True} if is_protected(draft) else {}),
        "publicNetworkAccess": as_text(given.get("publicNetworkAccess"), "properties.publicNetworkAccess") or "Enabled",
    }


def read_days(draft: Draft) -> int:
    """For how long what is deleted can be had back: chosen once."""
    known = _known(draft).get("softDeleteRetentionInDays")
    days = as_whole(draft.properties.get("softDeleteRetentionInDays"), "properties.softDeleteRetentionInDays", known or _RETENTION[1])
    if not _RETENTION[0] <= days <= _RETENTION[1]:
        raise errors.invalid_retention(*_RETENTION)
    if known and days != known:
        raise errors.retention_is_fixed()
    return days


def is_protected(draft: Draft) -> bool:
    """Whether nothing may be purged: once it is so, it stays so."""
    given = draft.properties.get("enablePurgeProtection")
    asked = as_flag(given, "properties.enablePurgeProtection")
    if given is not None and not asked:
        raise errors.no_unprotecting()
    return asked or bool(_known(draft).get("enablePurgeProtection"))


def _sku(given: Mapping[str, Any]) -> str:
    name = as_text(as_object(given.get("sku"), "properties.sku").get("name"), "properties.sku.name")
    if name.lower() not in _SKUS:
        raise errors.missing("sku")
    return name


def _by_roles(given: Mapping[str, Any], version: str) -> bool:
    asked = given.get("enableRbacAuthorization")
    return version >= _RBAC_BY_DEFAULT if asked is None else as_flag(asked, "properties.enableRbacAuthorization")


def _policies(draft: Draft, given: Mapping[str, Any], by_roles: bool) -> list[dict[str, Any]]:
    """Who only recovers a vault need not know them: a vault that is there keeps its own."""
    asked = given.get("accessPolicies")
    if asked is None and given.get("createMode") == "recover":
        asked = _known(draft).get("accessPolicies")
    if asked is None and not by_roles:
        raise errors.missing("accessPolicies")
    return read_policies(asked)


def _known(draft: Draft) -> Mapping[str, Any]:
    return draft.known["properties"] if draft.known else {}
