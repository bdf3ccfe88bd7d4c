"""The parameters of a deployment: given values are literal, defaults are evaluated when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.arm.deployments import errors
from localcloud.arm.deployments.types import TYPES
from localcloud.arm.errors import not_supported
from localcloud.arm.expressions import Evaluation, Evaluator, ExpressionError
from localcloud.arm.expressions.values import compact, find_key, holds, is_of, text, type_name

# Reads a secret for a parameter: the id of a vault, the name of the secret and its version, None for the newest.
Secrets = Callable[[str, str, str | None], str]


class Parameters:
    """Values by name, whatever its case. Raises ARM's errors for missing, unknown and ill-typed ones when it is made."""

    def __init__(self, source: Mapping[str, Any], given: Mapping[str, Any], *, secrets: Secrets | None = None) -> None:
        self._declared: Mapping[str, Mapping[str, Any]] = source.get("parameters") or {}
        self._values: dict[str, Any] = {}
        self._pending: set[str] = set()
        self._secrets = secrets
        self._expand: Callable[[Any], Any] = lambda value: value
        unknown = [name for name in given if find_key(dict(self._declared), name) is None]
        if unknown:
            raise errors.unknown_parameters(unknown, self._declared)
        for name, entry in given.items():
            self._take(find_key(dict(self._declared), name) or name, entry)
        for name, declared in self._declared.items():
            if name not in self._values and "defaultValue" not in declared:
                if not declared.get("nullable"):
                    raise errors.missing_parameter(name)
                self._values[name] = None

    def resolve_with(self, evaluator: Evaluator) -> None:
        """Evaluate all defaults; a default may use other parameters."""
        self._expand = lambda value: evaluator.expand(value, keep_nulls=True)
        for name in self._declared:
            self.value(name)

    def use(self, name: str, evaluation: Evaluation) -> Any:
        """The value, for an expression: one that uses a secret is remembered, so that its errors do not show it."""
        value = self.value(name)
        key = find_key(dict(self._declared), name) or name
        evaluation.secret |= self._kind(key)[0].startswith("Secure")
        return value

    def value(self, name: str) -> Any:
        key = find_key(dict(self._declared), name)
        if key is None:
            raise ExpressionError(
                f"The template parameter '{name}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage details."
            )
        if key not in self._values:
            if key in self._pending:
                raise ExpressionError(f"The template parameter '{name}' refers to itself.")
            # Still in there when it is asked for again: a default that needs itself.
            self._pending.add(key)
            self._values[key] = self._check(key, self._expand(self._declared[key]["defaultValue"]))
        return self._values[key]

    def shown(self) -> dict[str, Any]:
        """As answers echo them: of secure ones only the type."""
        return {name: self._show(name) for name in self._declared}

    def _show(self, name: str) -> dict[str, Any]:
        kind = self._kind(name)[0]
        return {"type": kind} if kind.startswith("Secure") else {"type": kind, "value": self._values[name]}

    def _take(self, name: str, entry: Any) -> None:
        if isinstance(entry, dict) and entry.keys() == {"reference"}:
            self._values[name] = self._check(name, self._secret(name, entry["reference"]))
            return
        if not isinstance(entry, dict) or entry.keys() - {"value", "metadata"} or "value" not in entry:
            raise errors.missing_parameter(name)
        if entry["value"] is None and self._declared[name].get("nullable"):
            self._values[name] = None
        else:
            self._values[name] = self._check(name, entry["value"])

    def _secret(self, name: str, reference: Any) -> str:
        if self._secrets is None:
            raise not_supported(f"A Key Vault reference for the parameter '{name}'")
        vault = str((reference.get("keyVault") or {}).get("id", ""))
        return self._secrets(vault, str(reference.get("secretName", "")), reference.get("secretVersion"))

    def _kind(self, name: str) -> tuple[str, str]:
        kind = str(self._declared[name].get("type", "")).lower()
        if kind not in TYPES:
            raise errors.invalid_template(f"The type '{kind}' of the template parameter '{name}' is not valid")
        return TYPES[kind]

    def _check(self, name: str, value: Any) -> Any:
        shown, kind = self._kind(name)
        if not is_of(value, kind):
            raise errors.wrong_type(name, "String, Uri" if kind == "string" else shown, type_name(value))
        declared = self._declared[name]
        allowed = declared.get("allowedValues")
        if allowed and not holds(allowed, value):
            hidden = "" if shown.startswith("Secure") else text(value)
            raise errors.not_allowed(name, hidden, ",".join(item if isinstance(item, str) else compact(item) for item in allowed))
        _check_bounds(name, declared, value)
        return value


def _check_bounds(name: str, declared: Mapping[str, Any], value: Any) -> None:
    size = value if is_of(value, "int") else len(value) if is_of(value, "string|array") else 0
    least, most = ("minValue", "maxValue") if is_of(value, "int") else ("minLength", "maxLength")
    if least in declared and size < declared[least]:
        raise errors.out_of_bounds(name, least, declared[least])
    if most in declared and size > declared[most]:
        raise errors.out_of_bounds(name, most, declared[most])
