"""What the steps of a workflow must keep to about each other: needs, catches, `finally`, and no cycles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from loadme.definitions.attempt_rules import kinds
from loadme.definitions.checks import at_most
from loadme.definitions.definition import Step, Workflow
from loadme.definitions.graph import catcher, cycles
from loadme.definitions.idle_rules import fixed_outputs
from loadme.definitions.kinds import CAUGHT
from loadme.definitions.problems import Problem, nearest
from loadme.definitions.sizes import room

MOST_CATCHES = 20


def graph_rules(workflow: Workflow) -> Iterator[Problem]:
    """Needs and catches of all steps; a name stands once; nothing waits for itself."""
    for name in workflow.last:
        if name in workflow.steps:
            yield Problem(f"finally.{name}", f"`{name}` is the name of a step in `steps` as well", "rename one of them")
    for folder, steps in (("steps", workflow.steps), ("finally", workflow.last)):
        for name, step in steps.items():
            yield from _needs(f"{folder}.{name}.needs", name, step, workflow, steps)
            yield from _never_both(f"{folder}.{name}.needs", step, workflow)
            yield from _catches(f"{folder}.{name}.catch", name, step, workflow, steps)
    yield from _targets(workflow)
    yield from _cycles(workflow)


def _needs(path: str, name: str, step: Step, workflow: Workflow, steps: Mapping[str, Step]) -> Iterator[Problem]:
    is_list = not isinstance(step.needs, dict)
    for index, need in enumerate(step.needs):
        place = f"{path}[{index}]" if is_list else f"{path}.{need}"
        if need == name:
            yield Problem(place, f"`{name}` needs itself", "take it out")
        elif need not in steps:
            yield _not_there(place, need, name, workflow, steps)
        elif need in tuple(step.needs)[:index]:
            yield Problem(place, f"`{need}` stands here twice", "take one out")
    if isinstance(step.needs, dict):
        for need, endings in step.needs.items():
            yield from _endings(f"{path}.{need}", need, endings)


def _endings(path: str, need: str, endings: tuple[str, ...]) -> Iterator[Problem]:
    if not endings:
        yield Problem(path, "is empty: no ending of it would do", f"write {need}: [succeeded], or [succeeded, failed, skipped] for any")
    for index, ending in enumerate(endings):
        if ending in endings[:index]:
            yield Problem(f"{path}[{index}]", f"`{ending}` stands here twice", "take one out")


def _not_there(path: str, name: str, asking: str, workflow: Workflow, steps: Mapping[str, Step]) -> Problem:
    """`asking` names a step that is not among its own kind."""
    if name in workflow.last:
        return Problem(path, f"`{name}` stands in `finally`, which comes after all of `steps`", "move one of the two")
    if name in workflow.steps:
        return Problem(path, f"`{name}` is over before `finally` begins", f"take it out; what became of it is at steps['{name}'].status")
    return Problem(path, f"unknown step `{name}`", nearest(name, (other for other in steps if other != asking)))


def _fits(path: str, outputs: Mapping[str, Any], most: int) -> Iterator[Problem]:
    if (size := len(msgspec.json.encode(outputs))) > most:
        yield Problem(path, f"has {size} bytes as JSON, and in a workflow of so many steps {most} are allowed", "let a step give them")


def _catches(path: str, name: str, step: Step, workflow: Workflow, steps: Mapping[str, Step]) -> Iterator[Problem]:
    yield from at_most(MOST_CATCHES, path, step.catch)
    for index, catch in enumerate(step.catch):
        place = f"{path}[{index}]"
        if index and not step.catch[index - 1].on:
            yield Problem(place, "is never reached: the one before it has no `on` and takes every kind", "put it first")
        elif catch.on and {*catch.on} <= {kind for earlier in step.catch[:index] for kind in earlier.on}:
            yield Problem(place, f"is never reached: those before it take {', '.join(catch.on)}", "take it out, or name other kinds")
        yield from kinds(f"{place}.on", catch.on, CAUGHT)
        if (catch.step is None) == (catch.outputs is None):
            yield Problem(place, "must have one of `step` and `outputs`", "what is to follow: another step, or outputs in place of its own")
        elif catch.outputs is not None:
            yield from fixed_outputs(f"{place}.outputs", catch.outputs, step)
            yield from _fits(f"{place}.outputs", catch.outputs, room(workflow))
        if catch.step is not None:
            yield from _target(f"{place}.step", catch.step, name, workflow, steps)


def _target(path: str, target: str, name: str, workflow: Workflow, steps: Mapping[str, Step]) -> Iterator[Problem]:
    if target == name:
        yield Problem(path, f"`{name}` catches with itself", "use `retry` to try it again")
    elif target not in steps:
        yield _not_there(path, target, name, workflow, steps)
    elif "failed" not in steps[target].accepted.get(name, ("failed",)):
        hint = f"take {name} out of its `needs`: it waits for {name} anyway"
        yield Problem(path, f"`{target}` needs `{name}` to succeed, and would never run when it has failed", hint)


def _targets(workflow: Workflow) -> Iterator[Problem]:
    """A step is caught with by one other step at most."""
    catchers: dict[str, str] = {}
    for folder, steps in (("steps", workflow.steps), ("finally", workflow.last)):
        for name, step in steps.items():
            for index, catch in enumerate(step.catch):
                if catch.step is not None and (first := catchers.setdefault(catch.step, name)) != name:
                    message = f"`{first}` already catches its failure with `{catch.step}`, and a step waits for one catch"
                    yield Problem(f"{folder}.{name}.catch[{index}].step", message, "give it a step of its own")


def _never_both(path: str, step: Step, workflow: Workflow) -> Iterator[Problem]:
    """A step that catches runs only when the one before it has failed: whoever needs both to succeed never runs."""
    for need, endings in step.accepted.items():
        first = catcher(workflow, need) if need in workflow.every_step else None
        if first is not None and first in step.accepted and "failed" not in step.accepted[first] and "skipped" not in endings:
            message = f"`{need}` runs when `{first}` has failed, and this step needs both to succeed: it would never run"
            yield Problem(path, message, f"say needs: {{{need}: [succeeded, skipped], {first}: [succeeded, failed]}}")


def _cycles(workflow: Workflow) -> Iterator[Problem]:
    for cycle in cycles(workflow):
        if len(cycle) > 2:  # a step that needs itself has been told so
            folder = "steps" if cycle[0] in workflow.steps else "finally"
            yield Problem(f"{folder}.{cycle[0]}.needs", f"the steps wait for each other: {' → '.join(cycle)}", _way_out(cycle, workflow))


def _way_out(cycle: Iterable[str], workflow: Workflow) -> str:
    catching = any(catch.step is not None for name in cycle for catch in workflow.every_step[name].catch)
    return "a catch's step waits, too: take one of these needs or catches out" if catching else "take one of these needs out"
