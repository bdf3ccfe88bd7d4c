"""What a workflow must keep to beyond the types of its parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import UNSET

from loadme.definitions import durations, expressions, names, ncrontab
from loadme.definitions.attempt_rules import attempt_rules, silences
from loadme.definitions.definition import Step, Variable, Workflow
from loadme.definitions.expressions import has_expression
from loadme.definitions.graph import cycles
from loadme.definitions.problems import Problem, nearest
from loadme.definitions.scopes import disputed_outputs, expression_problems
from loadme.definitions.values import conforms
from loadme.definitions.variables import matches, start_problems

MOST_STEPS, MOST_VARIABLES, MOST_SCHEDULES, MOST_OUTPUTS = 500, 200, 20, 200
LONGEST_PATTERN = 500
MOST_CORES, MOST_GB = 31.0, 240.0  # of a container group, ACI


def broken_rules(workflow: Workflow, prefix: str) -> list[Problem]:
    """Every rule that is broken, in the order of the file's parts."""
    return [
        *_slug("name", workflow.name, names.LONGEST_WORKFLOW),
        *_variables(workflow.variables),
        *_schedules(workflow),
        *_defaults(workflow, prefix),
        *_steps(workflow, prefix),
        *silences(workflow),
        *_cycles(workflow),
        *disputed_outputs(workflow),
        *expression_problems(workflow),
    ]


def _slug(path: str, name: str, longest: int) -> Iterator[Problem]:
    if (flaw := names.slug_flaw(name, longest)) is not None:
        yield Problem(path, flaw)


def _variables(variables: Mapping[str, Variable]) -> Iterator[Problem]:
    yield from _at_most(MOST_VARIABLES, "variables", variables)
    yield from _variable_names("variables", variables)
    for name, variable in variables.items():
        path = f"variables.{name}"
        if variable.required and variable.default is not UNSET:
            yield Problem(path, "is required and has a default, which would never be used", "drop one of the two")
        pattern_flaw = _pattern_flaw(variable)
        if pattern_flaw is not None:
            yield Problem(f"{path}.pattern", pattern_flaw)
        if variable.default is not UNSET:
            yield from _default(f"{path}.default", variable, pattern_flaw is None)


