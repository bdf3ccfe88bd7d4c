"""What docs/steps-without-containers.md shows works as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import yaml

from tests.world import World, attempt_id

PAGE = (Path(__file__).parents[2] / "docs" / "steps-without-containers.md").read_text(encoding="utf-8")
EXAMPLES = {yaml.decode(text)["name"]: text for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)}


def test_another_workflow_is_a_step() -> None:
    world = World(EXAMPLES["nightly"], EXAMPLES["load-region"])
    run = world.start("nightly")
    world.drain(within=1)
    child = world.show(run)["steps"][0]["child"]
    assert world.services.tables.read(child, "run") is not None
    world.report(f"lm-{child}-count-0-1", rows=7)
    world.drain(within=2)
    assert world.arm.parameters[attempt_id(run, "report")]["command"] == ["report", "7"]


@pytest.mark.parametrize(("approved", "after"), [(True, "running"), (False, "skipped")])
def test_a_wait_is_answered(approved: bool, after: str) -> None:
    world = World(EXAMPLES["publish"])
    run = world.start("publish")
    world.drain(within=1)
    assert world.signal(run, "approve", approved=approved, note="looks good") == "accepted"
    world.drain(within=1)
    assert world.statuses(run) == {"approve": "succeeded", "publish": after}


def test_nobody_answers() -> None:
    world = World(EXAMPLES["publish"])
    run = world.start("publish")
    world.drain(within=2 * 86_400 + 10)
    assert world.statuses(run) == {"approve": "succeeded", "publish": "skipped"}


def test_each_way_to_sleep() -> None:
    world = World(EXAMPLES["later"])
    run = world.start("later", at="2030-01-01T12:00:30Z")
    for seconds, asleep in ((1, 4), (30, 3), (60, 2), (520, 1), (4800, 0)):
        world.drain(within=seconds)
        assert list(world.statuses(run).values()).count("running") == asleep
    assert world.show(run)["status"] == "succeeded"


def test_the_page_shows_no_other_workflow() -> None:
    assert set(EXAMPLES) == {"nightly", "load-region", "publish", "later"}
