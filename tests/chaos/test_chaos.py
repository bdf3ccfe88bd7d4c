"""Runs over the local cloud while its parts are killed: a small trial; `make chaos` is the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.plan import make_plan
from tests.chaos.trial import run_trial


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the worker in /proc, which only Linux has")
def test_every_run_ends_right_and_nothing_is_left_whatever_is_killed(tmp_path: Path) -> None:
    plan = make_plan(runs=12, seed=1, pace=1.5, pause=1.5, drain=75.0, host=3, worker=2, storage=1)

    report = run_trial(plan, tmp_path)

    assert report.runs == 12
    assert report.kills == {"host": 3, "worker": 2, "storage": 1}
    assert not report.wrong, report.text()
