"""What each step may refer to: declared variables, and what its ancestors give back."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from loadme.definitions import expressions
from loadme.definitions.definition import Defaults, Step, Template, VariableType, Workflow, output_of
from loadme.definitions.graph import before_it
from loadme.definitions.problems import Problem, nearest

_STEP_ROOTS = ("variables", "steps", "run")
_ONE_BRACE = re.compile(r"\$\{\s*(?:variables|steps|run)\s*[.\[][^}\n]{0,60}\}?")


class _Scope(Struct, frozen=True):
    workflow: Workflow
    step: str
    before: frozenset[str]
    variables: frozenset[str]


def expression_problems(workflow: Workflow) -> Iterator[Problem]:
    """What is wrong with the expressions of `defaults` and of the steps."""
    for path, text in _default_texts(workflow.defaults):
        # A default is the same for every step, the first as well, which has nothing before it.
        scope = _Scope(workflow, "", frozenset(), frozenset(workflow.variables))
        yield from _in_text(f"defaults.{path}", text, scope, ("variables", "run"))
    for name, step in workflow.steps.items():
        before = frozenset(before_it(workflow, name))
        outputs = {output for other in before for output in workflow.steps[other].outputs}
        scope = _Scope(workflow, name, before, frozenset(workflow.variables) | outputs)
        for path, text in _texts(step):
            yield from _in_text(f"steps.{name}.{path}", text, scope, _STEP_ROOTS)


def disputed_outputs(workflow: Workflow) -> Iterator[Problem]:
    """Outputs of one name but two types from steps side by side: in what comes after, the last one silently wins."""
    givers: dict[str, list[_Giver]] = {}
    for name, step in workflow.steps.items():
        for output, declared in step.outputs.items():
            if (kind := output_of(declared).type) is not None:
                givers.setdefault(output.lower(), []).append(_Giver(name, output, kind))
    shared = [several for several in givers.values() if len(several) > 1]
    before = {giver.step: before_it(workflow, giver.step) for several in shared for giver in several}
    for several in shared:
        for index, giver in enumerate(several):
            rivals = (other for other in several[:index] if other.kind != giver.kind)
            beside = (other for other in rivals if other.step not in before[giver.step] and giver.step not in before[other.step])
            if (rival := next(beside, None)) is not None:
                yield _dispute(giver, rival)


class _Giver(Struct, frozen=True):
    step: str
    output: str
    kind: VariableType


def _dispute(giver: _Giver, rival: _Giver) -> Problem:
    return Problem(
        f"steps.{giver.step}.outputs.{giver.output}",
        f"is {giver.kind} here and {rival.kind} in `{rival.step}`, and neither step is before the other",
        f"declare one type, rename one, or add {rival.step} to `needs`",
    )


def doubts(workflow: Workflow) -> Iterator[Problem]:
    """What in a valid workflow is probably not meant, but may be, hence no error: texts like expressions that are none, and heartbeats
    that nobody sends."""
    texts = [(f"defaults.{path}", text) for path, text in _default_texts(workflow.defaults)]
    texts += [(f"steps.{name}.{path}", text) for name, step in workflow.steps.items() for path, text in _texts(step)]
    for path, text in texts:
        if (found := _ONE_BRACE.search(expressions.literal_text(text))) is not None:
            yield Problem(path, f"`{found[0]}` is no expression: it is passed on as it stands", "write ${{ ... }} if it is meant as one")
    for name, step in workflow.steps.items():
        if workflow.heartbeat(step) and workflow.callback(step) == "url":
            message = "containers that report to a callback URL know nothing of heartbeats: without one the attempt is given up"
            yield Problem(f"steps.{name}.heartbeat", message, "check that its image sends them, or drop `heartbeat`")


def _texts(step: Step) -> Iterator[tuple[str, str]]:
    yield "image", step.image
    yield from ((f"command[{index}]", text) for index, text in enumerate(step.command))
    yield from ((f"env.{name}", text) for name, text in step.env.items())
    yield from _template_texts(step.template)
    if step.condition is not None:
        yield "if", step.condition


def _default_texts(defaults: Defaults) -> Iterator[tuple[str, str]]:
    yield from ((f"env.{name}", text) for name, text in defaults.env.items())
    yield from _template_texts(defaults.template)


def _template_texts(template: str | Template | None) -> Iterator[tuple[str, str]]:
    if isinstance(template, Template):
        given = template.parameters.items()
        yield from ((f"template.parameters.{name}", value) for name, value in given if isinstance(value, str))


def _in_text(path: str, text: str, scope: _Scope, roots: tuple[str, ...]) -> Iterator[Problem]:
    # Names are looked up only in expressions that compile: in others they may not be names at all.
    problems = expressions.check(text, roots, condition=path == f"steps.{scope.step}.if")
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
