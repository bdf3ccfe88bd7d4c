"""The command line: what its options mean, and what it says when no cloud is up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from localcloud.cli.commands import localcloud
from localcloud.cli.options import options_of_up, settings_of
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
