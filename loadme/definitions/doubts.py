"""What in a valid workflow is probably not meant, but may be: hence no error."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import get_args

from loadme.definitions import expressions
from loadme.definitions.checks import steps_at
from loadme.definitions.definition import VariableType, Workflow
from loadme.definitions.problems import Problem
from loadme.definitions.texts import Text, default_texts, step_texts, value_texts
from loadme.definitions.variable_rules import secret_outputs

SPOT_LOCATIONS = ("eastus2", "westeurope", "westus")
"""Where ACI has spot containers, as a preview; a later list of Azure's may be longer."""

_GETS_SECRETS = re.compile(r"env\.|(?:init|sidecars)\.[^.]+\.env\.|variables\.|if$|for_each$")
_BARE = re.compile(
    r"variables\.\w+|steps(?:\.\w+|\['[a-z0-9-]+'\])\.(?:outputs\.\w+|status)|run\.(?:id|workflow|created_at|scheduled_at|status|error)"
)
_ASKS_FOR_ERROR = re.compile(r"\brun\.status\b|\brun\.error\s*[!=]=")
_ONE_BRACE = re.compile(r"\$\{\s*(?:(?:variables|steps|run|item)\s*[.\[][^}\n]{0,60}\}?|(?:item|index)\s*\})")


def doubts(workflow: Workflow) -> Iterator[Problem]:
    """Texts like expressions that are none, secrets where nothing gets them, heartbeats that nobody sends, and spot where there is none."""
    secrets = {(name, output) for name, step in workflow.every_step.items() for output in secret_outputs(step)}
    yield from _types_as_defaults(workflow)
    yield from _errors_without_question(workflow)
    for path, one in _texts(workflow):
        yield from (problem.under(f"{path}.{one.path}") for problem in _misread(one.text))
        if (found := _ONE_BRACE.search(expressions.literal_text(one.text))) is not None:
            hint = "write ${{ ... }} if it is meant as one"
            yield Problem(f"{path}.{one.path}", f"`{found[0]}` is no expression: it is passed on as it stands", hint)
        if (secret := _secret_in(one, secrets)) and not (_GETS_SECRETS.match(one.path) and expressions.is_expression(one.text)):
            message = f"`{secret}` is a secret: here stands only what refers to it"
            yield Problem(f"{path}.{one.path}", message, f"give it by env, alone: {secret.upper()}: ${{{{ variables.{secret} }}}}")
    for path, step in steps_at(workflow):
        if step.is_container and workflow.heartbeat(step) and workflow.callback(step) == "url":
            message = "containers that report to a callback URL know nothing of heartbeats: without one the attempt is given up"
            yield Problem(f"{path}.heartbeat", message, "check that its image sends them, or drop `heartbeat`")
        place = next(iter(workflow.locations(step)), "")
        if step.is_container and workflow.priority(step) == "spot" and place and place not in SPOT_LOCATIONS:
            message = f"Azure had spot containers in {', '.join(SPOT_LOCATIONS)} only, and `locations` begins with {place}"
            yield Problem(f"{path}.priority", message, "begin with one of these: later locations are tried with regular containers")


def _types_as_defaults(workflow: Workflow) -> Iterator[Problem]:
    """`rows: integer` is an output's type, and a variable's default."""
    for name, variable in workflow.variables.items():
        if isinstance(variable.default, str) and variable.default in get_args(VariableType):
            written = f"{{type: {variable.default}}}"
            yield Problem(f"variables.{name}", f"its default is the text `{variable.default}`", f"write {written} if the type is meant")


def _misread(text: str) -> Iterator[Problem]:
    """A text that was meant as an expression."""
    if _BARE.fullmatch(text):
        yield Problem("", f"`{text}` is a text and no expression", f"write ${{{{ {text} }}}} if it is meant as one")


def _errors_without_question(workflow: Workflow) -> Iterator[Problem]:
    """Texts of `finally` that have no value when the run has succeeded, in steps whose `if` does not ask how it ended."""
    for path, step in steps_at(workflow):
        for one in () if _ASKS_FOR_ERROR.search(step.condition or "") else step_texts(step):
            if (read := sorted(expressions.references(one.text).error)) and not _ASKS_FOR_ERROR.search(one.text):
                message = f"`run.error.{read[0]}` has no value when the run has succeeded, and the step fails then"
                yield Problem(f"{path}.{one.path}", message, f"write run.error == null ? '' : run.error.{read[0]}")


def _secret_in(one: Text, secrets: Collection[tuple[str, str]]) -> str | None:
    """The secret output that the text reads, if it reads one."""
    used = expressions.references(one.text)
    named = {output for _, output in secrets}
    return next(iter(sorted(used.variables & named) or sorted(output for step, output in used.outputs & set(secrets))), None)


def _texts(workflow: Workflow) -> Iterator[tuple[str, Text]]:
    yield from (("defaults", one) for one in default_texts(workflow.defaults))
    yield from ((path, one) for path, step in steps_at(workflow) for one in step_texts(step))
    yield from (("outputs", one) for one in value_texts(workflow.outputs))
