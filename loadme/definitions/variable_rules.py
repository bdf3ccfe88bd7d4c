"""What the variables of a workflow and the outputs of its steps must keep to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import UNSET

from loadme.definitions import expressions
from loadme.definitions.checks import at_most, variable_names
from loadme.definitions.definition import Step, Variable, output_of
from loadme.definitions.expressions import has_expression
from loadme.definitions.problems import Problem
from loadme.definitions.scopes import run_names
from loadme.definitions.values import conforms
from loadme.definitions.variables import matches

MOST_VARIABLES, MOST_OUTPUTS = 200, 200
LONGEST_PATTERN = 500


def variable_rules(variables: Mapping[str, Variable]) -> Iterator[Problem]:
    """The rules of the workflow's `variables`."""
    yield from at_most(MOST_VARIABLES, "variables", variables)
    yield from variable_names("variables", variables)
    for name, variable in variables.items():
        path = f"variables.{name}"
        if variable.required and variable.default is not UNSET:
            yield Problem(path, "is required and has a default, which would never be used", "drop one of the two")
        pattern_flaw = _pattern_flaw(variable)
        if pattern_flaw is not None:
            yield Problem(f"{path}.pattern", pattern_flaw)
        if variable.default is not UNSET:
            yield from _default(f"{path}.default", variable, pattern_flaw is None)


def output_rules(path: str, step: Step, variables: Mapping[str, Variable]) -> Iterator[Problem]:
    """The rules of a step's `outputs`."""
    yield from at_most(MOST_OUTPUTS, f"{path}.outputs", step.outputs)
    yield from variable_names(f"{path}.outputs", step.outputs)
    spelling = {name.lower(): name for name in variables}
    for name in step.outputs:
        if (variable := spelling.get(name.lower(), name)) != name:
            yield Problem(
                f"{path}.outputs.{name}", f"`{name}` and the variable `{variable}` differ only in case", "spell them alike or rename one"
            )
    if step.outputs_from == "log":
        yield from _logged(path, step)


def _logged(path: str, step: Step) -> Iterator[Problem]:
    if not step.outputs:
        yield Problem(f"{path}.outputs_from", "only declared outputs are read from the log, and none is declared", "add `outputs`")
    for name in secret_outputs(step):
        yield Problem(f"{path}.outputs.{name}", "a secret does not belong into a log, where everybody reads it", "report it by callback")


def secret_outputs(step: Step) -> frozenset[str]:
    """The names of the step's outputs that are secrets."""
    return frozenset(name for name, declared in step.outputs.items() if output_of(declared).type == "secret")


def _pattern_flaw(variable: Variable) -> str | None:
    if variable.pattern is None:
        return None
    if variable.type not in (None, "string"):
        return f"a pattern is for strings, the variable's type is {variable.type}"
    if len(variable.pattern) > LONGEST_PATTERN:
        return f"has {len(variable.pattern)} characters, {LONGEST_PATTERN} are allowed"
    try:
        re.compile(variable.pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is not a regular expression: {error}"
    return None


def _default(path: str, variable: Variable, pattern_fits: bool) -> Iterator[Problem]:
    default = variable.default
    if isinstance(default, str) and has_expression(default):
        found = expressions.check(default, ("run",)) or run_names(expressions.references(default))
        yield from (problem.under(path) for problem in found)
    elif has_expression(default):
        yield Problem(path, "an expression inside a list or an object is not evaluated", "let the whole default be one ${{ ... }}")
    elif (flaw := conforms(variable.type, default)) is not None:
        hint = "a variable that may be absent says required: false and no default" if default is None else ""
        yield Problem(path, flaw, hint)
    elif variable.pattern is not None and pattern_fits and not matches(variable.pattern, default):
        yield Problem(path, f"does not match the variable's own pattern {variable.pattern}")
