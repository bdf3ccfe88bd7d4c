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
from datetime import datetime
from typing import Any

from localcloud.arm.deployments import places
from localcloud.arm.deployments.masks import Veil
from localcloud.arm.deployments.parameters import Parameters, Secrets
from localcloud.arm.deployments.positions import placed
from localcloud.arm.deployments.user_functions import user_functions
from localcloud.arm.deployments.variables import Variables
from localcloud.arm.errors import ArmError
from localcloud.arm.expressions import Catalog, Evaluation, Evaluator


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
    now: datetime = field(kw_only=True)
    ids: random.Random = field(kw_only=True)
    management_group: Mapping[str, Any] | None = None
    deployer: Mapping[str, Any] = field(default_factory=dict)  # objectId, tenantId, userPrincipalName
    environment: Mapping[str, Any] = field(default_factory=dict)  # what differs from global Azure


class Scope:
    """Raises ArmError for parameters that are missing, unknown or of the wrong type. `source` is the whole template."""

    def __init__(
        self,
        source: Mapping[str, Any],
        given: Mapping[str, Any],
        around: Surroundings,
        *,
        secrets: Secrets | None = None,
        veil: Veil | None = None,
        evaluation: Evaluation | None = None,
    ) -> None:
        functions = places.functions(around)
        self.source = source
        self.around = around
        self.evaluator = Evaluator(functions, evaluation)
        try:
            self.parameters = Parameters(source, given, secrets=secrets, veil=veil)
            functions.update(user_functions(source, Catalog(functions), self.evaluator.evaluation))
        except ArmError as error:
            raise placed(error, source) from None
        # Only now: a user's function has other parameters, and no variables.
        self._variables = Variables(source.get("variables") or {}, self.evaluator)
        functions.function("parameters", "string")(lambda name: self.parameters.use(name, self.evaluator.evaluation))
        functions.function("variables", "string")(self._variables.value)

    def resolve(self) -> None:
        """Evaluates the defaults of all parameters. Variables are evaluated when they are used."""
        try:
            self.parameters.resolve_with(self.evaluator.within(places.default_functions(self.around)))
        except ArmError as error:
            raise placed(error, self.source) from None
