"""Schedules and versions on the command line, against an app that answers what it is told."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.cli_fakes import RUN, FakeApp, World, a_problem, a_run, a_step


def a_schedule(index: int = 0, **more: Any) -> dict[str, Any]:
    base = {"workflow": "report", "index": index, "cron": "0 30 2 * * *", "timezone": "UTC", "variables": {}, "catch_up": "none"}
    rest = {"paused": None, "next": "2026-11-23T02:30:00Z", "last": None, "missed": {"count": 0, "times": []}, "problem": None}
    return {**base, **rest, **more}


PAUSED = a_schedule(paused={"at": "2026-11-22T12:00:00Z", "reason": "moving house"}, next=None)
PAUSE, RESUME = "POST workflows/report/schedules/{}/pause", "POST workflows/report/schedules/{}/resume"


def test_schedules_show_what_is_due_what_was_missed_and_what_is_wrong() -> None:
    missed = {"count": 3, "times": ["2026-11-20T02:30:00Z", "2026-11-21T02:30:00Z"]}
    last = {"scheduled_at": "2026-11-19T02:30:00Z", "run": RUN}
    berlin = a_schedule(1, timezone="Europe/Berlin", missed=missed, last=last, problem="the group cannot be worked out")
    app = FakeApp().on("GET schedules", {"schedules": [PAUSED, berlin]})
    out = World(app).run("schedules").stdout
    for text in ("paused: moving house", "0 30 2 * * * Europe/Berlin", "2026-11-23 02:30:00 UTC", "2026-11-19", "3, the last 2026-11-21"):
        assert text in out
    assert "report 1: the group cannot be worked out" in out
    assert json.loads(World(app).run("schedules", "--json").stdout)["schedules"] == [PAUSED, berlin]
    assert World(FakeApp().on("GET schedules", {"schedules": []})).run("schedules").stdout == "no schedules\n"


def test_one_schedule_is_paused_with_a_reason() -> None:
    world = World(FakeApp().on(PAUSE.format(1), PAUSED))
    result = world.run("pause", "report", "1", "--reason", "moving house")
    assert (result.exit_code, world.app.body(PAUSE.format(1))) == (0, {"reason": "moving house"})
    assert "paused: moving house" in result.stdout


def test_without_an_index_all_schedules_of_the_workflow_are_paused_and_go_on() -> None:
    listed = {"schedules": [a_schedule(0), a_schedule(1), {**a_schedule(0), "workflow": "other"}]}
    app = FakeApp().on("GET schedules", listed)
    for index in (0, 1):
        app.on(PAUSE.format(index), PAUSED).on(RESUME.format(index), a_schedule(index))
    assert World(app).run("pause", "report").exit_code == 0
    assert World(app).run("unpause", "report").exit_code == 0
    assert [one.url.path for one in app.requests if one.method == "POST"] == [
        f"/api/workflows/report/schedules/{index}/{what}" for what in ("pause", "resume") for index in (0, 1)
    ]


def test_a_workflow_without_schedules_is_told_from_one_that_is_not_there() -> None:
    app = FakeApp().on("GET schedules", {"schedules": []}).on("GET workflows/report", {"name": "report"})
    app.on("GET workflows/other", a_problem(404, "Unknown workflow", "there is no workflow 'other'"))
    assert World(app).run("pause", "report").stderr == "loadme: the workflow report has no schedules\n"
    assert "there is no workflow 'other'" in World(app).run("unpause", "other").stderr


def test_versions_mark_the_current_one() -> None:
    listed = [
        {"digest": "ab" * 32, "first_seen": None, "steps": 3, "is_current": True},
        {"digest": "cd" * 32, "first_seen": "2026-11-20T02:30:00Z", "steps": 2, "is_current": False},
    ]
    app = FakeApp().on("GET workflows/report/versions", {"workflow": "report", "versions": listed})
    first, second = World(app).run("versions", "report").stdout.splitlines()[1:]
    assert first.split() == ["abababababab", "no", "run", "yet", "3", "←", "current"]
    assert second.split() == ["cdcdcdcdcdcd", "2026-11-20", "02:30:00", "2"]
    assert json.loads(World(app).run("versions", "report", "--json").stdout)["versions"] == listed


def test_a_queued_run_shows_what_it_waits_for() -> None:
    run = a_run("queued", a_step(status="pending"), concurrency={"group": "west", "holder": "01holder", "ahead": 2}, ended_at=None)
    out = World(FakeApp().on(f"GET runs/{RUN}", run)).run("show", RUN).stdout
    assert "waits for run 01holder in the group west, 2 are before it" in out


def test_a_skipped_run_is_over_and_says_why() -> None:
    error = {"kind": "skipped", "message": "the run 01holder has the concurrency group 'west'"}
    run = a_run("skipped", a_step(status="cancelled"), error=error)
    result = World(FakeApp().on(f"GET runs/{RUN}", run)).run("show", RUN, "--watch")
    assert "the run was skipped: the run 01holder has the concurrency group 'west'" in result.stdout
    assert result.exit_code == 1
