"""Watching a run, without a terminal and without time."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from rich.console import Console

from loadme.cli import render, words
from loadme.cli.api import Api
from loadme.cli.logs import fresh
from loadme.cli.target import Target
from loadme.cli.watch import PATIENCE, SLOWEST, watch
from tests.unit.cli_fakes import RUN, URL, FakeApp, World, a_problem, a_run, a_step

RUNNING = a_run("running", a_step(status="running"), a_step("join", "pending"))
HALF = a_run("running", a_step(status="running", progress={"fraction": 0.5, "text": "reading"}), a_step("join", "pending"))
JOINING = a_run("running", a_step(outputs={"rows": 3}), a_step("join", "running", attempts=2))
DONE = a_run("succeeded", a_step(outputs={"rows": 3}), a_step("join"), outputs={"days": 1461, "station": "Seattle"})
ERROR = {"kind": "exit_code", "message": "exit code 3", "exit_code": 3, "step": "split", "details": [], "log": ["bang"], "hint": None}
FAILED = a_run("failed", a_step(status="failed", error=ERROR), a_step("join", "skipped"), error=ERROR)


def watching(*answers: object, **more: object) -> World:
    return World(FakeApp().on(f"GET runs/{RUN}", *answers), **more)  # type: ignore[arg-type]


def test_each_change_is_a_line_and_the_outputs_come_last() -> None:
    result = watching(RUNNING, HALF, JOINING, DONE).run("show", RUN, "--watch")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"run {RUN}",
        "12:00:02 split running",
        "12:00:03 split running: 50 % reading",
        "12:00:04 split succeeded in 1.5 s: rows=3",
        "12:00:04 join running (attempt 2)",
        "12:00:05 join succeeded in 1.5 s",
        f"run {RUN} of report  ✓ succeeded  3.0 s",
        "outputs",
        "  days = 1461",
        "  station = Seattle",
    ]


def test_a_failed_run_is_exit_code_1_and_explained() -> None:
    result = watching(RUNNING, FAILED).run("show", RUN, "--watch")
    assert result.exit_code == 1
    assert "12:00:03 split failed in 1.5 s: exit code 3" in result.stdout
    assert "    | bang" in result.stdout


def test_a_cancelled_run_is_exit_code_1() -> None:
    assert watching(a_run("cancelled", a_step(status="cancelled"))).run("show", RUN, "--watch").exit_code == 1


def test_json_is_the_last_state_alone_and_the_lines_go_to_standard_error() -> None:
    result = watching(RUNNING, DONE).run("show", RUN, "--watch", "--json")
    assert json.loads(result.stdout) == DONE
    assert "split running" in result.stderr


def test_start_with_watch_follows_the_new_run() -> None:
    world = watching(DONE)
    world.app.on("POST workflows/report/runs", httpx.Response(202, json=RUNNING))
    assert world.run("start", "report", "--watch").exit_code == 0
    assert world.app.sent(f"GET runs/{RUN}")


def test_an_unchanged_run_is_asked_for_by_its_etag_and_ever_less_often() -> None:
    tagged = httpx.Response(200, json=RUNNING, headers={"etag": '"1"'})
    world = watching(tagged, *[httpx.Response(304)] * 8, DONE)
    result = world.run("show", RUN, "--watch")
    assert "if-none-match" not in world.app.requests[0].headers
    assert world.app.requests[1].headers["if-none-match"] == '"1"'
    assert (world.sleeps[0], world.sleeps[-1]) == (0.5, SLOWEST)
    assert result.stdout.count("split running") == 1


def test_an_app_that_restarts_does_not_end_the_watch() -> None:
    world = watching(RUNNING, httpx.ConnectError("gone"), httpx.Response(503), a_problem(429, "Busy", "later"), DONE)
    assert world.run("show", RUN, "--watch").exit_code == 0


def test_an_app_that_stays_away_ends_it() -> None:
    world = watching(RUNNING, httpx.ConnectError("gone"))
    result = world.run("show", RUN, "--watch")
    assert result.exit_code == 2
    assert "nothing answers at" in result.stderr
    assert len(world.sleeps) == PATIENCE + 1


def test_a_run_that_does_not_exist_ends_it_at_once() -> None:
    world = watching(a_problem(404, "Not found", "there is no such run"))
    result = world.run("show", RUN, "--watch")
    assert (result.exit_code, result.stderr) == (2, "loadme: Not found: there is no such run\n")
    assert world.sleeps == []


@pytest.mark.parametrize("command", [["show", RUN, "--watch"], ["show", RUN, "--watch", "--json"]])
def test_ctrl_c_says_that_the_run_goes_on(command: list[str]) -> None:
    result = watching(RUNNING, interrupt_after=2).run(*command)
    assert result.exit_code == 130
    assert f"the run goes on; look at it again with: loadme show {RUN} --watch" in result.stderr


def test_ctrl_c_while_following_a_log_is_exit_code_130() -> None:
    world = watching(RUNNING, interrupt_after=1)
    world.app.on(f"GET runs/{RUN}/steps/split/logs", "one\n")
    result = world.run("logs", RUN, "split", "--follow")
    assert (result.exit_code, result.stdout) == (130, "one\n")


def test_on_a_terminal_a_table_is_repainted() -> None:
    world = watching(RUNNING, HALF, DONE)
    target = Target(url=URL, key="", key_from="")
    screen = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    outside = world.outside()
    with Api(target, outside.transport) as api:
        assert watch(api, RUN, outside, screen)["status"] == "succeeded"
    painted = screen.file.getvalue()  # type: ignore[attr-defined]
    for part in ("● running", "50 % reading", "✓ succeeded", "· pending", "days = 1461"):
        assert part in painted


def test_a_step_is_one_line_however_narrow_the_terminal_is() -> None:
    screen = Console(file=io.StringIO(), width=60)
    screen.print(render.steps(a_run("succeeded", a_step(outputs={f"number_{n}": n for n in range(20)})), World().outside().now()))
    lines = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert lines[1].startswith("split  ✓ succeeded  1.5 s")
    assert lines[1].rstrip().endswith("…")


@pytest.mark.parametrize(("width", "is_told"), [(59, False), (60, True)])
def test_on_a_narrow_terminal_there_is_no_column_of_outputs(width: int, is_told: bool) -> None:
    screen = Console(file=io.StringIO(), width=width)
    screen.print(render.steps(a_run("succeeded", a_step(outputs={"rows": 3})), World().outside().now()))
    lines = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert ("rows=3" in lines[1], "attempts" in lines[0]) == (is_told, is_told)
    assert lines[1].startswith("split  ✓ succeeded  1.5 s")


QUOTA = {"why": "quota", "until": "2026-11-22T12:05:00Z", "estimate": "2026-11-22T12:40:10Z"}
RETRY = {"at": "2026-11-22T12:00:31.2Z", "attempt": 2, "why": "exit_code: exit code 3", "location": None}


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"waiting": QUOTA}, "for quota, probably until 12:40"),
        ({"waiting": {**QUOTA, "estimate": "2026-11-23T00:10:00Z"}}, "for quota, probably until 2026-11-23 00:10"),
        ({"waiting": {**QUOTA, "estimate": "2026-11-22T11:59:00Z"}}, "for quota"),
        ({"waiting": {**QUOTA, "estimate": None}}, "for quota"),
        ({"waiting": "quota"}, "for quota"),
        ({"waiting": {"why": "ARM did not answer", "until": None, "estimate": None}}, "for its launch: ARM did not answer"),
        ({"waiting": "ARM did not answer"}, "for its launch: ARM did not answer"),
        ({"retry": RETRY}, "again in 30 s, after: exit code 3"),
        ({"retry": {**RETRY, "at": "2026-11-22T12:10:01.5Z"}}, "again in 10 min 00 s, after: exit code 3"),
        ({"retry": {**RETRY, "at": "2026-11-22T12:01:01.2Z"}}, "again in 1 min 00 s, after: exit code 3"),
        (
            {"retry": {**RETRY, "at": None, "location": "northeurope"}},
            "again once the last container is gone, in northeurope, after: exit code 3",
        ),
        ({"retry": {**RETRY, "why": "heartbeat"}}, "again in 30 s, after: heartbeat"),
        ({"retry": {**RETRY, "at": "2026-11-22T12:00:00Z", "why": "failed: no\nmore"}}, "again once the last container is gone, after: no"),
        ({"progress": {"fraction": 0.5, "text": "reading"}}, "50 % reading"),
        ({"progress": {"fraction": None, "text": "reading"}}, "reading"),
        ({"items": {"count": 100, "succeeded": 40, "failed": 2, "running": 10}}, "42 of 100 items, 2 failed, 10 at work"),
        ({"waiting": None, "retry": None, "progress": None}, ""),
        ({"status": "cancelled", "waiting": QUOTA, "retry": RETRY}, ""),
    ],
)
def test_one_line_tells_what_a_step_waits_for(step: dict[str, Any], told: str) -> None:
    now = datetime(2026, 11, 22, 12, 0, 1, 500_000, tzinfo=UTC)
    assert words.told(a_step(**{"status": "running", **step}), now) == told


@pytest.mark.parametrize(
    ("made", "most", "told"), [(0, 3, ""), (1, 3, "1 of 3"), (3, 3, "3 of 3"), (4, 3, "4"), (1, 1, "1"), (2, None, "2"), (None, None, "")]
)
def test_attempts_are_told_with_their_limit_as_long_as_it_means_them(made: int | None, most: int | None, told: str) -> None:
    assert words.attempts(a_step(attempts=made, max_attempts=most)) == told


def test_waiting_and_retries_are_lines_but_an_estimate_that_moves_is_not() -> None:
    later = {**QUOTA, "estimate": "2026-11-22T12:55:00Z"}
    states = [
        a_run("running", a_step(status="pending", attempts=0, waiting=QUOTA)),
        a_run("running", a_step(status="pending", attempts=0, waiting=later)),
        a_run("running", a_step(status="running", max_attempts=3)),
        a_run("running", a_step(status="running", max_attempts=3, retry=RETRY)),
        a_run("running", a_step(status="running", max_attempts=3, attempts=2)),
        a_run("succeeded", a_step(max_attempts=3, attempts=2)),
    ]
    assert watching(*states).run("show", RUN, "--watch").stdout.splitlines()[1:-1] == [
        "12:00:02 split waiting: for quota, probably until 12:40",
        "12:00:04 split running",
        "12:00:05 split waiting (attempt 1 of 3): again in 27 s, after: exit code 3",
        "12:00:06 split running (attempt 2 of 3)",
        "12:00:07 split succeeded in 1.5 s (attempt 2 of 3)",
    ]


def test_a_run_that_is_being_cancelled_says_so_and_why() -> None:
    cancel = {"at": "2026-11-22T12:00:01Z", "reason": "wrong\nregion"}
    running = a_run("running", a_step(status="running"), cancel=cancel, resumes=2)
    result = watching(running).run("show", RUN)
    assert f"run {RUN} of report  ● running  2.0 s  resumed 2 times  is being cancelled: wrong" in result.stdout
    ended = watching(a_run("cancelled", a_step(status="cancelled"), cancel=cancel)).run("show", RUN).stdout
    assert ended.splitlines()[-2:] == ["the run was cancelled: wrong", f"  go on with it: loadme resume {RUN}"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0.0 s"),
        (0.44, "0.4 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min 00 s"),
        (123, "2 min 03 s"),
        (3599.6, "1 h 00 min"),
        (3720, "1 h 02 min"),
    ],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("seen", "text", "new"),
    [
        ("", "a\n", "a\n"),
        ("a\n", "a\nb\n", "b\n"),
        ("a\n", "a\n", ""),
        ("x" * 500 + "end\n", "x" * 450 + "end\nmore\n", "more\n"),
        ("old\n", "new\n", "new\n"),
    ],
)
def test_only_what_is_new_in_a_log_is_printed(seen: str, text: str, new: str) -> None:
    assert fresh(seen, text) == new


def test_values_are_never_read_as_markup() -> None:
    screen = Console(file=io.StringIO(), width=100)
    screen.print(render.whole(a_run(variables={"x": "[bold]y[/bold]"}), World().outside().now()))
    assert "[bold]y[/bold]" in screen.file.getvalue()  # type: ignore[attr-defined]
