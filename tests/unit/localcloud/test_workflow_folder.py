"""What the local cloud does with the user's workflow files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localcloud.cloud import Cloud, CloudError, CloudSettings
from localcloud.workflows import WorkflowFolder, choose, complaint

Change = Callable[[Path], object]


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        (lambda folder: (folder / "new.yml").write_text("name: new"), True),
        (lambda folder: (folder / "hello.yaml").write_text("name: something else"), True),
        (lambda folder: (folder / "hello.yaml").unlink(), True),
        (lambda folder: (folder / "images.yaml").write_text("images: {}"), False),
        (lambda folder: (folder / "script.py").write_text("print()"), False),
        (lambda _folder: None, False),
    ],
)
def test_a_workflow_file_that_is_new_changed_or_gone_is_noticed_once_and_nothing_else_is(
    tmp_path: Path, change: Change, counts: bool
) -> None:
    (tmp_path / "hello.yaml").write_text("name: hello")
    folder = WorkflowFolder(tmp_path)

    change(tmp_path)

    assert (folder.has_changed(), folder.has_changed()) == (counts, False)


def test_a_folder_that_goes_away_and_comes_back_is_only_a_change(tmp_path: Path) -> None:
    folder = WorkflowFolder(tmp_path / "workflows")
    assert not folder.has_changed()

    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "a.json").write_text("{}")

    assert folder.has_changed()


def test_a_folder_of_workflows_that_is_not_there_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "nothere"

    with pytest.raises(CloudError, match=f"there is no folder {missing}"):
        Cloud(CloudSettings(folder=tmp_path / "state", workflows=missing)).start()

    assert list(tmp_path.iterdir()) == []


def workflow(name: str, *required: str) -> dict[str, Any]:
    return {"name": name, "variables": {"properties": {}, "required": list(required)}}


@pytest.mark.parametrize(
    ("workflows", "chosen"),
    [
        ([workflow("a"), workflow("hello")], "hello"),
        ([workflow("a", "x"), workflow("b"), workflow("c")], "b"),
        ([workflow("b"), workflow("hello", "x")], "b"),
        ([{"name": "bare"}], "bare"),
        ([workflow("a", "x")], None),
        ([], None),
    ],
)
def test_the_first_run_is_hello_or_whatever_needs_no_variable(workflows: list[dict[str, Any]], chosen: str | None) -> None:
    assert choose(workflows) == chosen


@pytest.mark.parametrize(
    ("errors", "line"),
    [
        ([{"field": "steps.a.imagee", "message": "is unknown\n here"}], "x.yaml: steps.a.imagee: is unknown here"),
        ([{"message": "is not YAML"}, {"message": "b"}], "x.yaml: is not YAML (and 1 more: loadme validate)"),
        ([], "x.yaml: the app refuses it"),
    ],
)
def test_a_broken_file_is_one_line(errors: list[dict[str, str]], line: str) -> None:
    assert complaint({"file": "x.yaml", "errors": errors}) == line
