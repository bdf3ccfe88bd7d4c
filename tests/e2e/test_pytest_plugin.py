"""The pytest plugin as a user has it: a test suite of its own, in a folder outside the checkout, in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from tests.e2e.conftest import CHECKOUT

EXAMPLE = CHECKOUT / "examples" / "testing"

FAILING = """
import steps

def test_a_wrong_expectation(cloud):
    cloud.image("example.azurecr.io/words/split:1", steps.broken)
    run = cloud.start("count-words", text="a").wait()
    assert run.status == "succeeded"

def test_a_run_that_is_refused(cloud):
    cloud.start("count-words", colour="red")

def test_a_run_that_is_left_behind(cloud):
    cloud.image("example.azurecr.io/words/split:1", ["sleep", "600"])
    cloud.add_fault("throttled", skip=1000)
    cloud.start("count-words", text="a")
    cloud.wait_for_call(method="PUT", route="containerGroups/{name}")

def test_a_run_that_a_fault_holds(cloud):
    cloud.add_fault("held")
    cloud.start("count-words", text="a")
    cloud.wait_for_call(method="PUT", route="containerGroups/{name}")

def test_the_next_one_finds_a_clean_cloud(cloud):
    assert cloud.faults() == []
    assert not cloud.clock.state["paused"]

def test_one_that_moves_the_clock_by_more_than_a_token_lives(cloud):
    cloud.clock.advance(90000)

def test_the_next_one_is_at_the_real_time_with_an_app_that_has_good_tokens(cloud):
    cloud.image("example.azurecr.io/words/split:1", steps.broken)
    assert cloud.clock.state["ahead"] < 5
    assert cloud.start("count-words", text="a").wait("failed").error["kind"] == "exit_code"
"""


def suite(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The suite in this folder; where the plugin's entry point is installed, nothing has to name it."""
    known = any(one.value == "localcloud.pytest_plugin" for one in entry_points(group="pytest11"))
    plugin = [] if known else ["-p", "localcloud.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", "-q", *plugin, "-p", "no:cacheprovider", *more]
    return subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True, timeout=300)


def test_the_example_s_suite_passes_outside_the_checkout(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "suite")

    done = suite(tmp_path / "suite")

    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_what_goes_wrong_is_explained_and_what_a_test_leaves_is_taken_away(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "suite")
    (tmp_path / "suite" / "test_count_words.py").write_text(FAILING)
    (tmp_path / "suite" / "steps.py").write_text("def broken(text: str):\n    raise ValueError('no words in ' + text)\n")

    done = suite(tmp_path / "suite", "--localcloud-scale=0.002")

    assert done.returncode == 1
    assert "2 failed, 5 passed" in done.stdout
    assert "exit_code: ValueError: no words in a" in done.stdout
    assert "| ValueError: no words in a" in done.stdout
    assert "answered 400: " in done.stdout
    assert "colour" in done.stdout
    assert "the runs of this test" in done.stdout
    assert "the local cloud's Functions host" in done.stdout
    assert "error" not in done.stdout.splitlines()[-1]
