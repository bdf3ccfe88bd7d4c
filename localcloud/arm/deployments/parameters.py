"""The parameters of a deployment: given values are literal, defaults are evaluated when they are needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.arm.deployments import errors
from localcloud.arm.deployments.masks import Veil
from localcloud.arm.deployments.schemas import TYPE_KEYS, Mismatch, Schemas
from localcloud.arm.errors import ArmError, invalid_content, not_supported
from localcloud.arm.expressions import Evaluation, Evaluator, ExpressionError
from localcloud.arm.expressions.jsons import load
from localcloud.arm.expressions.values import find_key

# Reads a secret for a parameter: the id of a vault, the name of the secret and its version, None for the newest.
# Raises ArmError where there is none, or the deployment may not read it.
Secrets = Callable[[str, str, str | None], str]

_LEVELS = 4  # of evaluation that one default takes
_KEYS = {key.lower(): key for key in ("defaultValue", "metadata", *TYPE_KEYS)}


@dataclass(frozen=True)
class _Value:
    value: Any
    secret: bool  # made of one, whatever the parameter's type


class Parameters:
    """Values by name, whatever its case. Raises ARM's errors for missing, unknown and ill-typed ones when it is made."""

    def __init__(
        self, source: Mapping[str, Any], given: Mapping[str, Any], *, secrets: Secrets | None = None, veil: Veil | None = None
    ) -> None:
        self._declared = {name: _declaration(name, declared) for name, declared in (source.get("parameters") or {}).items()}
        self._schemas = Schemas(source)
        self._secrets = secrets
        self._veil = veil
        self._values: dict[str, _Value] = {}
        self._references: dict[str, Any] = {}
        self._pending: set[str] = set()
        self._evaluator: Evaluator | None = None
        times = Counter(name.lower() for name in given)
        doubled = [name for name in given if times[name.lower()] > 1]
        if doubled:
            raise errors.doubled_parameters(doubled)
        unknown = [name for name in given if find_key(self._declared, name) is None]
        if unknown:
            raise errors.unknown_parameters(unknown, self._declared)
        for name, declared in self._declared.items():
            key = find_key(dict(given), name)
            if key is not None and not _is_left_out(given[key], declared):
                self._values[name] = self._take(name, given[key])
            elif "defaultValue" not in declared:
                self._values[name] = self._absent(name)

    def resolve_with(self, evaluator: Evaluator) -> None:
        """Evaluate all defaults; a default may use other parameters."""
        self._evaluator = evaluator
        for name in self._declared:
            try:
                self._need(name)
            except ExpressionError as error:
                raise errors.not_valid("parameter", name, str(error)) from None

    def value(self, name: str) -> Any:
        return self._need(name).value

    def use(self, name: str, evaluation: Evaluation) -> Any:
        """The value, for an expression: one that uses a secret is remembered, so that its errors do not show it."""
        found = self._need(name)
        evaluation.secret |= found.secret
        return found.value

    def shown(self) -> dict[str, Any]:
        """As answers echo them: of secure ones only the type, and where they come from."""
        return {name: self._show(name, declared) for name, declared in self._declared.items()}

    def _show(self, name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
        label = self._schemas.label(declared)[0]
        kind = {"type": label} if label else {}
        if name in self._references:
            return {**kind, "reference": self._references[name]}
        found = self._need(name)
        return kind if found.secret else {**kind, "value": found.value}

    def _need(self, name: str) -> _Value:
        key = find_key(self._declared, name)
        if key is None:
            raise ExpressionError(
                f"The template parameter '{name}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage details."
            )
        if key not in self._values:
            self._values[key] = self._default(key)
        return self._values[key]

    def _default(self, name: str) -> _Value:
        if name in self._pending or self._evaluator is None:
            raise ExpressionError(f"The template parameter '{name}' refers to itself.")
        evaluation = self._evaluator.evaluation
        evaluation.enter(_LEVELS)
        before, evaluation.secret = evaluation.secret, False
        self._pending.add(name)
        try:
            value = self._evaluator.expand(self._declared[name]["defaultValue"], keep_nulls=True)
            return self._checked(name, value, secret=evaluation.secret)
        finally:
            evaluation.leave(_LEVELS)
            self._pending.discard(name)
            evaluation.secret |= before

    def _absent(self, name: str) -> _Value:
        if not self._guard(name, lambda: self._schemas.resolve(self._declared[name])).get("nullable"):
            raise errors.missing_parameter(name)
        return _Value(None, secret=False)

    def _take(self, name: str, entry: Any) -> _Value:
        if isinstance(entry, dict) and "reference" in entry:
            return self._referred(name, entry["reference"])
        if isinstance(entry, dict) and "expression" in entry:
            raise not_supported(f"An expression for the parameter '{name}'")
        if not isinstance(entry, dict) or entry.keys() - {"value", "metadata"} or "value" not in entry:
            raise errors.missing_parameter(name)
        return self._checked(name, entry["value"])

    def _referred(self, name: str, reference: Any) -> _Value:
        """What a Key Vault says."""
        if self._secrets is None:
            raise not_supported(f"A Key Vault reference for the parameter '{name}'")
        vault = reference.get("keyVault") if isinstance(reference, dict) else None
        if not isinstance(vault, dict) or not vault.get("id") or not reference.get("secretName"):
            raise errors.invalid_template(
                f"The Key Vault reference of the template parameter '{name}' needs a keyVault with an id and a secretName"
            )
        secret: Any = self._secrets(str(vault["id"]), str(reference["secretName"]), reference.get("secretVersion"))
        self._references[name] = reference
        if self._guard(name, lambda: self._schemas.label(self._declared[name]))[1] == "object":
            secret = _object(name, secret)
        return self._checked(name, secret, secret=True)

    def _checked(self, name: str, value: Any, *, secret: bool = False) -> _Value:
        declared = self._declared[name]
        secure = self._guard(name, lambda: self._schemas.is_secure(declared))
        if self._veil is not None:
            # What has other secrets in it need not be of its type: with the true ones it has been found to be.
            return _Value(self._veil(value) if secret or secure else value, secret or secure)
        try:
            self._guard(name, lambda: self._schemas.check(declared, value, hide=secret))
        except Mismatch as error:
            raise errors.invalid_parameter(name, error.path, str(error)) from None
        return _Value(value, secret or secure)

    def _guard(self, name: str, look: Callable[[], Any]) -> Any:
        """For what is wrong with the type itself."""
        try:
            return look()
        except ExpressionError as error:
            raise errors.invalid_template(
                f"The template parameter '{name}' is not valid: {error}", f"properties.template.parameters.{name}"
            ) from None


def _declaration(name: str, given: Any) -> Mapping[str, Any]:
    """With its keys in ARM's spelling: they may be written in any case, but none may be made up."""
    if not isinstance(given, dict):
        raise errors.invalid_template("Every parameter of the template must be an object", "properties.template.parameters")
    for key in given:
        if key.lower() not in _KEYS:
            raise invalid_content(
                f"Could not find member '{key}' on object of type 'TemplateInputParameter'. "
                f"Path 'properties.template.parameters.{name}.{key}', line 1, position 1."
            )
    return {_KEYS[key.lower()]: value for key, value in given.items()}


def secure_names(source: Mapping[str, Any]) -> set[str]:
    """The parameters that hold secrets, in lower case; those whose type makes no sense count as well."""
    schemas, found = Schemas(source), set()
    for name, declared in (source.get("parameters") or {}).items():
        try:
            if schemas.is_secure(_declaration(name, declared)):
                found.add(name.lower())
        except (ArmError, ExpressionError):
            found.add(name.lower())
    return found


def _is_left_out(entry: Any, declared: Mapping[str, Any]) -> bool:
    """A null gives a parameter its default: published modules pass on what they have not been given so."""
    return entry == {"value": None} and "defaultValue" in declared and not declared.get("nullable")


def _object(name: str, secret: str) -> Any:
    try:
        return load(secret)
    except ValueError:
        raise errors.invalid_parameter(name, "", "The secret is not a JSON object.") from None
