"""The chaos harness itself: a trial that would call a wrong run right proves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from tests.chaos.expected import WORKFLOWS, expected
from tests.chaos.monkey import children
from tests.chaos.plan import make_plan
from tests.chaos.report import Report
from tests.chaos.verdict import Found, verdict

RUN = "01m82000000000000000"
WANTED = ("first", "second", "third")


def shown(**changes: Any) -> dict[str, Any]:
    """A run of the chain with n = 5, as it should be shown at its end."""
    right = {
        "status": "succeeded",
        "outputs": {"a": 6, "b": 12, "c": 17},
        "error": None,
        "steps": [{"name": name, "status": "succeeded"} for name in WANTED],
    }
    return {**right, **changes}


def found(**changes: Any) -> Found:
    """What a trial found that has had this run only."""
    starts = {f"lm-{RUN}-{step}-0-1": 1 for step in WANTED}
    right: dict[str, Any] = {"runs": {5: RUN}, "shown": {RUN: shown()}, "starts": starts, "listed": [RUN], "left": {}}
    return Found(**{**right, **changes})


def test_a_run_that_ended_as_it_must_is_right() -> None:
    assert verdict(found()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shown": {RUN: shown(status="failed")}}, "status 'failed' instead of 'succeeded'"),
        ({"shown": {RUN: shown(outputs={"a": 6, "b": 12, "c": 18})}}, "outputs"),
        ({"shown": {RUN: shown(error={"step": "first", "kind": "infrastructure", "exit_code": None})}}, "error"),
        ({"shown": {RUN: shown(steps=[{"name": "third", "status": "skipped"}])}}, "skipped steps"),
        ({"shown": {}}, "cannot be read"),
        (
            {"starts": {f"lm-{RUN}-{step}-0-1": count for step, count in zip(WANTED, (1, 2, 1), strict=True)}},
            "second-0-1 was started 2 times",
        ),
        ({"starts": {f"lm-{RUN}-{step}-0-1": 1 for step in WANTED[:2]}}, "third-0-1 was never started"),
        ({"starts": {f"lm-{RUN}-{step}-0-{attempt}": 1 for step in WANTED for attempt in (1, 2)}}, "third-0-2 should not have been"),
        ({"listed": []}, f"{RUN} is not listed"),
        ({"listed": [RUN, "another"]}, "another is listed, but nobody was told of it"),
        ({"left": {"queue loadme-checks": 3}}, "3 left of: queue loadme-checks"),
    ],
)
def test_whatever_is_wrong_is_said(changes: dict[str, Any], said: str) -> None:
    wrong = verdict(found(**changes))

    assert [line for line in wrong if said in line], wrong


def test_every_workflow_has_an_end_of_its_own_for_every_number() -> None:
    ends = [str(expected(workflow, n)) for workflow in WORKFLOWS for n in (1, 2)]

    assert len({*ends}) == len(ends) - 1  # what vanished without a word has no number to tell


def test_the_same_seed_makes_the_same_plan_with_all_that_was_asked_for() -> None:
    first, again, other = (
        make_plan(runs=9, seed=seed, pace=1, pause=2, drain=3, host=4, worker=3, storage=2, both=1) for seed in (7, 7, 8)
    )

    assert first == again
    assert first.strikes != other.strikes
    assert sorted(strike.kind for strike in first.strikes) == sorted(
        ["host"] * 4 + ["worker"] * 3 + ["storage"] * 2 + ["host and storage"],
    )
    assert all(1 <= strike.pause <= 3 and 0 <= strike.down <= 2 for strike in first.strikes)


def test_only_its_own_children_are_found() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in children(os.getpid())
        assert os.getpid() not in children(os.getpid())
        child.kill()

    assert child.pid not in children(os.getpid())


def test_the_report_says_what_is_wrong_and_never_that_all_is_right_then() -> None:
    report = Report(runs=1, containers=3, extra_starts=0, kills={"host": 2}, revived=0, posts=1, storm=1, drain=2, durations=[4, 8, 90])

    assert "runs accepted, each ended right | 1" in report.text()
    assert "| a run's seconds, median | 8 |" in report.text()
    assert "| a run's seconds, slowest | 90 |" in report.text()
    assert "| kills: host | 2 |" in report.text()
    wrong = Report(runs=1, containers=3, extra_starts=0, kills={}, revived=0, posts=1, storm=1, drain=2, wrong=["it is lost"])
    assert "each ended right" not in wrong.text()
    assert "- it is lost" in wrong.text()
