"""`loadme validate`, on real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli_fakes import World

GOOD = "name: {name}\nsteps: {{a: {{image: x}}}}\n"
BAD = "name: bad\nstepz: {}\nsteps: {a: {image: x, needs: [b]}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD.format(name="good"))
    (tmp_path / "images.yaml").write_text("images: {}\n")
    return tmp_path


def test_a_folder_without_faults_is_fine(folder: Path) -> None:
    result = World().run("validate", str(folder))
    assert (result.exit_code, result.stdout) == (0, "1 workflow is fine\n")


def test_every_fault_is_a_line_with_file_and_path(folder: Path) -> None:
    (folder / "bad.yaml").write_text(BAD)
    result = World().run("validate", str(folder))
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert any(line.startswith(f"{folder / 'bad.yaml'}:stepz: ") and "did you mean `steps`?" in line for line in lines)
    assert any(line.startswith(f"{folder / 'bad.yaml'}:steps.a.needs[0]: ") for line in lines)
    assert lines[-2:] == ["1 workflow is fine", "1 file is broken"]


def test_a_fault_of_the_whole_file_has_no_path(folder: Path) -> None:
    (folder / "bad.yaml").write_text("- 1\n")
    assert f"{folder / 'bad.yaml'}: is not a workflow" in World().run("validate", str(folder / "bad.yaml")).stdout


def test_json_names_what_is_good_and_what_is_broken(folder: Path) -> None:
    (folder / "bad.yaml").write_text(BAD)
    (folder / "also.json").write_text('{"name": "also", "steps": {"a": {"image": "x"}}}')
    report = json.loads(
        World().run("validate", "--json", str(folder / "bad.yaml"), str(folder / "good.yaml"), str(folder / "also.json")).stdout
    )
    assert report["workflows"] == ["good", "also"]
    assert [broken["file"] for broken in report["broken"]] == [str(folder / "bad.yaml")]
    assert report["broken"][0]["errors"][0].keys() == {"path", "message", "hint"}


def test_without_a_path_the_folder_workflows_is_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    missing = World().run("validate")
    assert (missing.exit_code, "workflows does not exist" in missing.stderr) == (2, True)
    (folder / "workflows").mkdir()
    assert "there is no workflow file" in World().run("validate").stderr
    (folder / "workflows" / "one.yml").write_text(GOOD.format(name="one"))
    assert World().run("validate").stdout == "1 workflow is fine\n"
