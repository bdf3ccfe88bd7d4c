"""The functions that a template declares itself: `contoso.uniqueName('x')`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.arm.deployments import errors
from localcloud.arm.deployments.schemas import Mismatch, Schemas
from localcloud.arm.expressions import Catalog, Evaluation, Evaluator, ExpressionError, Function, calls
from localcloud.arm.expressions.values import find_key

_LEVELS = 3  # of evaluation that one call takes
_FORBIDDEN = ("variables", "reference", "references", "newguid", "utcnow", "copyindex")


def user_functions(source: Mapping[str, Any], places: Catalog, evaluation: Evaluation) -> Catalog:
    """By `namespace.name`. A function sees its own parameters, the functions of the language and where it is deployed;
    others of the template only in languageVersion 2.0: documented as a limit before, and compiled by Bicep since."""
    found = Catalog()
    schemas = Schemas(source)
    inner = Catalog(places)
    nested = str(source.get("languageVersion", "")).startswith("2")
    for at, space in enumerate(_spaces(source.get("functions"))):
        for name, declared in space["members"].items():
            _check_calls(name, declared["output"].get("value"), f"properties.template.functions[{at}].members.{name}", nested=nested)
            function = _UserFunction(f"{space['namespace']}.{name}", declared, schemas, inner, evaluation)
            found[function.name.lower()] = function.as_function()
    if nested:
        inner.update(found)
    return found


def _spaces(given: Any) -> list[Any]:
    """Raises InvalidTemplate for functions that are not written as functions are."""
    spaces = given or []
    if not isinstance(spaces, list) or not all(map(_is_space, spaces)):
        raise errors.invalid_template(
            "The template's 'functions' must be an array of namespaces with members, each with parameters and an output"
        )
    return spaces


def _is_space(space: Any) -> bool:
    if not isinstance(space, dict) or not isinstance(space.get("namespace"), str) or not isinstance(space.get("members"), dict):
        return False
    return all(
        isinstance(member, dict)
        and isinstance(member.get("output"), dict)
        and isinstance(member.get("parameters", []), list)
        and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in member.get("parameters", []))
        for member in space["members"].values()
    )


def _check_calls(name: str, value: Any, path: str, *, nested: bool) -> None:
    """Judged before anything is evaluated. The words are recorded, but for the page that they name."""
    start = f"The template function '{name}' at line '1' and column '1' is not valid"
    try:
        called = [call.name for call in calls(value)]
    except ExpressionError as error:
        raise errors.invalid_template(f"{start}: {error}", path) from None
    wrong = [one for one in called if one.lower() in _FORBIDDEN or one.lower().startswith("list") or ("." in one and not nested)]
    if wrong:
        raise errors.invalid_template(
            f"{start}. These function calls are not supported in a function definition: '{', '.join(dict.fromkeys(wrong))}'. "
            "Please see https://aka.ms/arm-syntax-functions for usage details.",
            path,
        )


class _UserFunction:
    def __init__(self, name: str, declared: Mapping[str, Any], schemas: Schemas, inner: Catalog, evaluation: Evaluation) -> None:
        self.name = name
        self._parameters: list[Mapping[str, Any]] = declared.get("parameters") or []
        self._output: Mapping[str, Any] = declared.get("output") or {}
        self._schemas = schemas
        self._inner = inner
        self._evaluation = evaluation

    def as_function(self) -> Function:
        return Function(self.name, self._call, ("any",) * len(self._parameters))

    def _call(self, *values: Any) -> Any:
        given = {str(declared["name"]): value for declared, value in zip(self._parameters, values, strict=True)}
        for declared, value in zip(self._parameters, values, strict=True):
            self._check(f"parameter '{declared['name']}'", declared, value)
        own = Catalog(self._inner)
        own.function("parameters", "string")(self._reader(given, secret=self._evaluation.secret))
        self._evaluation.enter(_LEVELS)
        try:
            result = Evaluator(own, self._evaluation).expand(self._output.get("value"), keep_nulls=True)
        finally:
            self._evaluation.leave(_LEVELS)
        self._check("output", self._output, result)
        return result

    def _reader(self, given: dict[str, Any], *, secret: bool) -> Callable[[str], Any]:
        """Its parameters. If the call was made with a secret, any of them may hold it."""

        def read(name: str) -> Any:
            self._evaluation.secret |= secret
            return _parameter(given, name)

        return read

    def _check(self, what: str, declared: Mapping[str, Any], value: Any) -> None:
        try:
            self._schemas.check(declared, value, hide=True)
        except Mismatch as error:
            raise ExpressionError(f"The {what} of the template function '{self.name}' is not valid{_at(error.path)}. {error}") from None


def _at(path: str) -> str:
    return f" at '{path.lstrip('.')}'" if path else ""


def _parameter(given: dict[str, Any], name: str) -> Any:
    key = find_key(given, name)
    if key is None:
        raise ExpressionError(
            f"The template parameter '{name}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage details."
        )
    return given[key]
