"""The functions that tell where, when and by whom a template is deployed, and those that make resource ids of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.arm.expressions import Catalog, ExpressionError
from localcloud.arm.ids import group_id, resource_id
from localcloud.arm.ids import guid as make_guid

if TYPE_CHECKING:
    from localcloud.arm.deployments.scope import Surroundings

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def functions(around: Surroundings) -> Catalog:
    catalog = Catalog()
    _add_places(catalog, around)
    _add_ids(catalog, around)
    return catalog


def default_functions(around: Surroundings) -> Catalog:
    """What only the default of a parameter may use."""
    catalog = Catalog()
    catalog.function("newGuid")(lambda: make_guid(around.ids))
    return catalog


def _add_places(scope: Catalog, around: Surroundings) -> None:
    subscription = {
        "id": f"/subscriptions/{around.subscription}",
        "subscriptionId": around.subscription,
        "tenantId": around.tenant,
        "displayName": "local cloud",
    }
    scope.function("resourceGroup")(lambda: dict(around.group or {}))
    scope.function("subscription")(lambda: subscription)
    scope.function("tenant")(lambda: {"tenantId": around.tenant, "displayName": "local cloud"})
    scope.function("deployment")(lambda: dict(around.deployment))


def _add_ids(scope: Catalog, around: Surroundings) -> None:
    @scope.function("resourceId", "string", "string", rest="string")
    def in_group(*words: str) -> str:
        *where, kind_and_names = _split("resourceId", words, 2)
        subscription = where[0] if len(where) == 2 else around.subscription
        group = where[-1] if where else str((around.group or {})["name"])
        return _join("resourceId", group_id(subscription, group), kind_and_names)

    @scope.function("subscriptionResourceId", "string", "string", rest="string")
    def in_subscription(*words: str) -> str:
        *where, kind_and_names = _split("subscriptionResourceId", words, 1)
        subscription = where[0] if where else around.subscription
        return _join("subscriptionResourceId", f"/subscriptions/{subscription}", kind_and_names)


def _split(name: str, words: tuple[str, ...], most: int) -> list[Any]:
    """What comes before the resource type, the first word with a slash, and then the type and the names as one item."""
    at = next((at for at, word in enumerate(words) if "/" in word), None)
    if at is None or at > most or (at == most and not _GUID.fullmatch(words[0])):
        raise ExpressionError(
            f"The template function '{name}' expects a fully qualified resource type, such as 'Microsoft.Storage/storageAccounts'."
        )
    return [*words[:at], words[at:]]


def _join(name: str, scope: str, kind_and_names: tuple[str, ...]) -> str:
    kind, *names = kind_and_names
    if kind.count("/") != len(names):
        raise ExpressionError(
            f"Unable to evaluate template language function '{name}': the type '{kind}' requires '{kind.count('/')}' resource name "
            f"argument(s). Please see https://aka.ms/arm-resource-functions#{name.lower()} for usage details."
        )
    return resource_id(scope, kind, "/".join(names))
