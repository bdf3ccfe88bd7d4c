"""What docs/maps.md shows works as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

from loadme.core import lanes
from loadme.core.state import Expansion, StepState
from loadme.handlers import collect, expand
from loadme.handlers.shown import counts
from tests.unit.test_maps import drained, fail, step_of, succeed
from tests.world import World, attempt_id

PAGE = (Path(__file__).parents[2] / "docs" / "maps.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_runs_and_its_last_step_sees_what_the_items_gave_and_which_were_bad():
    world = World(EXAMPLE)
    run = world.start("convert-all", files=[f"{number}.csv" for number in range(20)])
    drained(world)
    for item in range(20):
        if item not in (7, 17):
            succeed(world, run, item, "convert", rows=item)
    for attempt in (1, 2, 3):
        fail(world, run, 7, "convert", attempt)
        world.live(0.1)
    succeed(world, run, 17, "convert", rows=17)  # its lane goes on behind the item that failed
    environment = world.environment(attempt_id(run, "report"))
    assert json.loads(environment["BAD"]) == ["7.csv"]
    assert json.loads(environment["ROWS"]) == [None if item == 7 else item for item in range(20)]
    assert step_of(world, run, "convert")["items"]["failed"] == 1


def test_the_page_names_the_limits_that_the_code_has():
    assert f"at most {lanes.MOST_LANES}, which is also" in PAGE
    assert f"at most {expand.MOST_ITEMS:,}, and {expand.MOST_BYTES // 1_000_000} MB" in PAGE
    assert f"together they may have {collect.MOST_BYTES // 1_000_000} MB" in PAGE


def test_the_page_names_every_count_that_a_run_shows():
    shown = counts(StepState(status="succeeded", map=Expansion(count=1, lanes=1)), ())
    assert shown is not None
    assert [name for name in shown if f"`{name}`" not in PAGE] == []
