"""What a workflow must keep to beyond the types of its parts."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from loadme.definitions import durations, names, ncrontab
from loadme.definitions.attempt_rules import attempt_rules, silences
from loadme.definitions.checks import at_most, between, environment, parses, plain_keys, secret, slug, steps_at, variable_names
from loadme.definitions.definition import Defaults, Schedule, Step, Workflow
from loadme.definitions.expressions import has_expression
from loadme.definitions.graph_rules import graph_rules
from loadme.definitions.group_rules import group_rules, image, place_rules, size_of_defaults
from loadme.definitions.idle_rules import idle_rules
from loadme.definitions.kind_rules import does, what_it_does
from loadme.definitions.map_rules import MOST_PARALLEL, map_rules
from loadme.definitions.problems import Problem
from loadme.definitions.scopes import disputed_outputs, expression_problems
from loadme.definitions.variable_rules import MOST_OUTPUTS, output_rules, variable_rules
from loadme.definitions.variables import start_problems

MOST_STEPS, MOST_SCHEDULES = 500, 20
MOST_ENVIRONMENT, LONGEST_GROUP, LONGEST_ZONE = 200, 500, 60


def broken_rules(workflow: Workflow, prefix: str) -> list[Problem]:
    """Every rule that is broken, in the order of the file's parts."""
    return [
        *slug("name", workflow.name, names.LONGEST_WORKFLOW),
        *variable_rules(workflow.variables),
        *_schedules(workflow),
        *_defaults(workflow, prefix),
        *_as_a_whole(workflow),
        *_steps(workflow, prefix),
        *silences(workflow),
        *graph_rules(workflow),
        *disputed_outputs(workflow),
        *expression_problems(workflow),
    ]


def _schedules(workflow: Workflow) -> Iterator[Problem]:
    yield from at_most(MOST_SCHEDULES, "schedules", workflow.schedules)
    for index, schedule in enumerate(workflow.schedules):
        yield from _schedule(f"schedules[{index}]", schedule, workflow)


def _schedule(path: str, schedule: Schedule, workflow: Workflow) -> Iterator[Problem]:
    yield from parses(f"{path}.cron", ncrontab.check, schedule.cron)
    yield from _timezone(f"{path}.timezone", schedule.timezone)
    for name, value in schedule.variables.items():
        if has_expression(value):
            yield Problem(f"{path}.variables.{name}", "a schedule's variables are values, expressions are not evaluated in them")
    yield from (problem.under(f"{path}.variables") for problem in start_problems(workflow, schedule.variables))


def _timezone(path: str, name: str) -> Iterator[Problem]:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        like = get_close_matches(name[:LONGEST_ZONE], available_timezones(), n=1, cutoff=0.8)
        hint = f"did you mean `{like[0]}`?" if like else "write it like Europe/Vienna, America/New_York or UTC"
        yield Problem(path, f"there is no time zone `{name}`", hint)


def _defaults(workflow: Workflow, prefix: str) -> Iterator[Problem]:
    given = workflow.defaults
    yield from size_of_defaults("defaults", given.cpu, given.memory)
    yield from parses("defaults.timeout", durations.seconds, given.timeout)
    yield from _surroundings("defaults", given, prefix)
    yield from attempt_rules("defaults", given)
    yield from place_rules("defaults", given)


def _as_a_whole(workflow: Workflow) -> Iterator[Problem]:
    if workflow.timeout is not None:
        yield from parses("timeout", durations.seconds, workflow.timeout)
    yield from between(1, MOST_PARALLEL, "max_parallel", workflow.max_parallel, "so many containers and workflows run at the same time")
    if workflow.concurrency is not None:
        yield from _group("concurrency.group", workflow.concurrency.group)
    yield from at_most(MOST_OUTPUTS, "outputs", workflow.outputs)
    yield from variable_names("outputs", workflow.outputs)
    for name, value in workflow.outputs.items():
        yield from plain_keys(f"outputs.{name}", value)


def _group(path: str, text: str) -> Iterator[Problem]:
    if not text.strip():
        yield Problem(
            path, "is empty", f"say what must not run twice at once, like {path.rpartition('.')[2]}: load-${{{{ variables.region }}}}"
        )
    elif len(text) > LONGEST_GROUP:
        yield Problem(path, f"has {len(text)} characters, {LONGEST_GROUP} are allowed")


def _steps(workflow: Workflow, prefix: str) -> Iterator[Problem]:
    if not workflow.steps:
        hint = "`finally` runs after them" if workflow.last else ""
        yield Problem("steps", "a workflow has at least one step", hint)
    yield from at_most(MOST_STEPS, "steps", workflow.every_step)
    for path, step in steps_at(workflow):
        yield from slug(path, path.partition(".")[2], names.LONGEST_STEP)
        yield from what_it_does(path, step)
        yield from map_rules(path, step)
        yield from idle_rules(path, step)
        if step.is_container or not does(step):
            yield from _container(path, step, workflow, prefix)
        if step.timeout is not None:
            yield from parses(f"{path}.timeout", durations.seconds, step.timeout)
        yield from attempt_rules(path, step)
        yield from output_rules(path, step, workflow.variables)


def _container(path: str, step: Step, workflow: Workflow, prefix: str) -> Iterator[Problem]:
    if step.image is not None:
        yield from image(f"{path}.image", step.image)
    yield from group_rules(path, step, workflow, prefix)
    yield from _surroundings(path, step, prefix)
    for name in (name for name in step.env if name in workflow.defaults.secrets and name not in step.secrets):
        yield Problem(f"{path}.env.{name}", f"`{name}` is one of the `secrets` of `defaults`, which this would not replace", "rename one")
    yield from place_rules(path, step)


def _surroundings(path: str, given: Step | Defaults, prefix: str) -> Iterator[Problem]:
    """The rules of `env` and `secrets`."""
    yield from at_most(MOST_ENVIRONMENT, f"{path}.env", given.env)
    yield from environment(f"{path}.env", given.env, prefix)
    yield from at_most(MOST_ENVIRONMENT, f"{path}.secrets", given.secrets)
    yield from environment(f"{path}.secrets", given.secrets, prefix)
    for name, place in given.secrets.items():
        yield from secret(f"{path}.secrets.{name}", place)
        if name in given.env:
            yield Problem(f"{path}.secrets.{name}", f"`{name}` stands in `env` as well", "take one out")
