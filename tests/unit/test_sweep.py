"""The sweep: what nobody remembers goes, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from loadme.core import ids
from loadme.core.arm import Deployment, Group
from loadme.core.state import Run
from loadme.errors import Terminal
from loadme.handlers import queries
from loadme.handlers.patrol import patrol
from tests.world import World, attempt_id, launched

ONE = "name: sample\nsteps: {only: {image: img}}"
OLD = ids.base32(0, 20)


def group(world: World, name: str, **tags: str) -> str:
    """A container group that nobody knows how it came there, and its deployment's record."""
    world.arm.container_groups[name] = Group(name, "Succeeded", "Running", tags={f"loadme-{tag}": value for tag, value in tags.items()})
    return name


def forgotten(world: World, step: str = "only") -> str:
    """A container group of this app's, of a run that does not exist."""
    return group(world, f"lm-{OLD}-{step}-0-1", app="loadme", run=OLD, step=step, item="0", attempt="1")


def swept(world: World) -> set[str]:
    """The container groups that are left after a sweep."""
    world.pass_time(world.services.settings.policy.sweep_period + 1)
    patrol(world.services)
    return set(world.arm.container_groups)


def over() -> tuple[World, Run]:
    """A run that is over and of which nothing is left."""
    world, run, attempt = launched(ONE)
    world.arm.finish(attempt, at=world.moment)
    world.live(0.3)
    world.assert_nothing_left()
    return world, run


def test_a_group_of_a_run_that_does_not_exist_is_deleted():
    world = World(ONE)
    forgotten(world)
    assert swept(world) == set()


def test_a_group_without_tags_of_an_unknown_run_may_be_another_apps_and_is_only_counted():
    world = World(ONE)
    name = group(world, f"lm-{OLD}-only-0-1")
    world.arm.deployments[name] = Deployment(name, "Failed")
    assert swept(world) == {name}
    assert world.arm.deployments != {}
    found: Any = queries.health(world.services, "1")["patrol"]
    assert found["unknown_groups"] == 1


def test_a_group_that_came_back_after_its_cleanup_is_deleted_at_once():
    world, run = over()
    group(world, attempt_id(run, "only"))
    assert swept(world) == set()


def test_a_group_of_an_attempt_that_was_never_launched_is_deleted_when_its_run_is_old():
    world, run = over()
    name = group(world, attempt_id(run, "only", attempt=2))
    assert swept(world) == {name}
    world.pass_time(3600)
    assert swept(world) == set()


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("web", {}),
        ("lm-web", {}),
        (f"lm-{OLD}-only", {}),
        (f"lm-{OLD}-only-0-1", {"app": "another", "run": OLD, "step": "only", "item": "0", "attempt": "1"}),
        ("web", {"app": "loadme"}),
    ],
)
def test_what_is_not_ours_is_left_alone(name, tags):
    world = World(ONE)
    group(world, name, **tags)
    assert swept(world) == {name}


def test_a_group_at_work_and_one_that_is_being_cleaned_up_are_left_alone():
    world, _, attempt = launched(ONE)
    world.arm.start(attempt, at=world.moment)
    assert swept(world) == {attempt}
    world.calls("arm", "delete_group", Terminal("locked"))
    world.report(attempt)
    world.live(0.1)
    assert swept(world) == {attempt}


def test_a_group_that_cannot_be_deleted_does_not_keep_the_others():
    world = World(ONE)
    first, second = (forgotten(world, step) for step in "ab")
    world.arm.errors["delete_group"] = [Terminal("locked")]
    assert swept(world) == {first}
    assert swept(world) == set()
    assert second not in world.arm.container_groups


def test_old_records_of_deployments_go_and_those_of_others_stay():
    world, run = over()
    ours, unknown, foreign = attempt_id(run, "only"), f"lm-{OLD}-only-0-1", "web-1"
    for name in (ours, unknown, foreign):
        world.arm.deployments[name] = Deployment(name, "Succeeded")
    swept(world)
    assert set(world.arm.deployments) == {unknown, foreign}


def test_what_the_patrol_found_is_counted_and_shown():
    world = World(ONE)
    forgotten(world)
    swept(world)
    found: Any = queries.health(world.services, "1")["patrol"]
    assert (found["leaked_groups"], found["at"][:4]) == (1, "2030")


def test_two_sweeps_at_once_are_one():
    world, others = World(ONE), []
    forgotten(world)
    world.pass_time(601)
    listed = world.calls("arm", "groups")
    world.before("write", 1, lambda: others.append(patrol(world.services)))
    patrol(world.services)
    assert (len(listed), len(others)) == (1, 1)


def test_a_row_that_cannot_be_read_does_not_keep_the_others():
    world, run = over()
    group(world, attempt_id(run, "only"))
    forgotten(world)
    row = world.tables.read(run.id, "i~only~00000")
    assert row is not None
    world.tables.write([replace(row, body=b"junk")])
    assert swept(world) == {attempt_id(run, "only")}


def test_a_busy_patrol_sweeps_all_the_same():
    world = World(ONE)
    forgotten(world)
    world.start()
    real = world.tables.list

    def slow(*args: Any, **named: Any) -> Any:
        world.pass_time(40)
        return real(*args, **named)

    world.tables.list = slow
    assert swept(world) == set()
