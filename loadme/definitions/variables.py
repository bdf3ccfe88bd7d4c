"""The variables of a run: what a start may give, what a step sees, what its container gives back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from msgspec import UNSET, Struct

from loadme.definitions import expressions
from loadme.definitions.definition import Output, Step, Variable, Workflow, output_of
from loadme.definitions.graph import ancestors
from loadme.definitions.names import PREFIX, variable_flaw
from loadme.definitions.problems import Problem, closest, nearest, printable
from loadme.definitions.values import MOST_BYTES, compact, conforms, normal, parse_as, size
from loadme.errors import ExpressionFailed, Rejected

__all__ = ["accept", "conforms", "declared_outputs", "environment", "json_schema", "matches", "overlay", "parse_as", "start_problems"]

# Query parameters of the Functions host: the key and its owner, never variables.
HOST_PARAMETERS = ("code", "clientId")
MOST_ENVIRONMENT_BYTES = 32_768
MOST_COMPARED = 50
MOST_GIVEN = 500  # more than any workflow can declare; what is refused must not cost more than what is accepted


def accept(workflow: Workflow, given: Mapping[str, Any], query: Mapping[str, str], run_context: Mapping[str, Any]) -> dict[str, Any]:
    """The run's variables, in the definition's order. `given` (the body) wins over `query`, whose values are parsed as declared;
    `run_context` is what a default's expression sees as `run`. Raises Rejected naming every variable that is wrong."""
    _check_count(400, len(given) + len(query))
    # Only what the body does not say is read from the query: it wins, and a bad value there does no harm.
    from_query, problems = _parsed_query(workflow, {name: text for name, text in query.items() if name not in given})
    offered = {**from_query, **given}
    problems += start_problems(workflow, offered, parsed=[problem.path for problem in problems])
    result: dict[str, Any] = {}
    for name, variable in workflow.variables.items():
        value = offered.get(name, UNSET)
        if value is UNSET and variable.default is not UNSET and not variable.required:
            value, found = _default(name, variable, run_context)
            problems += found
        if value is not UNSET:
            result[name] = value
    if problems:
        raise _rejected(400, f"The variables do not fit the workflow {workflow.name}", problems)
    result = {name: normal(workflow.variables[name].type, value) for name, value in result.items()}
    _check_size(result)
    return result


def start_problems(workflow: Workflow, given: Mapping[str, Any], parsed: Iterable[str] = ()) -> list[Problem]:
    """Every variable that is unknown, ill-typed or missing; those in `parsed` have been found wrong already."""
    problems = [problem for name, value in given.items() if (problem := _wrong(workflow, name, value)) is not None]
    absent = [name for name, variable in workflow.variables.items() if variable.is_required and name not in given and name not in parsed]
    return problems + [Problem(name, "is required and was not given", _wish(workflow.variables[name])) for name in absent]


def matches(pattern: str, value: Any) -> bool:
    """Whether the pattern is found in the text: the author's own `^` and `$` make it match the whole. A last `$` is the very end."""
    return isinstance(value, str) and _compiled(pattern).search(value) is not None


def overlay(
    workflow: Workflow, run_variables: Mapping[str, Any], outputs_by_step: Mapping[str, Mapping[str, Any]], step: str
) -> dict[str, Any]:
    """The variables that a step sees: the run's, overlaid with its ancestors' outputs in topological order, ties by the definition's
    order. An output that differs from a variable only in case replaces it."""
    result = dict(run_variables)
    spelling = {name.lower(): name for name in result}
    for ancestor in ancestors(workflow, step):
        for name, value in outputs_by_step.get(ancestor, {}).items():
            result[spelling.setdefault(name.lower(), name)] = value
    return result


def environment(variables: Mapping[str, Any], prefix: str = PREFIX) -> dict[str, str]:
    """The variables as a container's environment: strings as they are, everything else as JSON; none over 32 KB."""
    texts = {f"{prefix}{name.upper()}": value if isinstance(value, str) else compact(value) for name, value in variables.items()}
    return {name: text for name, text in texts.items() if len(text.encode()) <= MOST_ENVIRONMENT_BYTES}


