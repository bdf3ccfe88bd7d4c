from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadme.definitions import workflow_files
from loadme.definitions.problems import Problem
from loadme.definitions.workflow_files import Catalogue, catalogue, load, load_folder

BROKEN = Path(__file__).parent / "broken_workflows"
GOOD = b"name: good\nsteps: {a: {image: i}}\n"

WHOLE = """
name: nightly-report
schedules:
  - {cron: "0 30 2 * * *", variables: {region: northeurope}}
variables:
  region: westeurope
  limit: 10
  day: {type: string, pattern: '^\\d{4}-\\d{2}-\\d{2}$', default: "${{ run.scheduled_at.substring(0, 10) }}"}
defaults: {cpu: 2, memory: 1.5, timeout: 1h, env: {LEVEL: info}}
steps:
  list-files:
    image: contoso.azurecr.io/report/list:1.4
    outputs: {files: array, note: {type: string, required: false}}
  convert:
    needs: [list-files]
    if: ${{ size(steps['list-files'].outputs.files) > 0 }}
    image: contoso.azurecr.io/report/convert:${{ variables.region }}
    command: [convert, "${{ variables.files }}"]
    timeout: 20m
"""


def test_a_file_becomes_a_workflow() -> None:
    workflow, problems = load(WHOLE, "nightly.yaml")

    assert problems == []
    assert workflow is not None
    assert list(workflow.steps) == ["list-files", "convert"]
    assert workflow.cpu(workflow.steps["convert"]) == 2
    assert workflow.variables["region"].default == "westeurope"
    assert [variable.type for variable in workflow.variables.values()] == ["string", "integer", "string"]


def test_json_is_read_as_well() -> None:
    workflow, problems = load(json.dumps({"name": "j", "description": "\U0001f600", "steps": {"a": {"image": "i"}}}), "j.json")

    assert problems == []
    assert workflow is not None


def report(found: Catalogue) -> str:
    return "".join(f"{broken.file}\n" + "".join(f"    {problem}\n" for problem in broken.problems) for broken in found.broken)


def test_every_broken_file_is_explained_as_expected() -> None:
    found = load_folder(BROKEN)

    assert found.workflows == {}
    assert report(found) == (BROKEN / "expected.txt").read_text()
    assert {broken.file for broken in found.broken} == {path.name for path in BROKEN.iterdir()} - {"expected.txt"}


def test_a_broken_file_takes_down_only_itself() -> None:
    found = catalogue({"a.yaml": b"name: [", "b.yaml": GOOD, "c.yaml": OSError(13, "Permission denied")})

    assert list(found.workflows) == ["good"]
    assert [broken.file for broken in found.broken] == ["a.yaml", "c.yaml"]
    assert found.broken[1].problems == (Problem("", "cannot be read: Permission denied"),)


def test_two_files_with_one_name_are_both_broken() -> None:
    found = catalogue({"a.yaml": GOOD, "b.yml": GOOD, "c.json": GOOD.replace(b"good", b"other")})

    assert found.workflows == {}  # c.json is no JSON
    assert [str(broken.problems[0]) for broken in found.broken][:2] == [
        "name: the workflow `good` is also defined in b.yml (rename one of them: neither is used)",
        "name: the workflow `good` is also defined in a.yaml (rename one of them: neither is used)",
    ]


def test_only_workflow_files_are_read(tmp_path: Path) -> None:
    for name in ("good.yaml", "images.yaml", ".hidden.yaml", "notes.txt"):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + GOOD)
    (tmp_path / "folder.yaml").mkdir()

    assert load_folder(tmp_path) == catalogue({"good.yaml": GOOD})
    assert load_folder(tmp_path).files == {"good": "good.yaml"}


def test_a_folder_that_is_missing_is_told_and_not_raised(tmp_path: Path) -> None:
    found = load_folder(tmp_path / "nowhere")

    assert found.workflows == {}
    assert "cannot be read" in found.broken[0].problems[0].message


def test_a_file_that_is_too_large_is_refused_for_that_even_when_its_limit_cuts_a_character(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_bytes(b"# " + "é".encode() * 600_000)

    found = load_folder(tmp_path)

    assert "too large" in found.broken[0].problems[0].message


def test_a_bug_in_a_check_takes_down_only_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(document: object, prefix: str) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(workflow_files, "parse", buggy)

    assert "ZeroDivisionError: oops" in catalogue({"a.yaml": GOOD}).broken[0].problems[0].message
