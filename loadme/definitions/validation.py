"""A workflow from plain values: everything that is wrong with it at once, or the workflow."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from loadme.definitions.definition import Workflow
from loadme.definitions.expressions import has_expression
from loadme.definitions.graph import ancestors, order
from loadme.definitions.kind_rules import DOES
from loadme.definitions.names import PREFIX
from loadme.definitions.problems import Problem
from loadme.definitions.rules import broken_rules
from loadme.definitions.values import type_of

__all__ = ["ancestors", "check", "order", "parse"]


def parse(document: Any, prefix: str = PREFIX) -> tuple[Workflow | None, list[Problem]]:
    """The workflow that a document (plain dicts, lists and scalars) defines, or None and all its problems."""
    document = _long_form(document)
    problems: list[Problem] = []
    try:
        workflow = msgspec.convert(document, Workflow)
        if _has_null(document):  # which may stand for a value, but is no way to leave a key out
            workflow, problems = _salvaged(document)
    except msgspec.ValidationError as error:
        workflow, problems = _salvaged(document, str(error))
    # Rules are checked on what is left of a broken document too: a person wants to mend it in one go.
    problems += [problem for problem in check(workflow, prefix) if not _known(problem, problems)]
    return (None, problems) if problems else (workflow, [])


def check(workflow: Workflow, prefix: str = PREFIX) -> list[Problem]:
    """What is wrong with a workflow whose types are right, in the order of the file's parts."""
    return broken_rules(workflow, prefix)


def _salvaged(document: Any, error: str = "") -> tuple[Workflow, list[Problem]]:
    # Only a broken file pays for this import.
    from loadme.definitions.shapes import salvage

    value, problems = salvage(document, Workflow)
    return msgspec.convert(value, Workflow), problems or ([Problem("", error)] if error else [])


def _has_null(value: Any) -> bool:
    if isinstance(value, (dict, list)):
        return any(map(_has_null, value.values() if isinstance(value, dict) else value))
    return value is None


def _known(problem: Problem, known: list[Problem]) -> bool:
    """Whether the problem only follows from one that is known already: it lies at the same place, or inside it."""
    # What a step does may have been said in the wrong shape: then it is not missing.
    step, _, key = problem.path.rpartition(".")
    said = {f"{step}.{other}" for other in DOES} if key == DOES[0] else {problem.path}
    return any(other.path in said or problem.path.startswith((f"{other.path}.", f"{other.path}[")) for other in known)


def _long_form(document: Any) -> Any:
    """The document with every variable as a mapping and its type said, where its default shows one."""
    if not isinstance(document, dict) or not isinstance(document.get("variables"), dict):
        return document
    variables = {name: _long_variable(given) for name, given in document["variables"].items()}
    return {**document, "variables": variables}


def _long_variable(given: Any) -> Any:
    if given is None:
        return given
    variable = given if isinstance(given, dict) else {"default": given}
    if "type" in variable:
        return variable
    default = variable.get("default", UNSET)
    shown = "string" if "pattern" in variable else type_of(default) if default is not UNSET and not has_expression(default) else None
    return variable if shown is None else {**variable, "type": shown}
