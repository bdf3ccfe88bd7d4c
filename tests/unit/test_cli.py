"""The commands against an app that answers what it is told."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from loadme.cli.commands import loadme
from tests.unit.cli_fakes import RUN, FakeApp, World, a_problem, a_run, a_step

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "default": "westeurope"},
        "days": {"type": "array"},
        "year": {"type": "integer"},
        "deep": {"type": "boolean"},
        "any": {},
    },
    "required": ["year"],
}
WORKFLOW = {
    "name": "report",
    "description": "Numbers",
    "schedules": [{"cron": "0 0 2 * * *", "variables": {}}],
    "steps": ["split", "join"],
    "variables": SCHEMA,
}


def an_app() -> FakeApp:
    return FakeApp().on("GET workflows/report", WORKFLOW).on("POST workflows/report/runs", httpx.Response(202, json=a_run("running")))


def a_cloud(folder: Path, **more: object) -> Path:
    (folder / ".localcloud").mkdir()
    state = {"url": "http://127.0.0.1:7071", "key": "localkey", "pid": 4711, **more}
    (folder / ".localcloud" / "cloud.json").write_text(json.dumps(state))
    return folder


def test_start_sends_values_typed_as_the_workflow_declares_them() -> None:
    world = World(an_app())
    result = world.run("start", "report", "-v", "region=7", "-v", "days=[1,2]", "-v", "year=2012", "-v", "deep=true", "-v", "any=x=y")
    assert result.exit_code == 0, result.output
    assert world.app.body("POST workflows/report/runs") == {"region": "7", "days": [1, 2], "year": 2012, "deep": True, "any": "x=y"}
    assert f"started run {RUN} of report" in result.stdout


def test_start_without_values_asks_for_no_types() -> None:
    world = World(an_app())
    world.run("start", "report", "--idempotency-key", "k1")
    assert [one.method for one in world.app.requests] == ["POST"]
    assert world.app.requests[0].headers["idempotency-key"] == "k1"
    assert world.app.requests[0].headers["x-functions-key"] == "secret"


def test_start_names_every_value_that_is_wrong_and_starts_nothing() -> None:
    world = World(an_app())
    result = world.run("start", "report", "-v", "year=soon", "-v", "deep=1", "-v", "any=ok", "-v", "loose", "-v", "region=@/no/such/file")
    assert result.exit_code == 2
    for part in ("year: 'soon' is no integer", "deep: '1' is no boolean", "'loose' is not NAME=VALUE", "/no/such/file"):
        assert part in result.stderr
    assert not world.app.sent("POST workflows/report/runs")


def test_true_is_no_integer() -> None:
    assert "year: 'true' is no integer" in World(an_app()).run("start", "report", "-v", "year=true").stderr


def test_a_value_can_come_from_a_file_and_begin_with_an_at_sign(tmp_path: Path) -> None:
    (tmp_path / "days.json").write_text("[3]\n")
    world = World(an_app())
    world.run("start", "report", "-v", f"days=@{tmp_path / 'days.json'}", "-v", "region=@@home")
    assert world.app.body("POST workflows/report/runs") == {"days": [3], "region": "@home"}


def test_variables_come_from_standard_input_and_v_wins() -> None:
    world = World(an_app())
    result = world.run("start", "report", "--variables", "-", "-v", "year=2", stdin='{"year": 1, "region": "x"}')
    assert result.exit_code == 0
    assert world.app.body("POST workflows/report/runs") == {"year": 2, "region": "x"}


@pytest.mark.parametrize("text", ["[1]", "{", ""])
def test_variables_that_are_no_json_object_are_refused(text: str) -> None:
    result = World(an_app()).run("start", "report", "--variables", "-", stdin=text)
    assert result.exit_code == 2
    assert "object of variables" in result.stderr


def test_a_problem_is_shown_with_each_field_and_its_hint() -> None:
    errors = (
        {"field": "year", "message": "is required", "hint": "give an integer"},
        {"field": "yaer", "message": "is unknown", "hint": ""},
    )
    app = FakeApp().on("POST workflows/report/runs", a_problem(400, "Bad variables", "2 variables are wrong", *errors))
    result = World(app).run("start", "report")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "loadme: Bad variables: 2 variables are wrong\n  year: is required (give an integer)\n  yaer: is unknown\n"


def test_a_refused_key_says_where_it_came_from(tmp_path: Path) -> None:
    app = FakeApp().on("GET workflows", httpx.Response(401))
    assert "came from --key or LOADME_KEY" in World(app).run("workflows").stderr
    assert "give --key or set LOADME_KEY" in World(app).run("workflows", key="").stderr
    local = World(app, folder=a_cloud(tmp_path)).run("workflows", url=None, key="")
    assert f"came from {tmp_path / '.localcloud' / 'cloud.json'}" in local.stderr


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.ConnectError("refused"), "nothing answers at http://app.test"),
        (httpx.ReadTimeout(""), "did not answer (ReadTimeout)"),
        (httpx.Response(404), "is http://app.test a loadme function app of this version?"),
        (httpx.Response(500), "the function app failed (HTTP 500)"),
        (httpx.Response(302), "answered HTTP 302"),
        (httpx.Response(200, text="<html>"), "is http://app.test a loadme function app?"),
        (httpx.Response(200, json=[1]), "is http://app.test a loadme function app?"),
    ],
)
def test_trouble_with_the_app_is_one_clear_message(answer: httpx.Response | Exception, said: str) -> None:
    result = World(FakeApp().on("GET workflows", answer)).run("workflows")
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_the_local_cloud_is_found_from_a_folder_below(tmp_path: Path) -> None:
    below = a_cloud(tmp_path) / "workflows" / "weather"
    below.mkdir(parents=True)
    world = World(FakeApp().on("GET workflows", {"workflows": [], "broken": []}), folder=below)
    assert world.run("workflows", url=None, key="").exit_code == 0
    assert str(world.app.requests[0].url) == "http://127.0.0.1:7071/api/workflows"
    assert world.app.requests[0].headers["x-functions-key"] == "localkey"


def test_a_local_cloud_that_died_is_named_and_not_asked(tmp_path: Path) -> None:
    world = World(folder=a_cloud(tmp_path), alive=lambda pid: pid != 4711)
    result = world.run("runs", url=None, key="")
    assert result.exit_code == 2
    assert f"the local cloud of {tmp_path} is not running any more (process 4711 is gone)" in result.stderr
    assert "make cloud" in result.stderr
    assert world.app.requests == []


@pytest.mark.parametrize("state", ["{", "[]", '{"url": "http://127.0.0.1:1"}', '{"url": "u", "key": "k", "pid": "x"}'])
def test_a_state_file_that_makes_no_sense_is_named(tmp_path: Path, state: str) -> None:
    (tmp_path / ".localcloud").mkdir()
    (tmp_path / ".localcloud" / "cloud.json").write_text(state)
    result = World(folder=tmp_path).run("runs", url=None, key="")
    assert result.exit_code == 2
    assert "cloud.json" in result.stderr


@pytest.mark.parametrize("url", ["http://app.test/api/", "http://app.test/", "http://app.test/api"])
def test_an_address_may_carry_the_route_prefix(url: str) -> None:
    world = World(FakeApp().on("GET workflows", {"workflows": [], "broken": []}))
    assert world.run("workflows", "--url", url).exit_code == 0


def test_an_address_without_a_scheme_is_refused() -> None:
    result = World().run("workflows", "--url", "app.test")
    assert result.exit_code == 2
    assert "'app.test' is no address" in result.stderr


def test_without_any_cloud_the_way_to_one_is_told() -> None:
    result = World().run("runs", url=None, key="")
    assert result.exit_code == 2
    assert "no local cloud is up for this folder, nor for one above it: start the local cloud with `make cloud`" in result.stderr


def test_runs_are_paged_up_to_the_limit() -> None:
    first, second = [a_run(id=f"a{n}") for n in range(2)], [a_run(id=f"b{n}") for n in range(2)]
    app = FakeApp().on("GET runs", {"runs": first, "continuation": "next"}, {"runs": second, "continuation": "more"})
    world = World(app)
    result = world.run("runs", "--limit", "3", "--workflow", "report", "--status", "failed", "--json")
    assert [run["id"] for run in json.loads(result.stdout)["runs"]] == ["a0", "a1", "b0"]
    assert dict(app.requests[0].url.params) == {"workflow": "report", "status": "failed", "limit": "3"}
    assert app.requests[1].url.params["continuation"] == "next"
    assert len(app.requests) == 2


def test_all_runs_are_read_to_the_last_page() -> None:
    app = FakeApp().on(
        "GET runs", {"runs": [a_run(id="a")], "continuation": "n"}, {"runs": [a_run("failed", id="b")], "continuation": None}
    )
    lines = World(app).run("runs", "--all").stdout.splitlines()
    assert lines[0].split() == ["run", "workflow", "status", "created", "took"]
    assert lines[1].split() == ["a", "report", "✓", "succeeded", "2026-11-22", "12:00:00", "3.0", "s"]
    assert lines[2].split()[3] == "failed"


def test_show_explains_a_failure() -> None:
    error = {
        "kind": "exit_code",
        "message": "The container ended with exit code 3.",
        "exit_code": 3,
        "step": "split",
        "details": ["Error: [red]boom[/red]"],
        "log": ["Traceback", "KeyError: 'day'\x1b[2J"],
        "hint": "look at the data",
    }
    run = a_run("failed", a_step(status="failed", error=error), a_step("join", "skipped"), error=error, variables={"year": 2012})
    result = World(FakeApp().on(f"GET runs/{RUN}", run)).run("show", RUN)
    assert result.exit_code == 0
    for part in (
        "✗ failed",
        "– skipped",
        "year = 2012",
        "step split failed: The container ended with exit code 3.",
        "exit code: 3",
        "Azure says: Error: [red]boom[/red]",
        "| KeyError: 'day'",
        "what to do: look at the data",
        f"the whole log: loadme logs {RUN} split",
    ):
        assert part in result.stdout
    assert "\x1b" not in result.stdout


def test_latest_is_the_newest_run() -> None:
    app = FakeApp().on("GET runs", {"runs": [a_run()], "continuation": None}).on(f"GET runs/{RUN}", a_run())
    result = World(app).run("show", "@latest", "--json")
    assert json.loads(result.stdout)["id"] == RUN
    none = World(FakeApp().on("GET runs", {"runs": [], "continuation": None})).run("show", "@latest")
    assert (none.exit_code, none.stderr) == (2, "loadme: there is no run yet: start one with `loadme start WORKFLOW`\n")


def test_latest_is_no_run_that_is_a_step_of_another_one_and_a_list_marks_such_runs() -> None:
    steps = [a_run(id=f"child{n}", parent={"run": RUN, "step": "sub"}) for n in range(2)]
    pages = {"runs": steps[:1], "continuation": "next"}, {"runs": [steps[1], a_run(parent=None)], "continuation": None}
    app = FakeApp().on("GET runs", *pages).on(f"GET runs/{RUN}", a_run())
    assert json.loads(World(app).run("show", "@latest", "--json").stdout)["id"] == RUN

    lines = World(FakeApp().on("GET runs", *pages)).run("runs").stdout.splitlines()
    assert [line.endswith(f"  step sub of run {RUN}") for line in lines] == [False, True, True, False]


def test_start_says_how_variables_are_given_when_their_v_is_missing() -> None:
    world = World(an_app())
    result = world.run("start", "report", "region=a", "b=two words")
    assert (result.exit_code, world.app.requests) == (2, [])
    assert result.stderr == (
        "loadme: region=a, b=two words: only one workflow is named here; variables are given as -v region=a -v 'b=two words'\n"
    )
    assert "see loadme start --help" in world.run("start", "report", "other").stderr


def test_workflows_are_listed_with_their_variables_and_the_broken_files() -> None:
    broken = [{"file": "bad.yaml", "errors": [{"field": "steps.a", "message": "unknown key", "hint": "did you mean image?"}]}]
    result = World(FakeApp().on("GET workflows", {"workflows": [WORKFLOW], "broken": broken})).run("workflows")
    for part in (
        "report  Numbers",
        "split, join",
        "0 0 2 * * *",
        "region: string = westeurope",
        "year: integer (required)",
        "bad.yaml is broken",
        "steps.a: unknown key (did you mean image?)",
    ):
        assert part in result.stdout


def test_no_line_of_a_table_ends_with_blanks() -> None:
    other = {**WORKFLOW, "name": "other", "description": "", "steps": ["a-step-with-a-long-name"] * 3}
    result = World(FakeApp().on("GET workflows", {"workflows": [WORKFLOW, other], "broken": []})).run("workflows")
    assert [line for line in result.stdout.splitlines() if line != line.rstrip()] == []


def test_a_log_is_printed_as_it_is_and_as_json() -> None:
    app = FakeApp().on(f"GET runs/{RUN}", a_run("succeeded", a_step())).on(f"GET runs/{RUN}/steps/split/logs", "one\ntwo\n")
    app.on(f"GET runs/{RUN}/steps/split/items", {"items": [{"item": 0, "attempts": [{"attempt": 1}, {"attempt": 2}]}]})
    world = World(app)
    assert world.run("logs", RUN, "split", "--tail", "2", "--item", "0", "--attempt", "1").stdout == "one\ntwo\n"
    assert dict(app.requests[-1].url.params) == {"item": "0", "attempt": "1", "tail": "2"}
    found = json.loads(world.run("logs", RUN, "split", "--json").stdout)
    assert found == {"run": RUN, "step": "split", "item": 0, "attempt": 2, "log": "one\ntwo\n"}
    assert json.loads(world.run("logs", RUN, "split", "--json", "--attempt", "1").stdout)["attempt"] == 1


def test_a_log_that_is_not_there_is_explained() -> None:
    app = FakeApp().on(f"GET runs/{RUN}", a_run("running", a_step(status="pending")))
    app.on(f"GET runs/{RUN}/steps/split/logs", a_problem(404, "No log", "nothing was launched yet"))
    assert "step split is pending and has no log: nothing was launched yet" in World(app).run("logs", RUN, "split").stderr
    assert "has no step 'spilt': did you mean split?" in World(app).run("logs", RUN, "spilt").stderr


def test_a_log_is_followed_until_the_step_is_over() -> None:
    running, over = a_run("running", a_step(status="running")), a_run("succeeded", a_step())
    app = FakeApp().on(f"GET runs/{RUN}", running, running, running, over)
    app.on(f"GET runs/{RUN}/steps/split/logs", httpx.Response(404), "one\n", "one\ntw", "one\ntwo\n")
    world = World(app)
    assert world.run("logs", RUN, "split", "--follow").stdout == "one\ntwo\n"
    assert len(world.sleeps) == 3


def test_following_a_log_as_json_prints_one_document_at_the_end() -> None:
    app = FakeApp().on(f"GET runs/{RUN}", a_run("running", a_step(status="running")), a_run("succeeded", a_step()))
    app.on(f"GET runs/{RUN}/steps/split/logs", "one\n", "one\ntwo\n").on(f"GET runs/{RUN}/steps/split/items", {"items": []})
    assert json.loads(World(app).run("logs", RUN, "split", "--follow", "--json").stdout)["log"] == "one\ntwo\n"


def test_following_waits_while_azure_has_no_log_yet_and_while_the_app_restarts() -> None:
    running, over = a_run("running", a_step(status="running")), a_run("succeeded", a_step())
    app = FakeApp().on(f"GET runs/{RUN}", *[running] * 40, httpx.ConnectError("gone"), httpx.Response(500), running, over)
    app.on(f"GET runs/{RUN}/steps/split/logs", *[a_problem(503, "Unavailable", "in transition")] * 40, "one\n", "one\ntwo\n")
    result = World(app).run("logs", RUN, "split", "--follow", "--tail", "5")
    assert (result.exit_code, result.stdout) == (0, "one\ntwo\n")
    tails = [one.url.params.get("tail") for one in app.sent(f"GET runs/{RUN}/steps/split/logs")]
    assert tails == ["5"] * 41 + [None]


def test_following_ends_when_the_app_stays_away() -> None:
    app = FakeApp().on(f"GET runs/{RUN}", a_run("succeeded", a_step()))
    app.on(f"GET runs/{RUN}/steps/split/logs", a_problem(503, "Unavailable", "in transition"))
    world = World(app)
    result = world.run("logs", RUN, "split", "--follow")
    assert (result.exit_code, len(world.sleeps)) == (2, 15)
    assert "in transition" in result.stderr


@pytest.mark.parametrize(("run", "step"), [("running", "skipped"), ("cancelled", "pending")])
def test_following_what_never_had_a_log_ends_with_the_reason(run: str, step: str) -> None:
    app = FakeApp().on(f"GET runs/{RUN}", a_run(run, a_step(status=step)))
    app.on(f"GET runs/{RUN}/steps/split/logs", a_problem(404, "No log", "no container was launched for it"))
    result = World(app).run("logs", RUN, "split", "--follow")
    assert result.exit_code == 2
    assert f"step split is {step} and has no log: no container was launched for it" in result.stderr


def test_an_error_is_json_too_when_json_was_asked_for() -> None:
    errors = ({"field": "year", "message": "is required"},)
    app = FakeApp().on("POST workflows/report/runs", a_problem(400, "Bad variables", "year: is required", *errors))
    result = World(app).run("start", "report", "--json")
    expected = {"message": "Bad variables\n  year: is required", "status": 400, "errors": list(errors)}
    assert (result.exit_code, json.loads(result.stdout)) == (2, {"error": expected})
    assert result.stderr == "loadme: Bad variables\n  year: is required\n"
    away = World(FakeApp().on("GET workflows", httpx.ConnectError("refused"))).run("workflows", "--json")
    assert json.loads(away.stdout)["error"]["status"] is None
    assert "error" in json.loads(World().run("runs", "--json", url=None, key="").stdout)
    assert "does not exist" in json.loads(World().run("validate", "--json", "no/such.yaml").stdout)["error"]["message"]


def test_a_field_is_told_once_with_its_hint() -> None:
    errors = [{"field": name, "message": "is required", "hint": "give it"} for name in ("year", "day")]
    detail = "year: is required; day: is required"
    app = FakeApp().on("POST workflows/report/runs", a_problem(400, "Bad variables", detail, *errors))
    assert (
        World(app).run("start", "report").stderr == "loadme: Bad variables\n  year: is required (give it)\n  day: is required (give it)\n"
    )


def test_what_the_api_advises_is_said_in_the_words_of_the_command_line() -> None:
    broken = "These files are broken, GET /api/health says why: cycle.yaml."
    app = FakeApp().on(
        "POST workflows/x/runs",
        a_problem(404, "Unknown workflow", f"there is no workflow 'x': `GET /api/workflows` lists those that there are. {broken}"),
    )
    app.on("GET runs/nope", a_problem(404, "Unknown run", "there is no run 'nope': GET /api/runs lists them"))
    said = World(app).run("start", "x").stderr
    assert "`loadme workflows` lists those that there are. These files are broken, `loadme workflows` says why: cycle.yaml." in said
    assert "`loadme runs` lists them" in World(app).run("show", "nope").stderr


def test_runs_of_a_workflow_that_does_not_exist_are_an_error_and_of_an_unused_one_are_none() -> None:
    app = an_app().on("GET runs", {"runs": [], "continuation": None})
    app.on("GET workflows/nope", a_problem(404, "Unknown workflow", "there is no workflow 'nope'"))
    assert World(app).run("runs", "--workflow", "report").stdout == "no runs\n"
    result = World(app).run("runs", "--workflow", "nope")
    assert (result.exit_code, "there is no workflow 'nope'" in result.stderr) == (2, True)


def test_a_variable_that_is_given_twice_is_refused_and_a_missing_file_names_its_variable(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    world = World(an_app())
    result = world.run(
        "start", "report", "-v", "region=a", "-v", "region=a", "-v", "any=@nofile", "-v", "any=1", "-v", f"days=@{tmp_path}/binary"
    )
    assert result.exit_code == 2
    for part in ("region is given twice", "any: the file 'nofile' cannot be read", "any=@@nofile", "any is given twice", "is not UTF-8"):
        assert part in result.stderr
    assert not world.app.sent("POST workflows/report/runs")


@pytest.mark.parametrize(
    ("kind", "details", "shown", "offers_log"),
    [
        ("outputs", ["rows: must be whole", "b: is bad"], ["  b: is bad"], True),
        ("failed", ["day: 2012-01-01"], ["  day: 2012-01-01"], True),
        ("exit_code", ["Error", "Pulling: x", "Pulled: x", "Started: x", "restarted 2 times"], ["  Azure says: restarted 2 times"], True),
        (
            "image",
            ["DeploymentFailed: see elsewhere", "InaccessibleImage: no such image"],
            ["  Azure says: InaccessibleImage: no such image"],
            False,
        ),
    ],
)
def test_a_failure_has_its_details_without_noise(kind: str, details: list[str], shown: list[str], offers_log: bool) -> None:
    error = {
        "kind": kind,
        "message": "rows: must be whole",
        "step": "split",
        "details": details,
        "log": [],
        "exit_code": None,
        "hint": None,
    }
    run = a_run("failed", a_step(status="failed", error=error), error=error)
    lines = World(FakeApp().on(f"GET runs/{RUN}", run)).run("show", RUN).stdout.splitlines()
    after = lines[lines.index("step split failed: rows: must be whole") + 1 :]
    log = [f"  the whole log: loadme logs {RUN} split"] if offers_log else []
    assert after == [
        f"  kind: {kind}",
        *shown,
        *log,
        f"  once it is mended: loadme resume {RUN} (a changed workflow file counts for new runs only)",
    ]


def test_a_step_that_is_another_run_has_no_log_of_its_own() -> None:
    error = {"kind": "exit_code", "message": "exit code 2", "step": "split"}
    app = FakeApp().on(f"GET runs/{RUN}", a_run("failed", a_step(status="failed", error=error, child="c1", kind="workflow"), error=error))
    app.on(f"GET runs/{RUN}/steps/split/logs", a_problem(404, "No log", "no container of attempt 1"))
    assert "loadme logs" not in World(app).run("show", RUN).stdout
    assert "a run of its own, whose steps have the logs: loadme show c1" in World(app).run("logs", RUN, "split").stderr


@pytest.mark.parametrize("command", [[], *([name] for name in loadme.commands)])
def test_help_is_there_for_every_command(command: list[str]) -> None:
    result = World().run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.stdout
    if command not in (["runs"], ["workflows"]):
        assert "Examples:" in result.stdout


def test_the_version_is_told() -> None:
    assert World().run("--version").stdout.startswith("loadme, version ")
