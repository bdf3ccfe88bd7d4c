"""Stopping, resuming and deleting runs, and sending messages again, against an app that answers what it is told."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.unit.cli_fakes import RUN, FakeApp, World, a_problem, a_run, a_step

OTHER = "01jd3k9x2m5q8r7t6v4x"
SCHEMA = {"properties": {"region": {"type": "string"}, "days": {"type": "array"}}}
OVER = a_problem(409, "The run is over", "it ended as succeeded")


def a_message(name: str = "m-1", **more: Any) -> dict[str, Any]:
    base = {"id": name, "queue": "loadme-steps", "kept_at": "2026-11-22T12:00:00Z", "run": RUN, "step": "split", "dequeued": 10}
    return {**base, "why": "KeyError: 'x'\n  more", **more}


def accepted(run: dict[str, Any]) -> httpx.Response:
    return httpx.Response(202, json=run)


def a_resumable(*, status: int = 200) -> World:
    app = FakeApp().on(f"GET runs/{RUN}", a_run("failed", variables={"region": "x", "days": [1], "year": 2012}))
    app.on("GET workflows/report", httpx.Response(status, json={"title": "Unknown workflow", "variables": SCHEMA}))
    return World(app.on(f"POST runs/{RUN}/resume", accepted(a_run("running"))))


def test_cancel_sends_the_reason_and_says_how_to_see_the_end() -> None:
    world = World(FakeApp().on(f"POST runs/{RUN}/cancel", accepted(a_run("running"))))
    result = world.run("cancel", RUN, "--reason", "wrong region")
    assert (result.exit_code, world.app.body(f"POST runs/{RUN}/cancel")) == (0, {"reason": "wrong region"})
    assert result.stdout == f"run {RUN} is being cancelled\nsee it end with: loadme show {RUN} --watch\n"
    world.run("cancel", RUN)
    assert world.app.body(f"POST runs/{RUN}/cancel") == {}


def test_cancel_with_force_stops_finally_as_well() -> None:
    world = World(FakeApp().on(f"POST runs/{RUN}/cancel", accepted(a_run("running"))))
    assert world.run("cancel", RUN, "--force").exit_code == 0
    assert world.app.body(f"POST runs/{RUN}/cancel") == {"force": True}


def test_the_newest_run_can_be_cancelled_and_answered_as_json() -> None:
    app = FakeApp().on("GET runs", {"runs": [a_run()], "continuation": None}).on(f"POST runs/{RUN}/cancel", accepted(a_run("running")))
    assert json.loads(World(app).run("cancel", "@latest", "--json").stdout)["id"] == RUN


def test_a_run_that_is_over_cannot_be_cancelled() -> None:
    result = World(FakeApp().on(f"POST runs/{RUN}/cancel", OVER)).run("cancel", RUN)
    assert (result.exit_code, result.stderr) == (2, "loadme: The run is over: it ended as succeeded\n")


def test_resume_without_more_asks_for_no_types() -> None:
    world = a_resumable()
    result = world.run("resume", RUN)
    assert world.app.body(f"POST runs/{RUN}/resume") == {}
    assert [one.method for one in world.app.requests] == ["POST"]
    assert result.stdout == f"run {RUN} goes on with what did not succeed\nfollow it with: loadme show {RUN} --watch\n"


@pytest.mark.parametrize("option", ["--set", "-v", "--variable"])
def test_resume_sends_the_step_and_values_typed_as_the_workflow_declares_them(option: str) -> None:
    world = a_resumable()
    result = world.run("resume", RUN, "--from", "split", option, "region=7", option, "days=[1,2]")
    assert world.app.body(f"POST runs/{RUN}/resume") == {"from": "split", "variables": {"region": "7", "days": [1, 2]}}
    assert f"run {RUN} goes on from split" in result.stdout


def test_a_run_whose_workflow_is_gone_resumes_with_values_typed_as_its_own() -> None:
    world = a_resumable(status=404)
    assert world.run("resume", RUN, "--set", "region=7", "--set", "days=[2]", "--set", "year=2013").exit_code == 0
    assert world.app.body(f"POST runs/{RUN}/resume") == {"variables": {"region": "7", "days": [2], "year": 2013}}


def test_a_wrong_value_resumes_nothing() -> None:
    world = a_resumable()
    result = world.run("resume", RUN, "--set", "days=soon", "--set", "loose")
    assert result.exit_code == 2
    assert "days: 'soon' is no array" in result.stderr
    assert "'loose' is not NAME=VALUE" in result.stderr
    assert not world.app.sent(f"POST runs/{RUN}/resume")


def test_resume_follows_the_run_to_its_end() -> None:
    world = a_resumable()
    world.app.on(f"GET runs/{RUN}", a_run("running", a_step(status="running"), resumes=1), a_run("succeeded", a_step(), resumes=1))
    result = world.run("resume", RUN, "--watch")
    assert (result.exit_code, "resumed once" in result.stdout) == (0, True)


@pytest.mark.parametrize(("answer", "exit_code"), [("y\n", 0), ("n\n", 2), ("", 2)])
def test_delete_asks_first(answer: str, exit_code: int) -> None:
    world = World(FakeApp().on(f"DELETE runs/{RUN}", httpx.Response(204)))
    result = world.run("delete", RUN, stdin=answer)
    assert result.exit_code == exit_code
    assert f"Delete run {RUN} with its logs and files? [y/N]" in result.stderr
    assert bool(world.app.requests) == (exit_code == 0)
    assert ("nothing was deleted" in result.stderr) == (exit_code == 2)


def test_delete_names_every_run_before_it_asks_and_each_once() -> None:
    world = World(FakeApp().on(f"DELETE runs/{RUN}", httpx.Response(204)).on(f"DELETE runs/{OTHER}", accepted({"status": "deleting"})))
    result = world.run("delete", RUN, OTHER, RUN, stdin="y\n")
    assert result.stderr.startswith(f"  {RUN}\n  {OTHER}\nDelete these 2 runs with their logs and files? [y/N]")
    assert result.stdout.splitlines() == [f"deleted run {RUN}", f"run {OTHER} is being deleted: there is much of it"]
    assert len(world.app.requests) == 2


def test_a_run_that_is_open_does_not_keep_the_others_from_being_deleted() -> None:
    app = FakeApp().on(f"DELETE runs/{RUN}", a_problem(409, "The run is open", "cancel it first"))
    app.on(f"DELETE runs/{OTHER}", httpx.Response(204))
    result = World(app).run("delete", RUN, OTHER, "--yes")
    assert (result.exit_code, result.stdout) == (2, f"deleted run {OTHER}\n")
    assert result.stderr == f"loadme: {RUN}: The run is open: cancel it first\n"
    found = json.loads(World(app).run("delete", RUN, OTHER, "--yes", "--json").stdout)
    assert found["runs"] == [{"run": OTHER, "status": "deleted"}]
    assert [(one["name"], one["error"]["status"]) for one in found["refused"]] == [(RUN, 409)]


def test_an_outage_ends_a_deletion_at_once() -> None:
    world = World(FakeApp().on(f"DELETE runs/{RUN}", httpx.Response(503)).on(f"DELETE runs/{OTHER}", httpx.Response(204)))
    assert world.run("delete", RUN, OTHER, "--yes").exit_code == 2
    assert len(world.app.requests) == 1


def test_a_machine_is_not_asked() -> None:
    world = World(FakeApp().on(f"DELETE runs/{RUN}", httpx.Response(204)))
    result = world.run("delete", RUN, "--json", stdin="y\n")
    assert result.exit_code == 2
    assert "give --yes" in json.loads(result.stdout)["error"]["message"]
    assert world.app.requests == []


@pytest.mark.parametrize("arguments", [[], ["--list"]])
def test_replay_lists_what_is_kept(arguments: list[str]) -> None:
    pages = {"messages": [a_message()], "continuation": "next"}, {"messages": [a_message("m-2", run="", step="")], "continuation": None}
    world = World(FakeApp().on("GET poison", *pages))
    lines = world.run("replay", *arguments).stdout.splitlines()
    assert lines[0].split() == ["id", "queue", "kept", "run", "step", "tries", "why"]
    assert lines[1].split() == ["m-1", "loadme-steps", "2026-11-22", "12:00:00", RUN, "split", "10", "KeyError:", "'x'"]
    assert lines[2].split()[:4] == ["m-2", "loadme-steps", "2026-11-22", "12:00:00"]
    assert world.app.requests[1].url.params["continuation"] == "next"
    assert all(one.method == "GET" for one in world.app.requests)


def test_replay_sends_those_that_are_named() -> None:
    world = World(FakeApp().on("POST poison/m-1/replay", accepted({"status": "sent"})))
    result = world.run("replay", "m-1", "m-1", "m-9")
    assert (result.exit_code, result.stdout) == (2, "sent m-1 again\n")
    assert result.stderr.startswith("loadme: m-9: ")
    assert [one.method for one in world.app.requests] == ["POST", "POST"]


def test_replay_of_all_sends_every_page_of_them() -> None:
    app = FakeApp().on("GET poison", {"messages": [a_message()], "continuation": "n"}, {"messages": [a_message("m-2")]})
    for name in ("m-1", "m-2"):
        app.on(f"POST poison/{name}/replay", accepted({"status": "sent"}))
    found = json.loads(World(app).run("replay", "--all", "--json").stdout)
    assert found == {"messages": [{"id": "m-1", "status": "sent"}, {"id": "m-2", "status": "sent"}], "refused": []}


@pytest.mark.parametrize("arguments", [["--all"], []])
def test_nothing_to_replay_is_good_news(arguments: list[str]) -> None:
    result = World(FakeApp().on("GET poison", {"messages": []})).run("replay", *arguments)
    assert (result.exit_code, result.stdout) == (0, "no message is kept: all of them could be handled\n")


@pytest.mark.parametrize("arguments", [["m-1", "--all"], ["--all", "--list"], ["m-1", "--list"]])
def test_replay_does_one_thing_at_a_time(arguments: list[str]) -> None:
    world = World()
    assert "one of the three" in world.run("replay", *arguments).stderr
    assert world.app.requests == []
