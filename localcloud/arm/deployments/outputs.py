"""The outputs of a template: evaluated when all resources are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.arm.deployments import errors
from localcloud.arm.deployments.names import Names
from localcloud.arm.deployments.planned import Functions
from localcloud.arm.deployments.references import forbidden, referred
from localcloud.arm.deployments.schemas import Mismatch, Schemas
from localcloud.arm.deployments.scope import Scope
from localcloud.arm.deployments.types import TYPES
from localcloud.arm.errors import ArmError, invalid_content
from localcloud.arm.expressions import Evaluator, ExpressionError, calls
from localcloud.arm.expressions.values import is_of, type_name

_LITERALS = ("parameters", "variables")
_JSON_NAMES = {"int": "Integer", "bool": "Boolean"}


@dataclass(frozen=True)
class Output:
    """`value` is kept from sight where it is `secure`."""

    type: str
    value: Any = field(repr=False)
    secure: bool

    def show(self) -> dict[str, Any]:
        return {"type": self.type} if self.secure else {"type": self.type, "value": self.value}


class Outputs:
    def __init__(self, declared: Mapping[str, Mapping[str, Any]], scope: Scope, names: Names) -> None:
        self._declared = declared
        self._scope = scope
        self._names = names
        self._schemas = Schemas(scope.source)

    def check(self) -> None:
        """What ARM finds wrong before it begins: types and names. Values are judged when they are evaluated."""
        for name, declared in self._declared.items():
            kind = str(declared.get("type", ""))
            if kind.lower() not in TYPES and "$ref" not in declared:
                raise invalid_content(
                    f"Error converting value \"{kind}\" to type 'Azure.Deployments.Core.Entities.TemplateParameterType'. "
                    f"Path 'properties.template.outputs.{name}.type', line 1, position 1."
                )
            if "value" not in declared and "copy" not in declared:
                raise errors.not_valid("output", name, "it has neither a 'value' nor a 'copy'")
            try:
                self._check_names(name, declared)
            except ExpressionError as error:
                raise errors.not_valid("output", name, str(error)) from None

    def _check_names(self, name: str, declared: Mapping[str, Any]) -> None:
        if isinstance(declared.get("condition"), str):
            self._scope.evaluator.within(forbidden()).expand(declared["condition"])
        for _ in referred([declared.get("value"), declared.get("copy")], self._scope.evaluator, self._names, name):
            pass
        # Only looked at, not evaluated: a reference to what is not in the template needs to say more.
        for call in calls([declared.get("value"), declared.get("copy")], *_LITERALS):
            if len(call.arguments) == 1 and hasattr(call.arguments[0], "value"):
                self._scope.evaluator.node(call, {})

    def evaluate(self, functions: Functions) -> Mapping[str, Output]:
        """By their names in answers. Raises the error of the deployment for those that cannot be evaluated."""
        evaluator = self._scope.evaluator.within(functions)
        made: dict[str, Output] = {}
        wrong: dict[str, str] = {}
        for name, declared in self._declared.items():
            try:
                if self._is_wanted(declared):
                    made[name[:1].lower() + name[1:]] = self._make(name, declared, evaluator)
            except ExpressionError as error:
                wrong[name] = str(error)
            except ArmError as error:
                wrong[name] = error.message
        if wrong:
            raise errors.outputs_failed(wrong)
        return made

    def _is_wanted(self, declared: Mapping[str, Any]) -> bool:
        return self._scope.evaluator.within(forbidden()).expand(declared.get("condition", True)) is not False

    def _make(self, name: str, declared: Mapping[str, Any], evaluator: Evaluator) -> Output:
        label, kind = self._schemas.label(declared)
        copy = declared.get("copy")
        value = _unrolled(name, copy, evaluator) if isinstance(copy, dict) else evaluator.expand(declared.get("value"), keep_nulls=True)
        if not is_of(value, kind) and not (value is None and self._schemas.resolve(declared).get("nullable")):
            raise ExpressionError(
                "Template output JToken type is not valid. Expected '{}'. Actual '{}'."
                "Please see https://aka.ms/arm-template/#outputs for usage details.",
                _JSON_NAMES.get(kind, label),
                type_name(value),
            )
        return self._typed(name, declared, label or "Object", value)

    def _typed(self, name: str, declared: Mapping[str, Any], label: str, value: Any) -> Output:
        """Types may say more than one word since languageVersion 2.0; what has a secret in it is not shown."""
        secure = self._schemas.is_secure(declared)
        try:
            self._schemas.check(declared, value, hide=secure)
        except Mismatch as error:
            raise ExpressionError(f"The value of the template output '{name}{error.path}' is not valid. {error}") from None
        return Output(label, value, secure)


def _unrolled(name: str, copy: Mapping[str, Any], evaluator: Evaluator) -> list[Any]:
    """`copyIndex()` without a name means the loop of the output."""
    rounds = evaluator.within(forbidden()).copies(copy.get("count"))
    return [evaluator.looping(name, index, resource=True).expand(copy.get("input"), keep_nulls=True) for index in range(rounds)]
