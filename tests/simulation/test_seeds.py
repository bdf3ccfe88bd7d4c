"""Many worlds, each from its seed: whatever goes wrong, every accepted run ends as its containers did, and nothing is left."""

from __future__ import annotations

import os
from random import Random

import pytest

from loadme.definitions import validation
from loadme.definitions.catalogue_rules import unfit
from tests.simulation import language
from tests.simulation.invariants import check
from tests.simulation.scenarios import simulate

SEEDS = int(os.environ.get("LOADME_SEEDS", "1000"))
PLAIN, WHOLE = SEEDS // 2, SEEDS // 4
"""Worlds of containers one after the other, which meet more of what Azure does, and worlds of the whole language, which take longer."""
BATCH = 25
FOUND = (
    (2, "two passes of one cleanup: a place that was given back was taken again, for an hour"),
    (22, "a create that came long after its grant was not counted, so that there were more than the quota allows"),
    (36, "a start that stood still before it stored its run: the patrol dropped the run's row, and never heard of the run"),
    (140, "cleanup did not wait for a PUT without an answer when a later one of the same attempt was answered"),
    (505, "a run that was cancelled while its PUT was on its way: cleanup did not wait for that"),
    (782, "a container group was asked for before its deployment: it had come between the two, and was taken for vanished"),
    (884, "as 36, and the run stood still for ever"),
    (1084, "a step that was declined after a failure: its next attempt did not wait for the group of the one before"),
    (1801, "a resume that stood still: whoever let go of the run deleted the row that the resume had written"),
    (2484, "as 140"),
)
"""Seeds that found a bug, and which. They are played first."""


@pytest.mark.parametrize(("seed", "found"), FOUND)
def test_what_was_found_once_stays_mended(seed: int, found: str) -> None:
    assert found
    check(simulate(seed))


@pytest.mark.parametrize("first", range(0, PLAIN, BATCH))
def test_every_run_ends_as_its_containers_did_and_nothing_is_left(first: int) -> None:
    for seed in range(first, min(first + BATCH, PLAIN)):
        check(simulate(seed))


@pytest.mark.parametrize("first", range(0, WHOLE, BATCH))
def test_every_step_of_the_whole_language_ends_as_its_items_did(first: int) -> None:
    for seed in range(first, min(first + BATCH, WHOLE)):
        check(language.simulate(seed))


def test_the_worlds_say_only_what_a_workflow_file_may_say() -> None:
    for seed in range(100):
        workflows = {one.name: one for one in language.draw(Random(seed), ("flow", "other"), has_groups=True)}  # noqa: S311
        assert not [problem for one in workflows.values() for problem in validation.check(one)]
        assert not unfit(workflows, {})


def test_the_worlds_have_all_that_the_language_has() -> None:
    worlds = [language.simulate(seed) for seed in range(60)]
    runs = [run for world in worlds for run in world.tables.runs.values()]
    steps = [step for run in runs for step in run.steps.values()]
    maps = [step.map for step in steps if step.map is not None]
    assert {run.status for run in runs} == {"succeeded", "failed", "cancelled", "skipped"}
    assert {step.handled.partition(":")[0] for step in steps} == {"", "continue", "outputs", "step"}
    assert {len(run.ancestors) for run in runs} == {0, 1, 2}
    assert any(run.cancel is not None and run.cancel.kind == "timed_out" for run in runs)
    assert any(run.cancel is not None and run.cancel.force for run in runs)
    assert any(run.group and run.generation for run in runs)
    assert {True, False} == {one.is_failing for one in maps} == {one.keeps for one in maps}
    assert {0, 12} <= {one.count for one in maps}
    assert {"accepted", "kept"} == {told.said for world in worlds for told in world.told}
    sources = {item.outcome.source for world in worlds for item in world.tables.attempts.values() if item.outcome}
    assert sources == {"callback", "check", "launch", "cancel", "signal", "run", "timer"}


def test_the_same_seed_gives_the_same_history() -> None:
    for seed in range(5):
        assert simulate(seed).history == simulate(seed).history
        assert language.simulate(seed).history == language.simulate(seed).history
    assert simulate(7).history != simulate(8).history


def test_the_worlds_are_as_bad_as_they_are_meant_to_be() -> None:
    worlds = [simulate(seed) for seed in range(40)]
    words = {line.split()[1] for world in worlds for line in world.history}
    assert {"fault", "killed", "error", "refused", "put", "delete", "reported", "resumed", "cancelled", "deleted", "refusal"} <= words
    assert sum(line.split()[1] == "fault" for world in worlds for line in world.history) > 200
