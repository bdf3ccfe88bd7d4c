"""The pages for those who come from elsewhere: what they show is what ships, it does what they say, and the keys that they name exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from loadme.cli.commands import loadme
from loadme.core.state import Run
from loadme.definitions.schema import text as schema_text
from loadme.definitions.workflow_files import load
from loadme.handlers.callback import failure
from tests.world import World, attempt_id

ROOT = Path(__file__).parents[2]
PIPELINES = {"step-functions": "ship-order", "argo": "build-package", "airflow": "load-day"}
PAGES = {peer: (ROOT / "docs" / f"migrating-from-{peer}.md").read_text("utf-8") for peer in PIPELINES}
FILES = {name: (ROOT / "workflows" / f"{name}.yaml").read_text("utf-8") for name in PIPELINES.values()}


class Pipeline:
    """A run of a workflow that ships; the test is what its containers do."""

    def __init__(self, name: str, **variables: Any) -> None:
        self.world = World(FILES[name])
        self.run: Run = self.world.start(name, **variables)

    def launched(self, step: str, item: int = 0, attempt: int = 1) -> str:
        """The attempt's name, once its container works; fails if that takes more than four minutes."""
        name = attempt_id(self.run, step, item, attempt)
        for _ in range(48):
            if name in self.world.arm.container_groups:
                self.world.arm.start(name, at=self.world.moment)
                return name
            self.world.drain(within=5)
        raise AssertionError(f"{name} was not launched: {self.statuses()}")

    def do(self, step: str, item: int = 0, attempt: int = 1, **outputs: Any) -> dict[str, str]:
        """The container gives back these outputs; the answer is what its environment was."""
        name = self.launched(step, item, attempt)
        self.world.report(name, **outputs)
        self.ended(name)
        return self.world.environment(name)

    def fail(self, step: str, kind: str, item: int = 0, attempt: int = 1) -> None:
        """The container reports a failure of this kind."""
        name = self.launched(step, item, attempt)
        failure(self.world.services, self.world.call(name, {"kind": kind, "message": "it is so"}))
        self.ended(name)

    def ended(self, name: str) -> None:
        self.world.arm.finish(name, at=self.world.moment)
        self.world.drain(within=1)

    def statuses(self) -> dict[str, str]:
        return dict(self.world.statuses(self.run))

    @property
    def status(self) -> str:
        return str(self.world.show(self.run)["status"])


@pytest.mark.parametrize(("peer", "name"), PIPELINES.items())
def test_a_page_shows_the_file_that_ships(peer: str, name: str) -> None:
    [shown] = re.findall(r"^```yaml\n(.*?)^```$", PAGES[peer], re.MULTILINE | re.DOTALL)
    first, second, rest = FILES[name].split("\n", 2)

    assert shown == rest
    assert (first[:1], second) == ("#", f"# Explained in docs/migrating-from-{peer}.md.")


@pytest.mark.parametrize("peer", PIPELINES)
def test_a_page_says_for_whom_it_is_what_is_called_what_how_it_runs_and_what_is_different(peer: str) -> None:
    headings = re.findall(r"^## (.+)$", PAGES[peer], re.MULTILINE)

    assert headings == ["What is called what", "The pipeline", "On a laptop", "What is different"]
    assert f"loadme start {PIPELINES[peer]}" in PAGES[peer]
    assert re.search(r"^For whoever ", PAGES[peer], re.MULTILINE)


@pytest.mark.parametrize("peer", PIPELINES)
def test_the_keys_on_our_side_of_a_table_exist(peer: str) -> None:
    table = PAGES[peer].partition("## What is called what")[2].partition("\n## ")[0]
    ours = [re.split(r"(?<!\\)\|", line)[2] for line in table.splitlines() if line.startswith("| ")][1:]
    named = {word for cell in ours for code in re.findall(r"`([^`]+)`", cell) for word in re.findall(r"^([a-z_]+):?(?=$| |\()", code)}
    words = {"item", "index", "loadme", "failed", "succeeded", "cancelled", "exit_code", "timed_out", "last", "commit", "default_args"}
    other = words | set(loadme.commands)

    assert len(named) > 10
    assert named - other <= keys(json.loads(schema_text())) | {"variables"}


