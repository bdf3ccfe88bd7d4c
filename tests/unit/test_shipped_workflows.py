"""The workflows that ship: sound, and every image of theirs is known to the local cloud."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from loadme.definitions.workflow_files import load

FOLDER = Path(__file__).parents[2] / "workflows"
WORKFLOWS = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "images.yaml")
BUILT_IN = {"loadme.local/python:1", "loadme.local/shell:1"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_shipped_workflow_has_no_problem(path: Path) -> None:
    workflow, problems = load(path.read_text("utf-8"), path.name)

    assert problems == []
    assert workflow is not None
    assert workflow.name == path.stem


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_image_of_a_shipped_workflow_is_mapped_to_a_script_that_exists(path: Path) -> None:
    images = yaml.safe_load((FOLDER / "images.yaml").read_text("utf-8"))["images"]
    workflow, _ = load(path.read_text("utf-8"), path.name)
    assert workflow is not None

    for step in workflow.steps.values():
        if step.image not in BUILT_IN:
            script = Path(images[step.image]["command"][-1].replace("{here}", str(FOLDER)))
            assert script.is_file()
