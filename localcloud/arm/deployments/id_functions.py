"""The functions that make resource ids."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.arm.expressions import Catalog, ExpressionError
from localcloud.arm.ids import group_id, resource_id

if TYPE_CHECKING:
    from localcloud.arm.deployments.scope import Surroundings

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MANAGEMENT_GROUPS = "/providers/Microsoft.Management/managementGroups"
Words = tuple[str, ...]


def add_ids(catalog: Catalog, around: Surroundings) -> None:
    catalog.function("resourceId", "string", "string", rest="string")(lambda *words: _resource(around, words))
    catalog.function("subscriptionResourceId", "string", "string", rest="string")(lambda *words: _in_subscription(around, words))
    catalog.function("tenantResourceId", "string", "string", rest="string")(_in_tenant)
    catalog.function("managementGroupResourceId", "string", "string", rest="string")(lambda *words: _in_management_group(around, words))
    catalog.function("extensionResourceId", "string", "string", "string", rest="string")(_extension)


def _resource(around: Surroundings, words: Words) -> str:
    """Documented: in the scope of the deployment, unless a group, or a subscription and a group, is given."""
    *where, named = _split("resourceId", words, 2)
    if not where and around.group is None:
        return _join("resourceId", f"/subscriptions/{around.subscription}" if around.subscription else "", named)
    subscription = where[0] if len(where) == 2 else around.subscription
    if len(where) == 2 and not _GUID.fullmatch(subscription):
        raise _no_subscription("resourceId", subscription)
    group = where[-1] if where else str((around.group or {})["name"])
    return _join("resourceId", group_id(subscription, group), named)


def _in_subscription(around: Surroundings, words: Words) -> str:
    *where, named = _split("subscriptionResourceId", words, 1)
    if where and not _GUID.fullmatch(where[0]):
        raise _no_subscription("subscriptionResourceId", where[0])
    return _join("subscriptionResourceId", f"/subscriptions/{where[0] if where else around.subscription}", named)


def _in_tenant(*words: str) -> str:
    (named,) = _split("tenantResourceId", words, 0)
    return _join("tenantResourceId", "", named)


def _in_management_group(around: Surroundings, words: Words) -> str:
    *where, named = _split("managementGroupResourceId", words, 1)
    name = where[0] if where else str((around.management_group or {}).get("name", ""))
    if not name:
        raise ExpressionError(
            "Unable to evaluate template language function 'managementGroupResourceId': the deployment is in no management group, and none "
            f"is given. {_usage('managementGroupResourceId')}"
        )
    return _join("managementGroupResourceId", f"{_MANAGEMENT_GROUPS}/{name}", named)


def _extension(base: str, *words: str) -> str:
    (named,) = _split("extensionResourceId", words, 0)
    return _join("extensionResourceId", base.rstrip("/"), named)


def _split(name: str, words: Words, most: int) -> list[Any]:
    """What comes before the resource type, the first word with a slash, and then the type and the names as one item."""
    at = next((at for at, word in enumerate(words) if "/" in word), None)
    if at is None or at > most or any("/" in word for word in words[at + 1 :]):
        raise ExpressionError(
            f"Unable to evaluate template language function '{name}': function requires exactly one multi-segmented argument which must be "
            f"resource type including resource provider namespace. Current function arguments '{{}}'. {_usage(name)}",
            ",".join(words),
        )
    return [*words[:at], words[at:]]


def _join(name: str, scope: str, kind_and_names: Words) -> str:
    kind, *names = kind_and_names
    kind = kind.rstrip("/")  # published templates end types with one, and are deployed
    if kind.count("/") != len(names):
        raise ExpressionError(
            f"Unable to evaluate template language function '{name}': the type '{kind}' requires '{kind.count('/')}' resource name "
            f"argument(s). {_usage(name)}"
        )
    return resource_id(scope, kind, "/".join(names))


def _no_subscription(name: str, word: str) -> ExpressionError:
    return ExpressionError(f"The provided value '{{}}' is not valid subscription identifier. {_usage(name)}", word)


def _usage(name: str) -> str:
    return f"Please see https://aka.ms/arm-resource-functions/#{name.lower()} for usage details."
