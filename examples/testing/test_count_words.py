"""Tests of a workflow: its containers are functions of steps.py, each in a process of its own; everything else is as it is deployed."""

from __future__ import annotations

from typing import Any

import pytest
import steps


@pytest.fixture(autouse=True)
def images(cloud: Any) -> None:
    """What the workflow's images are in these tests."""
    for step in (steps.split, steps.count, steps.report):
        cloud.image(f"example.azurecr.io/words/{step.__name__}:1", step)


def test_the_most_frequent_word_is_reported(cloud: Any) -> None:
    run = cloud.start("count-words", text="to be or not to be to").wait()

    assert run.status == "succeeded"
    assert run.steps["report"].outputs == {"line": "to: 3"}
    assert "reporting to" in run.logs("report")


def test_an_answer_of_azure_s_that_is_lost_starts_nothing_twice(cloud: Any) -> None:
    cloud.add_fault("lost-reply", route="deployments/{name}", method="PUT", count=2)

    run = cloud.start("count-words", text="a b a").wait("succeeded")

    assert run.steps["report"].outputs == {"line": "a: 2"}
    assert len(cloud.calls(method="PUT", route="containerGroups/{name}", status="201")) == 3


def test_a_callback_that_is_lost_is_made_again(cloud: Any) -> None:
    cloud.add_fault("callback-lost", count=1)

    run = cloud.start("count-words", text="a b a").wait("succeeded", timeout=60)

    assert [step.attempts for step in run.steps.values()] == [1, 1, 1]
    assert cloud.calls(service="functions", route="callback/{attempt}", status="504")


def test_a_container_that_fails_says_why(cloud: Any) -> None:
    cloud.image("example.azurecr.io/words/count:1", ["sh", "-c", "echo out of words; exit 3"])

    run = cloud.start("count-words", text="a b a").wait("failed")

    assert run.error["kind"] == "exit_code"
    assert run.steps["report"].status == "skipped"
    assert "out of words" in run.explain()
