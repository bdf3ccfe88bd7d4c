"""What each expression may refer to: declared variables, and what the steps before it give back."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct

from loadme.definitions import expressions
from loadme.definitions.checks import steps_at
from loadme.definitions.definition import OutputType, Step, Workflow, output_of
from loadme.definitions.expressions import References
from loadme.definitions.graph import before_it
from loadme.definitions.problems import Problem, nearest
from loadme.definitions.texts import Text, default_texts, step_texts, value_texts

RUN = ("id", "workflow", "created_at", "scheduled_at")
"""What expressions know of the run."""

RUN_AT_LAST, RUN_ERROR = ("status", "error"), ("kind", "message", "step")
"""What they know of it besides in `finally`; and what of its error."""

_EARLY, _LATE = ("variables", "run"), ("variables", "steps", "run")


class _Scope(Struct, frozen=True):
    """`step` is empty for what is of no step."""

    workflow: Workflow
    roots: tuple[str, ...]
    variables: frozenset[str]
    step: str = ""
    before: frozenset[str] = frozenset()


def expression_problems(workflow: Workflow) -> Iterator[Problem]:
    """What is wrong with the expressions of the workflow, of `defaults` and of the steps."""
    # A default is the same for every step, the first as well, which has nothing before it; so is the group for the whole run.
    early = _Scope(workflow, _EARLY, frozenset(workflow.variables))
    yield from _in_texts("defaults", default_texts(workflow.defaults), early)
    if workflow.concurrency is not None:
        yield from _in_texts("concurrency", (Text("group", workflow.concurrency.group),), early)
    for path, step in steps_at(workflow):
        name = path.partition(".")[2]
        before = frozenset(before_it(workflow, name))
        scope = _Scope(workflow, _LATE, _visible(workflow, before), name, before)
        yield from _in_texts(path, step_texts(step), scope)
    after = frozenset(workflow.every_step)
    # Of several steps side by side none is the last one: what a run gives back says whose output it is.
    yield from _in_texts("outputs", value_texts(workflow.outputs), _Scope(workflow, _LATE, frozenset(workflow.variables), "", after))


def _visible(workflow: Workflow, before: Collection[str]) -> frozenset[str]:
    """The variables, with the outputs of the steps before; those of a `for_each` step are lists and stay where they are."""
    givers = (step for name in before if (step := workflow.every_step[name]).for_each is None)
    return frozenset(workflow.variables) | {output for step in givers for output in step.outputs}


def disputed_outputs(workflow: Workflow) -> Iterator[Problem]:
    """Outputs of one name but two types from steps side by side: in what comes after, the last one silently wins."""
    givers: dict[str, list[_Giver]] = {}
    for path, step in steps_at(workflow):
        for output, declared in step.outputs.items():
            if (kind := output_of(declared).type) is not None and step.for_each is None:
                givers.setdefault(output.lower(), []).append(_Giver(path, output, kind))
    shared = [several for several in givers.values() if len(several) > 1]
    before = {giver.step: before_it(workflow, giver.step) for several in shared for giver in several}
    for several in shared:
        for index, giver in enumerate(several):
            rivals = (other for other in several[:index] if other.kind != giver.kind)
            beside = (other for other in rivals if other.step not in before[giver.step] and giver.step not in before[other.step])
            if (rival := next(beside, None)) is not None:
                yield _dispute(giver, rival)


class _Giver(Struct, frozen=True):
    path: str
    output: str
    kind: OutputType

    @property
    def step(self) -> str:
        return self.path.partition(".")[2]


def _dispute(giver: _Giver, rival: _Giver) -> Problem:
    return Problem(
        f"{giver.path}.outputs.{giver.output}",
        f"is {giver.kind} here and {rival.kind} in `{rival.step}`, and neither step is before the other",
        f"declare one type, rename one, or add {rival.step} to `needs`",
    )


def _in_texts(path: str, texts: Collection[Text] | Iterator[Text], scope: _Scope) -> Iterator[Problem]:
    for one in texts:
        roots = (*scope.roots, "item", "index") if one.sees_item else scope.roots
        problems = expressions.check(one.text, roots, condition=one.is_condition)
        # Names are looked up only in expressions that compile: in others they may not be names at all.
        yield from (problem.under(f"{path}.{one.path}") for problem in problems or _names(expressions.references(one.text), scope))


def _names(used: References, scope: _Scope) -> Iterator[Problem]:
    for step in sorted(used.steps):
        yield from _step(step, scope)
    for name in sorted(used.variables - scope.variables):
        yield _variable(name, scope)
    for step, attribute in sorted(used.attributes):
        if step in scope.before:
            yield from _attribute(step, attribute, scope.workflow.every_step[step])
    for step, output in sorted(used.outputs):
        if step in scope.before and output not in scope.workflow.every_step[step].outputs:
            hint = nearest(output, scope.workflow.every_step[step].outputs) or f"declare it: outputs: {{{output}: string}}"
            yield Problem("", f"`{step}` declares no output `{output}`", hint)
    yield from run_names(used, is_last=scope.step in scope.workflow.last)


def run_names(used: References, *, is_last: bool = False) -> Iterator[Problem]:
    """What the expressions read of the run and it does not have; `is_last` for those in `finally`."""
    for name in sorted(used.run - {*RUN, *(RUN_AT_LAST if is_last else ())}):
        if name in RUN_AT_LAST:
            yield Problem("", f"`run.{name}` is known only in `finally`", "how a run ends is known when all of `steps` is over")
        else:
            yield Problem("", f"a run has no `{name}`", nearest(name, (*RUN, *RUN_AT_LAST) if is_last else RUN))
    for name in sorted(used.error - {*RUN_ERROR}) if is_last else ():
        yield Problem("", f"a run's error has no `{name}`", nearest(name, RUN_ERROR))


def _attribute(name: str, attribute: str, step: Step) -> Iterator[Problem]:
    known = ("status", "outputs", "items") if step.for_each is not None else ("status", "outputs")
    if attribute == "items" and attribute not in known:
        yield Problem("", f"`{name}` has no `items`", "only a `for_each` step has them")
    elif attribute not in known:
        yield Problem("", f"a step has no `{attribute}`", nearest(attribute, known))


def _step(name: str, scope: _Scope) -> Iterator[Problem]:
    if name not in scope.workflow.every_step:
        yield Problem("", f"unknown step `{name}`", nearest(name, scope.workflow.every_step))
    elif name in scope.before:
        return
    elif name in scope.workflow.last and scope.step in scope.workflow.steps:
        yield Problem("", f"`{name}` is not before this step", "it is in `finally`, which comes last")
    else:
        hint = "a step knows only what is over before it begins" if name == scope.step else f"add {name} to `needs`"
        yield Problem("", f"`{name}` is not before this step", hint)


def _variable(name: str, scope: _Scope) -> Problem:
    givers = [step for step, other in scope.workflow.every_step.items() if name in other.outputs and step != scope.step]
    known = [step for step in givers if step in scope.before]
    if known:
        why = "which has a list of them, one for each item" if scope.step else "and not a variable of the run"
        return Problem("", f"`{name}` is an output of `{known[0]}`, {why}", f"write steps['{known[0]}'].outputs.{name}")
    if givers and "steps" in scope.roots:
        return Problem("", f"`{name}` is an output of `{givers[0]}`, which is not before this step", f"add {givers[0]} to `needs`")
    return Problem("", f"unknown variable `{name}`", nearest(name, sorted(scope.variables)) or "declare it in `variables`")