def json_schema(workflow: Workflow) -> dict[str, Any]:
    """The JSON Schema of what a start of the workflow may give."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": workflow.name,
        "type": "object",
        "properties": {name: _property_schema(variable) for name, variable in workflow.variables.items()},
        "required": [name for name, variable in workflow.variables.items() if variable.is_required],
        "additionalProperties": False,
    }


def outputs_schema(step: Step) -> dict[str, Any]:
    """The JSON Schema of what the step may be given as its outputs."""
    declared = {name: output_of(output) for name, output in step.outputs.items()}
    return {
        "type": "object",
        "properties": {name: _output_schema(output) for name, output in declared.items()},
        "required": [name for name, output in declared.items() if output.required],
    }


def declared_outputs(step: Step, raw: Mapping[str, Any], prefix: str = PREFIX, *, only_declared: bool = False) -> dict[str, Any]:
    """The outputs that a container gave, under their declared names and in their declared types.

    Keys may carry the prefix and be in any case; text is parsed for a declared type that is not a string, for lines of an output
    file are text. Undeclared outputs are kept when they are well named; with `only_declared` they are dropped whatever they are called,
    for what a log says must not set variables. Raises Rejected naming every output that is wrong.
    """
    if not only_declared:
        _check_count(422, len(raw))
    spelling = {name.lower(): name for name in step.outputs}
    result: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in raw.items():
        # A script may send its environment's names back, which are in upper case.
        bare = key[len(prefix) :] if prefix and key.lower().startswith(prefix.lower()) else key
        name = spelling.setdefault(bare.lower(), bare)
        if only_declared and name not in step.outputs:
            continue
        read = _output(step, name, value)
        if isinstance(read, _Wrong):
            problems.append(Problem(name or key, read.why))
        elif name in result and result[name] != read:
            problems.append(
                Problem(name, "is given twice with different values", f"with and without the prefix {prefix} it is the same output")
            )
        else:
            result[name] = read
    problems += _missing(step, {*result, *(problem.path for problem in problems)}, [*spelling.values()])
    if problems:
        raise _rejected(422, "The outputs are not what the step declares", problems)
    _check_size(result)
    return result


class _Wrong(Struct, frozen=True):
    why: str


def _output(step: Step, name: str, value: Any) -> Any:
    if (flaw := variable_flaw(name)) is not None:
        return _Wrong(flaw)
    declared = output_of(step.outputs[name]).type if name in step.outputs else None
    try:
        read = parse_as(declared, value) if isinstance(value, str) else value
    except ValueError as error:
        return _Wrong(str(error))
    flaw = conforms(declared, read)
    return normal(declared, read) if flaw is None else _Wrong(flaw)


def _missing(step: Step, seen: Iterable[str], given: Iterable[str]) -> Iterator[Problem]:
    strange = [name for name in given if name not in step.outputs][:MOST_COMPARED]
    for name, output in step.outputs.items():
        if output_of(output).required and name not in seen:
            like = closest(name, strange)
            but = f": you gave `{like}`" if like else ""
            hint = f"rename one of the two, so that both say `{name}`" if like else "give it, or declare it with required: false"
            yield Problem(name, f"is declared and was not given{but}", hint)


def _parsed_query(workflow: Workflow, query: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, text in query.items():
        declared = workflow.variables[name].type if name in workflow.variables else None
        try:
            if name not in HOST_PARAMETERS:
                values[name] = parse_as(declared, text)
        except ValueError as error:
            problems.append(Problem(name, str(error), _wish(workflow.variables[name])))
    return values, problems


def _wrong(workflow: Workflow, name: str, value: Any) -> Problem | None:
    variable = workflow.variables.get(name)
    if variable is None:
        return Problem(name, f"the workflow {workflow.name} has no variable of this name", nearest(name, workflow.variables))
    flaw = conforms(variable.type, value)
    if flaw is None and variable.pattern is not None and not matches(variable.pattern, value):
        flaw = f"does not match {variable.pattern}"
    return None if flaw is None else Problem(name, flaw, _wish(variable))


def _default(name: str, variable: Variable, run_context: Mapping[str, Any]) -> tuple[Any, list[Problem]]:
    if not (isinstance(variable.default, str) and expressions.has_expression(variable.default)):
        return variable.default, []
    try:
        value = expressions.render(variable.default, {"run": dict(run_context)})
    except ExpressionFailed as error:
        return None, [Problem(name, f"its default cannot be computed: {error.reason}", "give it a value")]
    flaw = conforms(variable.type, value)
    if flaw is None and variable.pattern is not None and not matches(variable.pattern, value):
        flaw = f"does not match {variable.pattern}"
    return value, [] if flaw is None else [Problem(name, f"its default is wrong for this run: {flaw}", "give it a value")]


def _wish(variable: Variable) -> str:
    words: list[str] = [variable.type] if variable.type else []
    if variable.pattern is not None:
        words.append(f"matching {variable.pattern}")
    wanted = f"expected: {' '.join(words)}" if words else ""
    return f"{wanted} ({variable.description})" if wanted and variable.description else variable.description or wanted


def _property_schema(variable: Variable) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": variable.type, "pattern": variable.pattern, "description": variable.description}
    schema = {key: value for key, value in fields.items() if value is not None}
    # A default that is an expression has no value before the start.
    fixed = variable.default is not UNSET and not expressions.has_expression(variable.default)
    return {**schema, "default": variable.default} if fixed else schema


def _output_schema(output: Output) -> dict[str, Any]:
    secret = {"type": "string", "writeOnly": True} if output.type == "secret" else {}
    schema = {"type": output.type, "description": output.description, **secret}
    return {key: value for key, value in schema.items() if value is not None}


def _rejected(status: int, title: str, problems: list[Problem]) -> Rejected:
    detail = "; ".join(f"{problem.path}: {problem.message}" for problem in problems[:20])
    return Rejected(status, title, printable(detail), [problem.as_error() for problem in problems])


def _check_count(status: int, count: int) -> None:
    if count > MOST_GIVEN:
        raise Rejected(status, "Too many variables", f"{count} were given, {MOST_GIVEN} are allowed.")


def _check_size(values: Mapping[str, Any]) -> None:
    if (bytes_ := size(values)) > MOST_BYTES:
        hint = "pass large data as a file in the run's folder"
        raise Rejected(413, "The variables are too large", f"They have {bytes_} bytes as JSON, {MOST_BYTES} are allowed: {hint}.")


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    # Python's `$` also matches before a last line break; a pattern's author means the end.
    return re.compile(re.sub(r"(?<!\\)\$\Z", r"\\Z", pattern))
