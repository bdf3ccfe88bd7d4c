"""What the workflows of an app must keep to about each other: a step that runs another workflow can do so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loadme.definitions.checks import steps_at
from loadme.definitions.definition import Step, Workflow
from loadme.definitions.expressions import has_expression
from loadme.definitions.problems import Problem, nearest
from loadme.definitions.variables import start_problems

DEEPEST = 10
"""How many runs may be above a run."""


def unfit(workflows: Mapping[str, Workflow], broken: Mapping[str, str]) -> dict[str, list[Problem]]:
    """By workflow, what is wrong with its steps that run others; `broken` names the files of workflows that cannot be used.

    A workflow that runs an unfit one is unfit itself: its runs would fail midway.
    """
    found: dict[str, list[Problem]] = {}
    lost = dict(broken)
    sound = dict(workflows)
    while wrong := {name: problems for name, workflow in sound.items() if (problems := list(_problems(workflow, sound, lost)))}:
        found |= wrong
        lost |= dict.fromkeys(wrong, "")
        sound = {name: workflow for name, workflow in sound.items() if name not in wrong}
    return found


def _problems(workflow: Workflow, known: Mapping[str, Workflow], broken: Mapping[str, str]) -> Iterator[Problem]:
    for path, step in steps_at(workflow):
        if step.workflow is None:
            continue
        if (other := known.get(step.workflow)) is None:
            yield _missing(f"{path}.workflow", step.workflow, known, broken)
            continue
        yield from _variables(f"{path}.variables", step, other)
        yield from _outputs(f"{path}.outputs", step, other)
        yield from _depth(f"{path}.workflow", workflow, step.workflow, known)


def _missing(path: str, name: str, known: Mapping[str, Workflow], broken: Mapping[str, str]) -> Problem:
    if name in broken:
        where = f", see {broken[name]}" if broken[name] else ""
        return Problem(path, f"the workflow `{name}` is broken{where}", f"mend `{name}` first")
    return Problem(path, f"there is no workflow `{name}`", nearest(name, known))


def _variables(path: str, step: Step, other: Workflow) -> Iterator[Problem]:
    """What can be known before the expressions have values: the names, and the types of what is no expression."""
    fixed = {name: value for name, value in step.variables.items() if not has_expression(value)}
    for problem in start_problems(other, fixed):
        if problem.path not in step.variables or problem.path in fixed:
            yield problem.under(path)
    for name in (name for name in step.variables if name not in fixed and name not in other.variables):
        yield Problem(f"{path}.{name}", f"the workflow {other.name} has no variable of this name", nearest(name, other.variables))


def _outputs(path: str, step: Step, other: Workflow) -> Iterator[Problem]:
    for name in step.outputs:
        if name not in other.outputs:
            hint = nearest(name, other.outputs) or f"give it there: outputs: {{{name}: …}}"
            yield Problem(f"{path}.{name}", f"the workflow {other.name} gives back no `{name}`", hint)


def _depth(path: str, workflow: Workflow, first: str, known: Mapping[str, Workflow]) -> Iterator[Problem]:
    chain = _chain(workflow.name, first, known)
    if chain[-1] == workflow.name:
        yield Problem(path, f"the workflows run each other without end: {' → '.join(chain)}", "take one of these steps out")
    elif len(chain) > DEEPEST + 1 and len(set(chain)) == len(chain):  # a circle below is told where it is
        message = f"{DEEPEST} runs may be above a run, here are {len(chain) - 1}: {' → '.join(chain)}"
        yield Problem(path, message, "let one workflow do the work of two")


def _chain(name: str, first: str, known: Mapping[str, Workflow]) -> tuple[str, ...]:
    """A way from run to run that comes back to `name`, or is one longer than is allowed, or else just (name, first)."""
    levels: list[dict[str, str]] = [{first: name}]  # who is reached by so many steps, and from whom: never more than all there are
    while levels[-1] and len(levels) <= DEEPEST + 1:
        if name in levels[-1]:
            return _way(levels, name)
        levels.append({other: above for above in levels[-1] for other in _runs(known.get(above))})
    deepest = next(iter(levels[DEEPEST]), None) if len(levels) > DEEPEST else None
    return (name, first) if deepest is None else _way(levels[: DEEPEST + 1], deepest)


def _way(levels: list[dict[str, str]], last: str) -> tuple[str, ...]:
    way = [last]
    for level in reversed(levels):
        way.append(level[way[-1]])
    return tuple(reversed(way))


def _runs(workflow: Workflow | None) -> set[str]:
    return {step.workflow for step in workflow.every_step.values() if step.workflow} if workflow else set()
