"""The module `loadme.step` as a script sees it, without loadme."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

import loadme.step
from loadme.step import BlobFiles, LocalFiles, OutputError, Step, environment_variables, main

SOURCE = Path(loadme.step.__file__)


def outside(**environ: str) -> Step:
    """A step that was not started by loadme."""
    return Step(environ)


def test_the_file_is_python_3_8_and_imports_nothing_but_the_standard_library() -> None:
    tree = ast.parse(SOURCE.read_text("utf-8"), feature_version=(3, 8))

    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in imported if name.split(".")[0] == "loadme"]
    assert "email.utils" in imported


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("3", 3),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ('["a"]', ["a"]),
        ('{"a":1}', {"a": 1}),
        ("NaN", "NaN"),
        ("", ""),
    ],
)
def test_a_variable_from_the_environment_is_json_if_it_reads_so(text: str, value: Any) -> None:
    found = environment_variables({"___DAY": text, "DAY": "not ours", "___": "no name"}, "___")

    assert found == {"day": value}


def test_variables_come_from_the_environment_under_the_prefix_that_is_set(capsys: pytest.CaptureFixture[str]) -> None:
    step = outside(LOADME_VARIABLE_PREFIX="JOB_", JOB_FROM_YEAR="2012", ___OTHER="x")

    assert step.variables() == {"from_year": 2012}
    assert step.variable("From_Year") == 2012


def test_a_variable_that_is_not_there_is_named_with_those_that_are() -> None:
    step = outside(___A="1", ___B="2")

    assert step.variable("c", default=None) is None
    with pytest.raises(KeyError, match=r"no variable c; there are: a, b"):
        step.variable("c")


def test_by_hand_the_way_to_give_a_variable_is_told() -> None:
    with pytest.raises(KeyError, match=r"by hand, set ___TEXT in the environment"):
        outside().variable("text")
    with pytest.raises(KeyError, match=r"set JOB_TEXT"):
        outside(LOADME_VARIABLE_PREFIX="JOB_").variable("text")


def test_outside_loadme_one_warning_is_all_that_happens(capsys: pytest.CaptureFixture[str]) -> None:
    step = outside()

    step.output(rows=3)
    step.heartbeat(0.5)
    step.report()
    step.variables()

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("not started by loadme") == captured.err.count("\n") == 1


def test_outside_loadme_a_failure_ends_the_script_with_its_message() -> None:
    with pytest.raises(SystemExit, match="no data"):
        outside().fail("no data", day="2012-01-01")


def test_a_failure_may_have_a_kind_of_its_own(tmp_path: Path) -> None:
    step = outside(LOADME_OUTPUT=str(tmp_path / "output"))

    with pytest.raises(SystemExit, match="locked"):
        step.fail("it is locked", kind="index-is-locked", index="west")

    failure = json.loads((tmp_path / "output.failure").read_text("utf-8"))
    assert failure == {"kind": "index-is-locked", "message": "it is locked", "details": ["index: west"]}


@pytest.mark.parametrize("name", ["", "a-b", "1a", "a b", "é"])
def test_an_output_with_a_bad_name_is_refused_at_once(name: str) -> None:
    with pytest.raises(OutputError):
        outside().output(**{name or " ": 1})


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_an_output_that_is_not_json_is_refused_at_once(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        outside().output(rows=value)


def test_under_the_runner_outputs_go_to_the_file_also_after_an_unfinished_line(tmp_path: Path) -> None:
    path = tmp_path / "outputs"
    path.write_text("shell=1")
    step = outside(LOADME_OUTPUT=str(path))

    step.output(rows=3)
    step.output("name", "x")

    assert loadme.step.read_outputs(path) == {"shell": "1", "rows": 3, "name": "x"}


def test_local_files_are_put_got_and_listed(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path / "files")
    (tmp_path / "source").write_bytes(b"\0\1")

    files.put("b.txt", "é")
    files.put("parts/a.bin", b"\xff")
    files.put("parts/source", tmp_path / "source")

    assert files.list() == ["b.txt", "parts/a.bin", "parts/source"]
    assert files.list("parts/") == ["parts/a.bin", "parts/source"]
    assert (files.get("b.txt"), files.get("parts/source")) == ("é".encode(), b"\0\1")
    with pytest.raises(FileNotFoundError):
        files.get("none")


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../b", "a//b", "a\\b", "./a", "a/"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    for files in (LocalFiles(tmp_path), BlobFiles("https://account.invalid/files/run", {})):
        with pytest.raises(ValueError, match="no name of a file"):
            files.put(name, b"")


def test_help_is_asked_for_or_due(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "python -m loadme.step run -- COMMAND" in capsys.readouterr().out
    assert main(["run", "echo"]) == 2
    assert "python -m loadme.step run -- COMMAND" in capsys.readouterr().err
