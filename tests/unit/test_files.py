"""A run's files as the API and the command line show them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

import function_app
from loadme import step, triggers
from loadme.cli import words
from loadme.core.ids import AttemptId
from loadme.core.state import Run
from loadme.errors import Rejected
from loadme.handlers import files, queries
from loadme.handlers.files import FilesQuery
from tests.unit import cli_fakes
from tests.unit.cli_fakes import RUN, FakeApp, a_problem, a_run
from tests.unit.test_function_app import call, request
from tests.world import World

ONE = "name: sample\nsteps: {only: {image: img}}"
PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text("utf-8")


def world_with(**sizes: int) -> tuple[World, Run]:
    """A run with files of these sizes, beside another run's file and one of nobody."""
    world = World(ONE)
    run, other = world.start(), world.start()
    for name, size in sizes.items():
        world.files.put(f"{run.id}/{name.replace('__', '/')}", b"x" * size)
    world.files.put(f"{other.id}/other", b"other")
    world.files.put("nobody", b"")
    return world, run


def names(world: World, run: Run, **query: str) -> list[str]:
    return [one["name"] for one in files.list_files(world.services, run.id, FilesQuery(**query))["files"]]


def test_a_run_shows_how_many_files_it_has_and_their_bytes() -> None:
    world, run = world_with(a=3, parts__b=4)

    assert world.show(run)["files"] == {"count": 2, "bytes": 7, "more": False}
    assert world.show(run)["links"]["files"] == f"/api/runs/{run.id}/files"


def test_a_run_without_files_has_none() -> None:
    world, run = world_with()

    assert world.show(run)["files"] == {"count": 0, "bytes": 0, "more": False}


def test_only_so_many_are_counted_with_one_request_for_one_more() -> None:
    world, run = world_with(**{f"f{number:04}": 1 for number in range(files.MOST)})
    asked: list[Any] = []
    real = world.files.list
    world.files.list = lambda *args, **named: asked.append(named) or real(*args, **named)  # type: ignore[method-assign,func-returns-value]

    assert files.counted(world.services, run.id) == {"count": 1000, "bytes": 1000, "more": False}
    world.files.put(f"{run.id}/z", b"12")
    assert files.counted(world.services, run.id) == {"count": 1000, "bytes": 1000, "more": True}
    assert asked == [{"limit": files.MOST + 1}] * 2


def test_a_start_does_not_fail_because_files_cannot_be_listed() -> None:
    world = World(ONE)
    world.calls("files", "list", OSError("no answer"))

    assert "files" not in queries.show_run(world.services, world.start(), {})


def test_files_are_listed_by_name_with_size_and_time() -> None:
    world, run = world_with(b=2, a__c=1)

    found = files.list_files(world.services, run.id, FilesQuery())

    time = found["files"][0]["changed_at"]
    assert found == {
        "files": [{"name": "a/c", "bytes": 1, "changed_at": time}, {"name": "b", "bytes": 2, "changed_at": time}],
        "continuation": None,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", time)


def test_pages_join_without_gaps_or_doubles() -> None:
    world, run = world_with(**{f"p{number}": 1 for number in range(7)}, q=1)
    found: list[str] = []
    continuation = ""
    for _ in range(9):
        page = files.list_files(world.services, run.id, FilesQuery(prefix="p", limit="3", continuation=continuation))
        found += [one["name"] for one in page["files"]]
        if not (continuation := page["continuation"] or ""):
            break

    assert found == [f"p{number}" for number in range(7)]


@pytest.mark.parametrize(("prefix", "wanted"), [("", ["a", "ab", "b/c"]), ("a", ["a", "ab"]), ("b/", ["b/c"]), ("c", []), ("../", [])])
def test_a_prefix_narrows_it_and_never_leaves_the_runs_folder(prefix: str, wanted: list[str]) -> None:
    world, run = world_with(a=1, ab=1, b__c=1)

    assert names(world, run, prefix=prefix) == wanted


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "x"},
        {"prefix": "x" * 1025},
        {"prefix": "a\0"},
        {"prefix": "b", "continuation": "a"},
        {"continuation": "x" * 1025},
    ],
)
def test_a_listing_that_cannot_be_understood_is_refused(query: dict[str, str]) -> None:
    world, run = world_with(a=1)

    with pytest.raises(Rejected) as refused:
        files.list_files(world.services, run.id, FilesQuery(**query))
    assert refused.value.status == 400


