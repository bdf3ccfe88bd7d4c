"""The command line: what its options mean, and what it says when no cloud is up."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner

from localcloud.__main__ import main
from localcloud.cli import running
from localcloud.cli.commands import localcloud
from localcloud.cli.options import options_of_up, settings_of
from localcloud.cli.side import Side
from localcloud.settings import CloudSettings


def settings(*words: str) -> CloudSettings:
    """What `up` would be started with."""
    found: list[CloudSettings] = []

    @click.command()
    @options_of_up
    def command(**given: Any) -> None:
        found.append(settings_of(given, print))

    result = CliRunner().invoke(command, words)
    assert result.exit_code == 0, result.output
    return found[0]


def test_without_options_nothing_outlives_the_cloud() -> None:
    assert settings().kept is None
    assert settings().folder == Path(".localcloud")


@pytest.mark.parametrize(("words", "folder"), [(["--keep"], ".localcloud/kept"), (["--state", "sales"], "sales")])
def test_what_is_kept_has_a_folder(words: list[str], folder: str) -> None:
    assert settings(*words).kept == Path(folder)


def test_settings_of_the_app_and_the_seed_are_taken_over() -> None:
    found = settings("--set", "A=1=2", "--set", "B=", "--seed", "7", "--scale", "1", "--images", "a.yaml", "--images", "b.yaml")

    assert found.environment == {"A": "1=2", "B": ""}
    assert (found.arm.seed, found.scale, found.images) == (7, 1.0, (Path("a.yaml"), Path("b.yaml")))


def test_the_engine_of_the_app_is_taken_over() -> None:
    assert (settings().engine, settings("--engine", "runtime", "--engine-python", "p").engine_python) == ("sdk", "p")
    assert settings("--engine", "runtime").engine == "runtime"


@pytest.mark.parametrize("words", [["status"], ["status", "--json"]])
def test_where_none_is_up_the_status_says_so(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(localcloud, words)

    assert result.exit_code == 3
    assert result.output in {"localcloud: none is up in this folder\n", "null\n"}


def test_every_command_explains_itself() -> None:
    for name, command in localcloud.commands.items():
        shown = " ".join(CliRunner().invoke(localcloud, [name, "--help"]).output.split())
        assert command.help is not None
        assert command.help.splitlines()[0] in shown
        assert all(option.help for option in command.params if isinstance(option, click.Option)), name


def test_what_is_kept_is_in_json_for_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("localcloud.cli.commands.StateFile.read", lambda _self: {"url": "http://127.0.0.1:1", "pid": 1, "arm": "x"})

    result = CliRunner().invoke(localcloud, ["status", "--json"])

    assert (result.exit_code, json.loads(result.output)["pid"]) == (0, 1)


def test_in_the_background_it_gets_the_words_of_the_call_and_not_those_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    found = {"url": "", "pid": 1, "arm": "", "key": "", "log": ""}
    monkeypatch.setattr("localcloud.cli.running.in_background", lambda words, _folder: given.append(words) or found)
    monkeypatch.setattr("sys.argv", ["pytest", "something", "else"])

    with pytest.raises(SystemExit) as ended:
        main(["up", "-d", "--seed", "7"])

    assert (ended.value.code, given) == (0, [["up", "--seed", "7"]])


def test_the_log_of_the_background_is_its_owner_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "up.log").write_text("of an older version")
    (tmp_path / "up.log").chmod(0o644)
    modes: list[int] = []

    def popen(_command: list[str], stdout: Any, **_more: Any) -> SimpleNamespace:
        modes.append(os.fstat(stdout.fileno()).st_mode & 0o777)
        return SimpleNamespace(pid=1)

    monkeypatch.setattr("subprocess.Popen", popen)
    monkeypatch.setattr("localcloud.cli.running._until_ready", lambda *_: {})
    running.in_background(["up"], tmp_path)

    assert modes == [0o600]


def test_a_group_s_name_is_one_segment_of_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    paths: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(200, json={})

    side = Side({"arm": "https://arm"}, httpx.MockTransport(answer))
    monkeypatch.setattr("localcloud.cli.side.found_here", dict)
    monkeypatch.setattr("localcloud.cli.side.Side", lambda _found: side)

    result = CliRunner().invoke(localcloud, ["groups", "release", "a/b?c#d"])

    assert (result.output, paths) == ("released\n", [b"/localcloud/groups/a%2Fb%3Fc%23d/release"])


@pytest.mark.parametrize(("words", "code"), [(["status"], 0), (["groups"], 3)])
def test_a_state_file_that_says_too_little_is_no_traceback(words: list[str], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.cli.side.StateFile.read", lambda _self: {"url": "http://127.0.0.1:1", "pid": 1})

    assert CliRunner().invoke(localcloud, words).exit_code == code
