"""What the expressions of each step may refer to: declared variables, and what its ancestors give back."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from loadme.definitions import expressions
from loadme.definitions.definition import Step, Workflow
from loadme.definitions.graph import before_it
from loadme.definitions.problems import Problem, nearest

_STEP_ROOTS = ("variables", "steps", "run")


class _Scope(Struct, frozen=True):
    workflow: Workflow
    step: str
    before: frozenset[str]
    variables: frozenset[str]


def expression_problems(workflow: Workflow) -> Iterator[Problem]:
    """What is wrong with the expressions of `defaults` and of the steps."""
    for name, text in workflow.defaults.env.items():
        # A default is the same for every step, the first as well, which has nothing before it.
        scope = _Scope(workflow, "", frozenset(), frozenset(workflow.variables))
        yield from _in_text(f"defaults.env.{name}", text, scope, ("variables", "run"))
    for name, step in workflow.steps.items():
        before = frozenset(before_it(workflow, name))
        outputs = {output for other in before for output in workflow.steps[other].outputs}
        scope = _Scope(workflow, name, before, frozenset(workflow.variables) | outputs)
        for path, text in _texts(step):
            yield from _in_text(f"steps.{name}.{path}", text, scope, _STEP_ROOTS)


def _texts(step: Step) -> Iterator[tuple[str, str]]:
    yield "image", step.image
    yield from ((f"command[{index}]", text) for index, text in enumerate(step.command))
    yield from ((f"env.{name}", text) for name, text in step.env.items())
    if step.condition is not None:
        yield "if", step.condition


def _in_text(path: str, text: str, scope: _Scope, roots: tuple[str, ...]) -> Iterator[Problem]:
    # Names are looked up only in expressions that compile: in others they may not be names at all.
    problems = expressions.check(text, roots, condition=path.endswith(".if") and not path.startswith("defaults"))
    if problems:
        yield from (problem.under(path) for problem in problems)
        return
    used = expressions.references(text)
    for step in sorted(used.steps):
        yield from (problem.under(path) for problem in _step(step, scope))
    for name in sorted(used.variables - scope.variables):
        yield _variable(path, name, scope)
    for step, output in sorted(used.outputs):
        if step in scope.before and output not in scope.workflow.steps[step].outputs:
            hint = nearest(output, scope.workflow.steps[step].outputs) or f"declare it: outputs: {{{output}: string}}"
            yield Problem(path, f"`{step}` declares no output `{output}`", hint)


def _step(step: str, scope: _Scope) -> Iterator[Problem]:
    if step not in scope.workflow.steps:
        yield Problem("", f"unknown step `{step}`", nearest(step, scope.workflow.steps))
    elif step not in scope.before:
        hint = "a step knows only what is over before it begins" if step == scope.step else f"add {step} to `needs`"
        yield Problem("", f"`{step}` is not before this step", hint)


def _variable(path: str, name: str, scope: _Scope) -> Problem:
    givers = [step for step, other in scope.workflow.steps.items() if name in other.outputs and step != scope.step]
    if givers:
        return Problem(path, f"`{name}` is an output of `{givers[0]}`, which is not before this step", f"add {givers[0]} to `needs`")
    return Problem(path, f"unknown variable `{name}`", nearest(name, sorted(scope.variables)) or "declare it in `variables`")
