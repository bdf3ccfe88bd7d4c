"""Every key of a workflow file changes what happens: an engine that ignored one would be found here.

Each example of docs/workflow-reference.md, and some workflows of its own, are played in a few ways, as they are and with one key as if it
were not there. What is deployed, when and how it ends must differ in at least one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from loadme.definitions import definition, groups
from loadme.definitions.definition import Workflow
from loadme.definitions.descriptions import DESCRIPTIONS
from loadme.errors import LoadmeError
from loadme.handlers import callback, queries, schedules
from tests.unit.test_reference import VALUES, answer, outputs, structs, world
from tests.world import World

Key = tuple[type, str]

TOLD: dict[Key, str] = {
    (definition.Workflow, "name"): "what it is called",
    (definition.Workflow, "version"): "there is one",
    (definition.Workflow, "description"): "for people",
    (definition.Workflow, "steps"): "all else is in them",
    (definition.Variable, "description"): "for people",
    (definition.Output, "description"): "for people",
    (definition.Wait, "assignee"): "for people",
    (groups.Volume, "empty"): "a volume that is neither of the others is empty",
}
"""What is only shown."""

MORE = """
name: one-at-a-time
max_parallel: 1
steps: {a: {image: i}, b: {image: i}}
---
name: in-time
timeout: 20m
steps: {a: {image: i, timeout: 3h}}
---
name: anywhere
defaults: {locations: [westeurope, westus], priority: spot}
steps: {a: {image: i}}
---
name: somewhere
steps: {a: {image: i, locations: [northeurope, westus]}}
---
name: in-the-original-manner
defaults: {callback: url}
steps: {a: {image: i}, b: {image: i, callback: token}}
---
name: not-at-all
steps: {a: {image: i, if: "${{ false }}"}}
---
name: two-by-two
steps: {many: {image: i, for_each: [1, 2, 3, 4], max_parallel: 2}}
---
name: tolerant
steps: {many: {image: i, for_each: [1, 2, 3, 4], max_parallel: 1, tolerate: 3}}
---
name: from-the-log
steps: {a: {image: i, outputs: {rows: integer}, outputs_from: log}}
---
name: heard-of
steps: {a: {image: i, timeout: 3h, heartbeat: 2m}}
---
name: goes-on
steps: {a: {image: i, on_error: continue}, b: {image: i, needs: [a]}}
---
name: perhaps
steps: {a: {image: i, outputs: {n: {type: integer, required: false}}}}
---
name: unanswered
steps: {a: {wait: {timeout: 30m}}, b: {wait: {timeout: 30m, default: {ok: true}}, outputs: {ok: boolean}}}
---
name: patient
steps: {a: {image: i, retry: {attempts: 5, delay: 10m, factor: 2, max_delay: 11m, jitter: none}}}
---
name: particular
steps: {a: {image: i, retry: {attempts: 3, delay: 1s, on: [image]}}}
---
name: only-one
concurrency: {group: g, on_conflict: skip}
steps: {a: {image: i}}
---
name: by-the-clock
schedules: [{cron: "0 30 13 * * *", variables: {x: b}, catch_up: last}]
variables: {x: a}
steps: {a: {image: i}}
"""

OTHER: dict[Key, Any] = {(definition.Schedule, "cron"): "0 0 0 1 1 *", (definition.Concurrency, "group"): "${{ run.id }}"}
"""In the place of a key that must be there; any other text has an `x` added."""


def succeeding(made: World, attempt: str) -> None:
    found = made.environment(attempt)
    made.report(attempt, **outputs(made.services.catalogue.workflows[found["LOADME_WORKFLOW"]], found["LOADME_STEP"]))


def failing(made: World, attempt: str) -> None:
    callback.failure(made.services, made.call(attempt, {"kind": "failed", "message": "no"}))


def exiting(made: World, attempt: str) -> None:
    made.arm.finish(attempt, 3, '::{"outputs":{"rows":3}}::', made.moment)


def logging(made: World, attempt: str) -> None:
    made.arm.finish(attempt, 0, '::{"outputs":{"rows":3}}::', made.moment)


def without_room(made: World, attempt: str) -> None:
    made.arm.fail_deployment(attempt, "ServiceUnavailable", "no room")


def lost(made: World, attempt: str) -> None:
    made.arm.fail_deployment(attempt, "InternalServerError", "sorry")


def mixed(made: World, attempt: str) -> None:
    """Odd items and later steps fail, and what has failed once succeeds."""
    found = made.environment(attempt)
    is_odd = (int(found["LOADME_ITEM"]) + len(found["LOADME_STEP"])) % 2 == 1
    (failing if is_odd and found["LOADME_ATTEMPT"] == "1" else succeeding)(made, attempt)


def silent(made: World, attempt: str) -> None:
    made.arm.start(attempt, made.moment)


WAYS: dict[Callable[[World, str], None], bool] = {
    succeeding: True, failing: True, mixed: True, silent: False, logging: True, exiting: True, without_room: True, lost: True,
}  # fmt: skip
"""What each container does, and whether somebody answers what waits."""


def played(workflows: Mapping[str, Workflow], name: str, way: Callable[[World, str], None]) -> list[Any]:
    """What is deployed and when, and how two runs of the workflow that begin together end."""
    made = world(*MORE.split("---"))
    made.services.catalogue.workflows.update(workflows)
    trace: list[Any] = []
    deploy = made.arm.deploy

    def seen(attempt: str, spec: str, parameters: Mapping[str, Any]) -> None:
        trace.append((made.moment, attempt, spec, dict(parameters)))
        deploy(attempt, spec, parameters)

    made.arm.deploy = seen  # type: ignore[method-assign]
    required = {key: VALUES[one.type] for key, one in all_of_them()[name].variables.items() if one.is_required}
    started = []
    for given in (required, required, {}, dict.fromkeys(workflows[name].variables, "no such value"), {**required, "surplus": 1}):
        try:
            started.append(made.start(name, **given).id)
        except LoadmeError as refused:
            trace.append(str(refused))
    done: set[str] = set()
    for _ in range(40):
        made.live(1 / 12)
        for attempt in sorted(set(made.arm.container_groups) - done):
            done.add(attempt)
            with suppress(LoadmeError):
                way(made, attempt)
        shown = [queries.get_run(made.services, run) for run in started]
        for run in shown if WAYS[way] else ():
            answer(made, run)
        if not workflows[name].schedules and all(run["status"] not in ("queued", "running") for run in shown):
            break
    if workflows[name].schedules:
        made.pass_time(36 * 3600.0)
        made.live(0.1)
        listed = queries.list_runs(made.services, queries.Query())["runs"]
        trace += [queries.get_run(made.services, run["id"])["variables"] for run in listed]
    trace += [_end(queries.get_run(made.services, run)) for run in started]
    trace += [one["next"] for one in schedules.list_schedules(made.services)["schedules"]]
    return trace


def _end(run: Mapping[str, Any]) -> Any:
    steps = [[step["name"], step["status"], step["ended_at"], step["outputs"], step["error"]] for step in run["steps"]]
    return run["status"], run["ended_at"], run["outputs"], run["error"], run["variables"], steps


@cache
def all_of_them() -> Mapping[str, Workflow]:
    return world(*MORE.split("---")).services.catalogue.workflows


@cache
def as_it_is(name: str, way: Callable[[World, str], None]) -> list[Any]:
    return played(all_of_them(), name, way)


def without(value: Any, key: Key) -> Any:
    """The value, and all in it, with the key as if it were not there."""
    if isinstance(value, dict):
        return {name: without(one, key) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(without(one, key) for one in value)
    if not isinstance(value, msgspec.Struct):
        return value
    changed = replace(value, **{name: without(getattr(value, name), key) for name in value.__struct_fields__})
    return replace(changed, **{key[1]: _nothing(value, key)}) if type(value) is key[0] else changed


def _nothing(value: msgspec.Struct, key: Key) -> Any:
    field = next(one for one in msgspec.structs.fields(key[0]) if one.name == key[1])
    if field.default is not msgspec.NODEFAULT:
        return field.default
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return OTHER.get(key) or f"{getattr(value, key[1])}x"


def keys() -> Iterator[Key]:
    for cls in DESCRIPTIONS:
        for field in msgspec.structs.fields(cls):
            if (cls, field.name) not in TOLD:
                yield cls, field.name


def users(key: Key) -> Iterator[str]:
    """The workflows that have the key, and not with its default; those of this file first, which are small."""
    for name, workflow in reversed(all_of_them().items()):
        if any(type(one) is key[0] and getattr(one, key[1]) != _nothing(one, key) for one in structs(workflow)):
            yield name


@pytest.mark.parametrize("key", tuple(keys()), ids=lambda key: f"{key[0].__name__}.{key[1]}")
def test_a_key_that_is_ignored_is_missed(key: Key) -> None:
    for name in users(key):
        ignoring = {one: without(workflow, key) for one, workflow in all_of_them().items()}
        for way in WAYS:
            try:
                after = played(ignoring, name, way)
            except Exception:
                return
            if after != as_it_is(name, way):
                return
    pytest.fail("nothing that happens depends on it")


def test_what_is_only_shown_is_little() -> None:
    assert set(TOLD) < {(cls, field.name) for cls in DESCRIPTIONS for field in msgspec.structs.fields(cls)}
    assert groups.Beside in DESCRIPTIONS
