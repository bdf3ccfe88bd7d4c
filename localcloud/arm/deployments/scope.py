"""The functions of an expression that know which deployment they are in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.arm.deployments.parameters import Parameters
from localcloud.arm.expressions import Catalog, Evaluator, ExpressionError
from localcloud.arm.expressions.values import find_key
from localcloud.arm.ids import group_id, resource_id

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Surroundings:
    """Where a deployment happens. `deployment` is what `deployment()` gives."""

    subscription: str
    tenant: str
    group: Mapping[str, Any]
    deployment: Mapping[str, Any]


def evaluator(around: Surroundings, parameters: Parameters, variables: Mapping[str, Any]) -> Evaluator:
    scope = Catalog()
    made = Evaluator(scope)
    scope.function("parameters", "string")(parameters.value)
    scope.function("variables", "string")(Variables(variables, made).value)
    _add_places(scope, around)
    _add_ids(scope, around)
    return made


class Variables:
    """Evaluated when they are first used, once."""

    def __init__(self, declared: Mapping[str, Any], made: Evaluator) -> None:
        self._declared = dict(declared)
        self._evaluator = made
        self._values: dict[str, Any] = {}
        self._pending: set[str] = set()

    def value(self, name: str) -> Any:
        key = find_key(self._declared, name)
        if key is None:
            raise ExpressionError(
                f"The template variable '{name}' is not found. Please see https://aka.ms/arm-syntax-variables for usage details."
            )
        if key not in self._values:
            if key in self._pending:
                raise ExpressionError(f"The template variable '{name}' refers to itself.")
            self._pending.add(key)
            self._values[key] = self._evaluator.expand(self._declared[key])
        return self._values[key]


def _add_places(scope: Catalog, around: Surroundings) -> None:
    subscription = {
        "id": f"/subscriptions/{around.subscription}",
        "subscriptionId": around.subscription,
        "tenantId": around.tenant,
        "displayName": "local cloud",
    }
    scope.function("resourceGroup")(lambda: dict(around.group))
    scope.function("subscription")(lambda: subscription)
    scope.function("tenant")(lambda: {"tenantId": around.tenant, "displayName": "local cloud"})
    scope.function("deployment")(lambda: dict(around.deployment))


def _add_ids(scope: Catalog, around: Surroundings) -> None:
    @scope.function("resourceId", "string", "string", rest="string")
    def in_group(*words: str) -> str:
        *where, kind_and_names = _split("resourceId", words, 2)
        subscription = where[0] if len(where) == 2 else around.subscription
        group = where[-1] if where else str(around.group["name"])
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
