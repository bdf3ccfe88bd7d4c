"""What the command line shows of many items, of failures that were caught, of waits and of `finally`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from loadme.cli import words
from tests.unit.cli_fakes import RUN, FakeApp, World, a_run, a_step

ITEMS = f"GET runs/{RUN}/steps/convert/items"


def an_item(number: int, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    attempt = {"attempt": 1, "launched_at": "2026-11-22T12:00:00Z", "ended_at": "2026-11-22T12:00:02.5Z", "child": None}
    return {"item": number, "status": status, "attempts": [attempt], "outputs": {"rows": number}, "error": None, **more}


def counts(**more: int) -> dict[str, int]:
    return dict.fromkeys(("pending", "running", "succeeded", "failed", "skipped", "cancelled", "tolerated"), 0) | {"count": 200} | more


def shown(run: dict[str, Any], *options: str) -> str:
    return World(FakeApp().on(f"GET runs/{RUN}", run)).run("show", RUN, *options).stdout


def test_items_are_listed_with_what_became_of_them() -> None:
    failed = an_item(1, "failed", outputs={}, error={"kind": "exit_code", "message": "the container ended with exit code 3"})
    child = an_item(2, attempts=[{**an_item(2)["attempts"][0], "child": "01child"}])
    world = World(FakeApp().on(ITEMS, {"items": [an_item(0), failed, child], "continuation": None}))

    lines = [line.split() for line in world.run("items", RUN, "convert").stdout.splitlines()]

    assert lines[1] == ["0", "✓", "succeeded", "2.5", "s", "1", "rows=0"]
    assert " ".join(lines[2]) == "1 ✗ failed 2.5 s 1 the container ended with exit code 3"
    assert " ".join(lines[3][-3:]) == "run 01child: rows=2"
    assert len(lines) == 4


def test_items_are_paged_up_to_the_limit_and_asked_for_by_status() -> None:
    pages = [{"items": [an_item(number) for number in range(first, first + 100)], "continuation": f"{first + 100}"} for first in (0, 100)]
    world = World(FakeApp().on(ITEMS, *pages, {"items": [an_item(200)], "continuation": None}))

    first = world.run("items", RUN, "convert", "--status", "succeeded").stdout.splitlines()
    assert (len(first), first[-1]) == (22, "there are more: give --all")
    assert [dict(one.url.params) for one in world.app.sent(ITEMS)] == [{"limit": "100", "status": "succeeded"}]

    rest = json.loads(world.run("items", RUN, "convert", "--all", "--json").stdout)
    assert (len(rest["items"]), rest["more"]) == (101, False)


def test_a_step_without_items_says_so() -> None:
    assert World(FakeApp().on(ITEMS, {"items": [], "continuation": None})).run("items", RUN, "convert").stdout == "no items\n"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (a_step(status="running", items=counts(succeeded=118, failed=2, running=40)), "120 of 200 items, 2 failed, 40 at work"),
        (a_step(items=counts(succeeded=198, failed=2), outputs={"rows": [1, None]}), "200 items, 2 failed: rows=[1, null]"),
        (a_step(items=counts(succeeded=1, count=1)), "1 item"),
        (a_step(kind="wait", answered_by="ada", outputs={"approved": True}), "answered by ada: approved=true"),
        (a_step(status="failed", handled="step:mend", error={"message": "it broke"}), "caught by mend: it broke"),
        (a_step(status="failed", handled="outputs", error={"message": "it broke"}), "caught, with outputs instead: it broke"),
        (a_step(status="failed", handled="continue", error={"message": "it broke"}), "the run goes on: it broke"),
        (a_step(status="failed", handled=None, error={"message": "it broke"}, items=counts(failed=1)), "it broke"),
    ],
)
def test_one_line_tells_of_items_and_of_what_took_a_failure(step: dict[str, Any], told: str) -> None:
    assert words.told(step, datetime(2026, 11, 22, 12, 1, tzinfo=UTC)) == told


def test_a_map_of_many_items_is_a_line_for_each_tenth_of_them() -> None:
    runs = [a_run("running", a_step("convert", "running", items=counts(succeeded=over, running=10))) for over in range(0, 200, 5)]
    app = FakeApp().on(f"GET runs/{RUN}", *runs, a_run("succeeded", a_step("convert", items=counts(succeeded=200))))

    lines = World(app).run("show", RUN, "--watch").stdout.splitlines()

    assert [line.split()[3] for line in lines if "at work" in line] == [str(over) for over in range(0, 200, 20)]


def test_a_failed_item_is_named_with_its_log_and_the_way_to_the_others() -> None:
    error = {"kind": "exit_code", "message": "item 17 (from 0) of 200 failed: no", "step": "convert", "item": 17, "log": ["no"]}
    out = shown(a_run("failed", a_step("convert", "failed", error=error), error=error))

    assert f"the whole log: loadme logs {RUN} convert --item 17\n" in out
    assert f"all that failed: loadme items {RUN} convert --status failed\n" in out
    alone = shown(a_run("failed", a_step("convert", "failed"), error={**error, "item": None}))
    assert (f"loadme logs {RUN} convert\n" in alone, "loadme items" in alone) == (True, False)


def test_failures_that_a_step_tolerated_are_told_with_the_way_to_them() -> None:
    steps = a_step("convert", items=counts(succeeded=198, failed=2)), a_step("clean", items=counts(succeeded=200))
    lines = [line for line in shown(a_run("succeeded", *steps)).splitlines() if "loadme items" in line]
    assert lines == [f"convert: 2 of 200 items failed, which it tolerates: loadme items {RUN} convert --status failed"]


def test_a_secret_is_shown_as_one_and_never_what_refers_to_it() -> None:
    secret = {"keyvault": f"lm-{RUN}-login-0-1-token/abc"}
    out = shown(a_run("succeeded", a_step("login", outputs={"token": secret}), outputs={"token": secret, "mine": {"keyvault": "x"}}))
    assert "token=(secret)" in out
    assert "  token = (secret)\n" in out
    assert '  mine = {"keyvault": "x"}\n' in out


def test_outputs_that_could_not_be_worked_out_are_told() -> None:
    out = shown(a_run("succeeded", a_step(), outputs_error="no such key: rows"))
    assert "the outputs cannot be worked out: no such key: rows\n" in out


def test_a_step_that_waits_says_how_it_is_answered() -> None:
    schema = {"properties": {"approved": {"type": "boolean"}, "note": {"type": "string"}, "any": {}}, "required": ["approved"]}
    answer = {"assignee": "ada", "link": f"/api/runs/{RUN}/signal/approve", "schema": schema}
    run = a_run("running", a_step("approve", "running", kind="wait", answer=answer))
    how = f"loadme signal {RUN} approve approved=BOOLEAN [note=STRING] [any=VALUE]"

    assert f"it waits for an answer: {how}\n" in shown(run)
    app = FakeApp().on(f"GET runs/{RUN}", run, a_run("succeeded", a_step("approve", kind="wait")))
    assert f"approve waiting: for an answer from ada; answer with: {how}\n" in World(app).run("show", RUN, "--watch").stdout
    assert "loadme signal" not in shown(a_run("running", a_step("approve", "pending", kind="wait", answer=answer)))


def test_what_belongs_to_finally_stands_apart_and_a_run_in_it_says_how_it_will_end() -> None:
    steps = (a_step("work", "failed"), a_step("notify", "running"))
    run = a_run("running", *({**step, "finally": step["name"] == "notify"} for step in steps), ending={"status": "failed", "at": None})

    lines = shown(run).splitlines()

    assert lines[0].endswith("has failed, its finally is at work")
    assert [line.split()[0] for line in lines[1:]] == ["step", "work", "finally", "notify"]
    assert "finally" not in shown(a_run("succeeded", a_step("work")))


def test_a_long_list_is_shown_by_its_beginning_and_a_text_whole() -> None:
    out = shown(a_run("succeeded", variables={"numbers": list(range(1000)), "text": "x" * 1000}))

    assert "… (1000 in all; --json shows them)" in out
    assert f"  text = {'x' * 1000}\n" in out
    assert len(next(line for line in out.splitlines() if "numbers" in line)) < 480


@pytest.mark.parametrize("kind", ["wait", "sleep"])
def test_what_is_no_container_has_no_attempts_to_count(kind: str) -> None:
    assert words.attempts(a_step(kind=kind)) == ""
    assert words.attempts(a_step(kind="workflow")) == "1"
