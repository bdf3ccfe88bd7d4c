"""`loadme signal`, and what the other commands say of steps without a container."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from loadme.cli import words
from tests.unit.cli_fakes import RUN, FakeApp, World, a_problem, a_run, a_step

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
SCHEMA = {"type": "object", "properties": {"approved": {"type": "boolean"}, "note": {"type": "string"}}, "required": ["approved"]}


def waits(**more: Any) -> dict[str, Any]:
    answer = {"assignee": "ops@contoso.com", "link": f"/api/runs/{RUN}/signal/approve", "schema": SCHEMA}
    return a_step("approve", "running", **{"kind": "wait", "answer": answer, "ends_at": "2026-11-22T12:40:00Z", **more})


def answered(status: str = "accepted") -> FakeApp:
    return FakeApp().on(f"GET runs/{RUN}", a_run("running", waits())).on(f"POST runs/{RUN}/signal/approve", {"status": status})


def test_an_answer_is_sent_with_the_types_that_the_step_declares() -> None:
    app = answered()
    result = World(app).run("signal", RUN, "approve", "approved=true", "note=123", "count=4", "--by", "ada")
    assert result.exit_code == 0, result.output
    (request,) = app.sent(f"POST runs/{RUN}/signal/approve")
    assert app.body(f"POST runs/{RUN}/signal/approve") == {"approved": True, "note": "123", "count": 4}
    assert request.url.params["by"] == "ada"
    assert "it goes on" in result.output


def test_whoever_is_logged_in_answers_unless_another_one_is_named() -> None:
    app = answered()
    World(app).run("signal", RUN, "approve", "approved=true")
    (request,) = app.sent(f"POST runs/{RUN}/signal/approve")
    assert request.url.params["by"] == "grace"


def test_an_early_answer_is_told_from_one_that_counts_at_once() -> None:
    result = World(answered("kept")).run("signal", RUN, "approve", "approved=true")
    assert "kept until it waits" in result.output


def test_a_refused_answer_says_why_and_exits_with_2() -> None:
    app = answered().on(f"POST runs/{RUN}/signal/approve", a_problem(409, "Too late", "the step approve was answered otherwise by Bob"))
    result = World(app).run("signal", RUN, "approve", "approved=true")
    assert (result.exit_code, "by Bob" in result.output) == (2, True)


def test_a_value_of_another_type_is_told_before_anything_is_sent() -> None:
    app = answered()
    result = World(app).run("signal", RUN, "approve", "approved=perhaps")
    assert (result.exit_code, app.sent(f"POST runs/{RUN}/signal/approve")) == (2, [])
    assert "approved" in result.output


def test_a_run_that_is_a_step_says_of_which_run() -> None:
    parent = {"run": "01jd3k9x2m5q8r7t6v4x", "step": "sub", "item": 0, "attempt": "lm-x", "link": "/api/runs/01jd3k9x2m5q8r7t6v4x"}
    result = World(FakeApp().on(f"GET runs/{RUN}", a_run("running", parent=parent))).run("show", RUN)
    assert "step sub of run 01jd3k9x2m5q8r7t6v4x" in result.stdout


@pytest.mark.parametrize(
    ("step", "status", "told"),
    [
        (waits(), "waiting", "for an answer from ops@contoso.com, until 12:40"),
        (waits(answer={"assignee": None}, ends_at=None), "waiting", "for an answer"),
        (waits(kind="sleep", answer=None), "waiting", "until 12:40"),
        (a_step("sub", "running", kind="workflow", workflow="child", child=RUN), "running", f"run {RUN} of child"),
        (a_step("approve", "succeeded", kind="wait", ends_at="2026-11-22T12:40:00Z"), "succeeded", ""),
    ],
)
def test_a_step_without_a_container_says_what_it_waits_for(step: dict[str, Any], status: str, told: str) -> None:
    assert (words.status(step), words.told(step, NOW)) == (status, told)