def _variable_names(path: str, given: Iterable[str]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name in given:
        if (flaw := names.variable_flaw(name)) is not None:
            yield Problem(f"{path}.{name}", flaw)
        elif (other := seen.setdefault(name.lower(), name)) != name:
            yield Problem(
                f"{path}.{name}", f"`{name}` and `{other}` differ only in case, and the environment has both in upper case", "rename one"
            )


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
        yield from (problem.under(path) for problem in expressions.check(default, ("run",)))
    elif has_expression(default):
        yield Problem(path, "an expression inside a list or an object is not evaluated", "let the whole default be one ${{ ... }}")
    elif (flaw := conforms(variable.type, default)) is not None:
        hint = "a variable that may be absent says required: false and no default" if default is None else ""
        yield Problem(path, flaw, hint)
    elif variable.pattern is not None and pattern_fits and not matches(variable.pattern, default):
        yield Problem(path, f"does not match the variable's own pattern {variable.pattern}")


def _schedules(workflow: Workflow) -> Iterator[Problem]:
    yield from _at_most(MOST_SCHEDULES, "schedules", workflow.schedules)
    for index, schedule in enumerate(workflow.schedules):
        path = f"schedules[{index}]"
        yield from _parses(f"{path}.cron", ncrontab.check, schedule.cron)
        for name, value in schedule.variables.items():
            if has_expression(value):
                yield Problem(f"{path}.variables.{name}", "a schedule's variables are values, expressions are not evaluated in them")
        yield from (problem.under(f"{path}.variables") for problem in start_problems(workflow, schedule.variables))


def _defaults(workflow: Workflow, prefix: str) -> Iterator[Problem]:
    yield from _resources("defaults", workflow.defaults.cpu, workflow.defaults.memory)
    yield from _parses("defaults.timeout", durations.seconds, workflow.defaults.timeout)
    yield from _environment("defaults.env", workflow.defaults.env, prefix)
    yield from attempt_rules("defaults", workflow.defaults)


def _steps(workflow: Workflow, prefix: str) -> Iterator[Problem]:
    if not workflow.steps:
        yield Problem("steps", "a workflow has at least one step")
    yield from _at_most(MOST_STEPS, "steps", workflow.steps)
    for name, step in workflow.steps.items():
        path = f"steps.{name}"
        yield from _slug(path, name, names.LONGEST_STEP)
        yield from _needs(path, name, step, workflow)
        yield from _image(f"{path}.image", step.image)
        yield from _resources(path, step.cpu, step.memory)
        yield from _environment(f"{path}.env", step.env, prefix)
        if step.timeout is not None:
            yield from _parses(f"{path}.timeout", durations.seconds, step.timeout)
        yield from attempt_rules(path, step)
        yield from _outputs(path, step, workflow.variables)


def _needs(path: str, name: str, step: Step, workflow: Workflow) -> Iterator[Problem]:
    for index, need in enumerate(step.needs):
        place = f"{path}.needs[{index}]"
        if need == name:
            yield Problem(place, f"`{name}` needs itself")
        elif need not in workflow.steps:
            yield Problem(place, f"unknown step `{need}`", nearest(need, (other for other in workflow.steps if other != name)))
        elif need in step.needs[:index]:
            yield Problem(place, f"`{need}` stands here twice")


def _image(path: str, image: str) -> Iterator[Problem]:
    try:
        text = expressions.literal_text(image)
    except ValueError:
        return  # the expressions' own check says it
    if not image.strip():
        yield Problem(path, "is empty", "name an image, like contoso.azurecr.io/report/list:1.4")
    elif re.search(r"\s", text) and not expressions.is_expression(image):
        yield Problem(path, f"`{image}` has a space in it")


def _resources(path: str, cpu: float | None, memory: float | None) -> Iterator[Problem]:
    """ACI: a container group, which here is one container, has 1 to 31 cores and 1 to 240 GB."""
    if cpu is not None and not 1 <= cpu <= MOST_CORES:
        yield Problem(f"{path}.cpu", f"{cpu:g} cores are not possible on ACI", f"1 to {MOST_CORES:g} are")
    if memory is not None and not 1 <= memory <= MOST_GB:
        yield Problem(f"{path}.memory", f"{memory:g} GB are not possible on ACI", f"1 to {MOST_GB:g} are")


def _environment(path: str, env: Mapping[str, str], prefix: str) -> Iterator[Problem]:
    for name in env:
        if (flaw := names.environment_flaw(name, prefix)) is not None:
            yield Problem(f"{path}.{name}", flaw)


def _outputs(path: str, step: Step, variables: Mapping[str, Variable]) -> Iterator[Problem]:
    yield from _at_most(MOST_OUTPUTS, f"{path}.outputs", step.outputs)
    yield from _variable_names(f"{path}.outputs", step.outputs)
    spelling = {name.lower(): name for name in variables}
    for name in step.outputs:
        if (variable := spelling.get(name.lower(), name)) != name:
            yield Problem(
                f"{path}.outputs.{name}", f"`{name}` and the variable `{variable}` differ only in case", "spell them alike or rename one"
            )
    if step.outputs_from == "log" and not step.outputs:
        yield Problem(f"{path}.outputs_from", "only declared outputs are read from the log, and none is declared", "add `outputs`")


def _cycles(workflow: Workflow) -> Iterator[Problem]:
    for cycle in cycles(workflow):
        if len(cycle) > 2:  # a step that needs itself has been told so
            yield Problem(f"steps.{cycle[0]}.needs", f"the steps wait for each other: {' → '.join(cycle)}", "take one of these needs out")


def _at_most(most: int, path: str, given: Mapping[str, object] | tuple[object, ...]) -> Iterator[Problem]:
    if len(given) > most:
        yield Problem(path, f"has {len(given)}, {most} are allowed")


def _parses(path: str, parse: Callable[[str], object], text: str) -> Iterator[Problem]:
    try:
        parse(text)
    except ValueError as error:
        yield Problem(path, str(error))