def keys(schema: Any) -> set[str]:
    """All names of properties in a JSON Schema, at any depth."""
    if isinstance(schema, list):
        return {name for one in schema for name in keys(one)}
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", {})) | {name for one in schema.values() for name in keys(one)}


def test_the_schedule_that_is_commented_out_is_a_good_one() -> None:
    workflow, problems = load(FILES["load-day"].replace("# schedules:", "schedules:"), "load-day.yaml")

    assert problems == []
    assert workflow is not None
    assert [one.timezone for one in workflow.schedules] == ["Europe/Vienna"]


def test_an_order_is_shipped_without_the_fifth_of_its_lines_that_is_missing() -> None:
    order = Pipeline("ship-order")
    assert order.do("check", 0, grams=350)["SKU"] == "R31"
    order.fail("check", "stock-is-locked", 2)
    order.fail("check", "not-in-stock", 1)
    assert order.do("check", 2, 2, grams=80)["SKU"] == "B12"
    order.do("check", 3, grams=500)
    order.do("check", 4, grams=1050)

    assert order.do("ship", parcels=4, grams=1980)["WEIGHTS"] == "[350,null,80,500,1050]"
    assert (order.statuses(), order.status) == ({"check": "succeeded", "put-back": "skipped", "ship": "succeeded"}, "succeeded")


def test_an_order_of_which_more_is_missing_is_put_back_and_other_failures_fail_the_run() -> None:
    order = Pipeline("ship-order")
    order.fail("check", "not-in-stock", 0)
    order.do("check", 1, grams=1)
    order.fail("check", "not-in-stock", 2)
    for item in (3, 4):  # began before that was known
        order.do("check", item, grams=1)
    assert order.do("put-back", missing=["R31", "B12"])["MISSING"] == '["R31","B12"]'
    assert (order.statuses(), order.status) == ({"check": "failed", "put-back": "succeeded", "ship": "skipped"}, "succeeded")

    broken = Pipeline("ship-order", lines=[{"sku": "R31", "quantity": 1}])
    broken.fail("check", "no-such-table")
    assert (broken.statuses()["put-back"], broken.status) == ("skipped", "failed")


@pytest.mark.parametrize(("broken", "told"), [(False, "celebrate"), (True, "complain")])
def test_a_build_is_told_of_however_it_ends(broken: bool, told: str) -> None:
    build = Pipeline("build-package", broken=broken)
    build.do("fetch", commit="abc")
    assert build.do("compile", kilobytes=30)["COMMIT"] == "abc"
    if broken:
        build.fail("check", "exit_code")
    else:
        build.do("check")
        assert build.do("package", package="abc.tar")["KILOBYTES"] == "30"
    assert build.do("tell")["STATUS"] == ("failed" if broken else "succeeded")
    assert build.do(told).get("PACKAGE") == (None if broken else "abc.tar")

    statuses = build.statuses()
    assert (statuses["package"] == "skipped", build.status == "failed") == (broken, broken)
    assert {statuses["celebrate"], statuses["complain"]} == {"succeeded", "skipped"}
    last = {step["name"] for step in build.world.show(build.run)["steps"] if step["finally"]}
    assert last == {"tell", "celebrate", "complain"}


@pytest.mark.parametrize("branch", ["everything", "changes", "nothing"])
def test_the_branches_of_a_load_join_if_one_was_taken(branch: str) -> None:
    load_day = Pipeline("load-day", day="2026-11-08")
    load_day.do("choose", branch=branch)
    if branch != "nothing":
        load_day.do(branch, rows=7)
        assert load_day.do("join", page="7 rows")["ROWS"] == "7"
    load_day.do("tidy")

    others = {"everything", "changes"} - {branch}
    assert {name for name, status in load_day.statuses().items() if status == "skipped"} == others | (
        {"join"} if branch == "nothing" else set()
    )
    assert load_day.status == "succeeded"


def test_a_branch_that_fails_keeps_the_join_from_running() -> None:
    load_day = Pipeline("load-day", day="2026-11-02")
    load_day.do("choose", branch="changes")
    for attempt in (1, 2, 3):
        load_day.fail("changes", "failed", attempt=attempt)
    load_day.do("tidy")

    assert (load_day.statuses()["join"], load_day.status) == ("skipped", "failed")
