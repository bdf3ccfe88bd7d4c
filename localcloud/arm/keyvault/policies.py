"""Access policies: a vault's own way to say who may do what, older than roles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from localcloud.arm.errors import bad_request
from localcloud.arm.reading import as_object, as_objects, as_text, as_texts, need_text

Policy = Mapping[str, Any]


def read_policies(given: Any) -> list[dict[str, Any]]:
    """The policies of a body: for a principal each, with lists of permissions. Raises a 400."""
    path = "properties.accessPolicies"
    policies = as_objects(given, path)
    for one in policies:
        need_text(one, "objectId", path)
        as_text(one.get("applicationId"), f"{path}.applicationId")
        for kind, words in as_object(one.get("permissions"), f"{path}.permissions").items():
            as_texts(words, f"{path}.permissions.{kind}")
    return policies


def change_policies(known: Iterable[Policy], given: Iterable[Policy], how: str) -> list[dict[str, Any]]:
    """Those of a vault after `add`, `replace` or `remove`: a principal has one policy."""
    if how not in ("add", "replace", "remove"):
        # The local cloud's own words: Azure's are not known.
        raise bad_request("BadRequest", f"The operation '{how}' on access policies is none of add, replace, remove.")
    by_principal = {_principal(one): dict(one) for one in known}
    for one in given:
        before = by_principal.get(_principal(one), {"permissions": {}})
        permissions = dict(one.get("permissions") or {}) if how == "replace" else _merged(before, one, how)
        by_principal[_principal(one)] = {**before, **one, "permissions": permissions}
    return [one for one in by_principal.values() if any(one["permissions"].values())]


def _principal(policy: Policy) -> tuple[str, str]:
    return str(policy.get("objectId")).lower(), str(policy.get("applicationId") or "").lower()


def _merged(before: Policy, change: Policy, how: str) -> dict[str, list[str]]:
    kept = {kind: [str(one) for one in words or []] for kind, words in (before.get("permissions") or {}).items()}
    for kind, given in (change.get("permissions") or {}).items():
        words = given or []
        has = kept.get(kind, [])
        kept[kind] = [*has, *(one for one in words if one not in has)] if how == "add" else [one for one in has if one not in words]
    return kept
