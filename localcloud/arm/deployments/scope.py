"""What the expressions of one template can see: its parameters, variables and functions, and where it is deployed.

    scope = Scope(template.source, given_parameters, around, secrets=vault.read)
    scope.resolve()                        # every default; raises ARM's errors, as making the scope does
    scope.evaluator.expand(resource)       # a tree with its expressions replaced, `copy` loops over properties unrolled
    scope.parameters.shown()               # as answers echo them, secure ones without a value

The evaluator knows no `reference`, `list*` and no resource's `copyIndex()`: who deploys adds them to the evaluator, not to the scope.

    functions = Catalog()
    functions.function("reference", "string", "string", "string", optional=2)(my_reference)
    functions.function("list*", "string", "string", "object", optional=1)(my_list)    # my_list(name, resource, version, ...)
    evaluator = scope.evaluator.within(functions)
    evaluator.looping("copy's name", index, resource=True).expand(resource)

A nested template with inner scope has a `Scope` of its own, made with the same `Evaluation` (`evaluation=scope.evaluator.evaluation`)
so that all share one budget; with outer scope its tree is expanded with the parent's evaluator. What a function of yours raises goes
through untouched. `localcloud.arm.expressions.calls` finds the calls of `reference` and the like without evaluating anything.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localcloud.arm.deployments import errors, places
from localcloud.arm.deployments.parameters import Parameters, Secrets
from localcloud.arm.expressions import Catalog, Evaluation, Evaluator, ExpressionError
from localcloud.arm.expressions.values import find_key


@dataclass(frozen=True)
class Surroundings:
    """Where, when and by whom a template is deployed.

    `group` is what `resourceGroup()` gives, None above resource groups; `subscription` is "" above subscriptions, where
    `management_group` may be set. `deployment` is what `deployment()` gives. `now` and `ids` are for `utcNow` and `newGuid`.
    """

    subscription: str
    tenant: str
    group: Mapping[str, Any] | None
    deployment: Mapping[str, Any]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    ids: random.Random = field(default_factory=random.SystemRandom)
    management_group: Mapping[str, Any] | None = None
    deployer: Mapping[str, Any] = field(default_factory=dict)  # objectId, tenantId, userPrincipalName


class Scope:
    """Raises ArmError for parameters that are missing, unknown or of the wrong type. `source` is the whole template."""

    def __init__(
        self,
        source: Mapping[str, Any],
        given: Mapping[str, Any],
        around: Surroundings,
        *,
        secrets: Secrets | None = None,
        evaluation: Evaluation | None = None,
    ) -> None:
        functions = Catalog()
        self.around = around
        self.parameters = Parameters(source, given, secrets=secrets)
        self.evaluator = Evaluator(functions, evaluation)
        self._variables = Variables(source.get("variables") or {}, self.evaluator)
        functions.function("parameters", "string")(lambda name: self.parameters.use(name, self.evaluator.evaluation))
        functions.function("variables", "string")(self._variables.value)
        functions.update(places.functions(around))

    def resolve(self) -> None:
        """Evaluates the defaults of all parameters. Variables are evaluated when they are used."""
        try:
            self.parameters.resolve_with(self.evaluator.within(places.default_functions(self.around)))
        except ExpressionError as error:
            raise errors.invalid_expression("template", str(error)) from None


class Variables:
    """Evaluated when they are first used, once."""

    def __init__(self, declared: Mapping[str, Any], evaluator: Evaluator) -> None:
        self._declared: dict[str, Any] = {}
        self._loops: dict[str, Mapping[str, Any]] = {}
        for name, value in declared.items():
            if name.lower() == "copy":
                self._loops = {str(loop["name"]): loop for loop in value}
            else:
                self._declared[name] = value
        self._evaluator = evaluator
        self._values: dict[str, tuple[Any, bool]] = {}
        self._pending: set[str] = set()

    def value(self, name: str) -> Any:
        key = find_key(self._declared, name) or find_key(self._loops, name)
        if key is None:
            raise ExpressionError(
                f"The template variable '{name}' is not found. Please see https://aka.ms/arm-syntax-variables for usage details."
            )
        if key not in self._values:
            self._values[key] = self._make(key)
        value, secret = self._values[key]
        self._evaluator.evaluation.secret |= secret
        return value

    def _make(self, key: str) -> tuple[Any, bool]:
        """The value, and whether it was made of a secret."""
        if key in self._pending:
            raise ExpressionError(f"The template variable '{key}' refers to itself.")
        evaluation = self._evaluator.evaluation
        before, evaluation.secret = evaluation.secret, False
        self._pending.add(key)
        try:
            return self._evaluate(key), evaluation.secret
        finally:
            self._pending.discard(key)
            evaluation.secret |= before

    def _evaluate(self, key: str) -> Any:
        loop = self._loops.get(key)
        if loop is None:
            return self._evaluator.expand(self._declared[key], keep_nulls=True)
        return self._evaluator.unroll(key, loop["count"], loop["input"], keep_nulls=True)