def test_the_route_lists_the_files_of_a_run_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    world, run = world_with(a=1, b=1)
    monkeypatch.setattr("loadme.app.services", lambda: world.services)

    status, body, answer = call(function_app.list_files, request(params={"limit": "1"}, run=run.id))
    etag = {"if-none-match": answer.headers["ETag"]}

    assert (status, [one["name"] for one in body["files"]], body["continuation"]) == (200, ["a"], "b")
    assert call(function_app.list_files, request(params={"limit": "1"}, headers=etag, run=run.id))[0] == 304
    assert call(function_app.list_files, request(run="0" * 20))[0] == 404


def test_every_parameter_of_the_route_is_read() -> None:
    given = {"prefix": "p", "limit": "2", "continuation": "pq"}

    assert triggers.files_query_of(request(params=given)) == FilesQuery(**given)


LISTED = [{"name": f"parts/{number}.csv", "bytes": 4_800_000, "changed_at": "2026-11-22T12:00:00Z"} for number in range(3)]


def an_app() -> FakeApp:
    pages = ({"files": LISTED[:2], "continuation": "parts/2.csv"}, {"files": LISTED[2:], "continuation": None})
    return FakeApp().on(f"GET runs/{RUN}/files", *pages)


def test_the_command_lists_all_pages() -> None:
    world = cli_fakes.World(an_app())

    shown = world.run("files", RUN, "parts/").stdout

    assert [line.split()[0:2] for line in shown.splitlines()] == [["size", "changed"], *[["4.8", "MB"]] * 3]
    assert shown.splitlines()[3].endswith("parts/2.csv")
    assert [one.url.params.get("continuation") for one in world.app.requests] == [None, "parts/2.csv"]
    assert {one.url.params["prefix"] for one in world.app.requests} == {"parts/"}


def test_the_command_says_when_there_are_more_and_asks_for_no_more_than_it_needs() -> None:
    world = cli_fakes.World(an_app())

    shown = world.run("files", RUN, "--limit", "1").stdout

    assert "parts/0.csv" in shown
    assert "parts/1.csv" not in shown
    assert "there are more: give --all" in shown
    assert len(world.app.requests) == 1
    assert "there are more" not in cli_fakes.World(an_app()).run("files", RUN, "--limit", "1", "--all").stdout


def test_the_command_has_its_json_and_its_error() -> None:
    world = cli_fakes.World(an_app())
    assert json.loads(world.run("files", RUN, "--limit", "2", "--json").stdout) == {"files": LISTED[:2], "more": True}
    gone = cli_fakes.World(FakeApp().on(f"GET runs/{RUN}/files", a_problem(404, "Unknown run", "there is no run")))
    assert gone.run("files", RUN).exit_code == 2
    none = cli_fakes.World(FakeApp().on(f"GET runs/{RUN}/files", httpx.Response(200, json={"files": [], "continuation": None})))
    assert none.run("files", RUN).stdout == "no files\n"


def test_show_tells_of_files_where_there_are_any() -> None:
    some = a_run(files={"count": 3, "bytes": 4_800_000, "more": False})

    shown = cli_fakes.World(FakeApp().on(f"GET runs/{RUN}", some)).run("show", RUN).stdout
    without = cli_fakes.World(FakeApp().on(f"GET runs/{RUN}", a_run())).run("show", RUN).stdout

    assert f"3 files, 4.8 MB: loadme files {RUN}" in shown
    assert "files" not in without


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"), (5e15, "5000.0 TB")],
)
def test_a_size_is_short(count: int, text: str) -> None:
    assert words.size(int(count)) == text


def test_how_many_files_is_said_in_words() -> None:
    assert words.files({"files": {"count": 1, "bytes": 1, "more": False}}) == "1 file, 1 byte"
    assert words.files({"files": {"count": 1000, "bytes": 2000, "more": True}}) == "more than 1000 files, 2.0 kB"
    assert words.files({"files": {"count": 0, "bytes": 0, "more": False}}) == ""


def test_the_page_names_the_limits_of_the_code() -> None:
    assert f"up to {step.CHUNK * step.MOST_BLOCKS // 2**30} GB" in PAGE
    assert "at most 900 characters" in PAGE
    assert f"only the first {files.MOST:,} are counted" in PAGE


def test_a_folder_is_that_of_the_address_that_the_containers_are_given() -> None:
    world = World(ONE)
    run = world.start()
    world.drain(keep=("loadme-checks",))

    given = world.environment(str(AttemptId(run.id, "only", 0, 1)))["LOADME_FILES_URL"]

    assert given == f"{world.services.settings.files_url}/{files.folder(run.id)}"
