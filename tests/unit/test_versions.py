from __future__ import annotations

import pytest

from loadme.errors import Rejected
from loadme.handlers.versions import list_versions
from tests.world import World, catalogue

ONE = "name: sample\nsteps: {only: {image: img}}"
TWO = "name: sample\nsteps: {only: {image: img}, more: {image: img}}\nfinally: {last: {image: img}}"


def deployed(world: World, *texts: str) -> World:
    """The same app with other workflow files."""
    object.__setattr__(world.services, "catalogue", catalogue(*texts))
    return world


def test_a_workflow_that_never_ran_has_its_current_version():
    (only,) = list_versions(World(ONE).services, "sample")["versions"]
    assert (only["first_seen"], only["steps"], only["is_current"]) == (None, 1, True)


def test_every_definition_that_a_run_was_started_with_is_listed_the_latest_first():
    world = World(ONE)
    first = world.start()
    world.pass_time(60)
    world.start()
    deployed(world, TWO)
    second = world.start()
    assert list_versions(world.services, "sample") == {
        "workflow": "sample",
        "versions": [
            {"digest": second.definition, "first_seen": "2030-01-01T12:01:00.000Z", "steps": 3, "is_current": True},
            {"digest": first.definition, "first_seen": "2030-01-01T12:00:00.000Z", "steps": 1, "is_current": False},
        ],
    }
    assert world.show(first)["definition"] == first.definition != second.definition


def test_a_version_that_comes_back_is_the_old_one():
    world = World(ONE)
    first = world.start()
    deployed(world, TWO).start()
    world.pass_time(60)
    deployed(world, ONE).start()
    current = [one["digest"] for one in list_versions(world.services, "sample")["versions"] if one["is_current"]]
    assert current == [first.definition]
    assert {one["first_seen"] for one in list_versions(world.services, "sample")["versions"]} == {"2030-01-01T12:00:00.000Z"}


def test_a_new_process_records_nothing_twice():
    world = World(ONE)
    run = world.start()
    world.pass_time(60)
    world.services.__post_init__()
    world.services.definitions.get(run.definition)
    world.start()
    (only,) = list_versions(world.services, "sample")["versions"]
    assert only["first_seen"] == "2030-01-01T12:00:00.000Z"


def test_a_workflow_whose_file_is_gone_still_has_its_versions():
    world = World(ONE)
    world.start()
    deployed(world, ONE.replace("sample", "other"))
    (only,) = list_versions(world.services, "sample")["versions"]
    assert not only["is_current"]


def test_an_unknown_workflow_has_none():
    with pytest.raises(Rejected, match="there is no workflow"):
        list_versions(World(ONE).services, "other")
