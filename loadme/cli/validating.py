"""`loadme validate`: workflow files without any function app."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from loadme.cli.errors import Trouble
from loadme.definitions.problems import Problem
from loadme.definitions.workflow_files import Catalogue, catalogue, load_folder

FOLDER = Path("workflows")


def validate(paths: Iterable[Path]) -> dict[str, Any]:
    """Every file of every path: `{"workflows": [names], "broken": [{"file", "errors": [{path, message, hint}]}]}`."""
    names: list[str] = []
    broken: list[dict[str, Any]] = []
    for path in paths:
        found = _catalogue(path)
        names += found.workflows
        parent = path if path.is_dir() else Path()
        broken += [{"file": str(parent / one.file), "errors": [_error(problem) for problem in one.problems]} for one in found.broken]
    return {"workflows": names, "broken": broken}


def _catalogue(path: Path) -> Catalogue:
    """What is in a folder or a file. Raises Trouble when there is nothing to check."""
    if not path.exists():
        raise Trouble(f"{path} does not exist: name a workflow file or a folder of them")
    if path.is_dir():
        found = load_folder(path)
        if not found.workflows and not found.broken:
            raise Trouble(f"there is no workflow file (*.yaml, *.yml, *.json) in {path}")
        return found
    try:
        return catalogue({str(path): path.read_bytes()})
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror}") from error


def _error(problem: Problem) -> dict[str, str]:
    return {"path": problem.path, "message": problem.message, "hint": problem.hint}


def lines(report: dict[str, Any]) -> list[str]:
    """The report for people: a line for each problem, then the count of what is fine."""
    texts = [_line(broken["file"], error) for broken in report["broken"] for error in broken["errors"]]
    fine, bad = len(report["workflows"]), len(report["broken"])
    texts.append(f"{fine} workflow is fine" if fine == 1 else f"{fine} workflows are fine")
    texts += [f"{bad} {'file is' if bad == 1 else 'files are'} broken"] if bad else []
    return texts


def _line(file: str, error: dict[str, str]) -> str:
    place = f"{file}:{error['path']}" if error["path"] else file
    return f"{place}: {error['message']}" + (f" ({error['hint']})" if error["hint"] else "")
