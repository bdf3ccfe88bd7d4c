"""`loadme validate`: workflow files, and the image map beside them, without any function app."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from loadme.cli import image_map, templates
from loadme.cli.errors import Trouble
from loadme.core.secrets import needing_a_vault
from loadme.definitions.definition import Workflow
from loadme.definitions.doubts import doubts
from loadme.definitions.problems import Problem, closest
from loadme.definitions.workflow_files import SUFFIXES, Catalogue, catalogue, load_folder

FOLDER = Path("workflows")
CHECKOUT = "host.json"  # every function app has one, beside its workflows


class _Found(Struct, frozen=True):
    """What is at a path; `folder` is where its files lie."""

    folder: Path
    catalogue: Catalogue

    def file_of(self, workflow: str) -> str:
        return str(self.folder / self.catalogue.files[workflow])


def validate(paths: Sequence[Path], given: Sequence[str] = ()) -> dict[str, Any]:
    """Every file of every path, the folder of workflows if there is none, against the templates that are given:
    `{"workflows": [names], "broken": [{"file", "errors": [{path, message, hint}]}], "warnings": [as broken]}`."""
    declared = templates.read(given)
    found = [_found(path) for path in paths or (_folder(),)]
    templates.check_named((workflow for one in found for workflow in one.catalogue.workflows.values()), declared)
    misfits = [
        (one, name, list(templates.misfits(workflow, declared))) for one in found for name, workflow in one.catalogue.workflows.items()
    ]
    maps = {folder: image_map.read(folder / image_map.FILE) for one in found if (folder := one.folder) if _has_map(folder)}
    broken = [_entry(str(one.folder / bad.file), bad.problems) for one in found for bad in one.catalogue.broken]
    broken += [_entry(str(folder / image_map.FILE), problems) for folder, (_, problems) in maps.items() if problems]
    broken += [_entry(one.file_of(name), problems) for one, name, problems in misfits if problems]
    warnings = [
        _entry(one.file_of(name), doubted)
        for one in found
        for name, workflow in one.catalogue.workflows.items()
        if (
            doubted := [
                *doubts(workflow),
                *templates.uncompared(workflow, declared),
                *_unkept(workflow),
                *_unmapped(workflow, maps.get(one.folder, (None, []))[0]),
            ]
        )
    ]
    return {"workflows": [name for _, name, problems in misfits if not problems], "broken": broken, "warnings": warnings}


def _has_map(folder: Path) -> bool:
    return (folder / image_map.FILE).is_file()


def _unkept(workflow: Workflow) -> Iterator[Problem]:
    """The outputs for which the app must have a vault of its own: nothing here says that it has, unless the environment does."""
    hint = "set LOADME_KEY_VAULT for the app, and here if it is set: docs/secrets.md"
    for step, output in () if os.environ.get("LOADME_KEY_VAULT") else needing_a_vault(workflow):
        folder = "finally" if step in workflow.last else "steps"
        yield Problem(f"{folder}.{step}.outputs.{output}", "is a secret, for which the app needs a key vault of its own", hint)


def _unmapped(workflow: Workflow, known: image_map.ImageMap | None) -> Iterator[Problem]:
    return image_map.unknown(workflow, known) if known is not None else iter(())


def _folder() -> Path:
    """The folder `workflows` of the working directory, or of the checkout that it is in. Raises Trouble."""
    here = Path.cwd()
    if FOLDER.is_dir():
        return FOLDER
    for above in here.parents:
        if (above / CHECKOUT).is_file() and (above / FOLDER).is_dir():
            return Path(os.path.relpath(above / FOLDER))
    raise Trouble(f"{FOLDER} does not exist here, nor in a checkout above: name a workflow file or a folder of them")


def _found(path: Path) -> _Found:
    """What is in a folder, in a file, or in the file of a workflow that is named. Raises Trouble when there is nothing to check."""
    if not path.exists():
        return _named(path)
    if path.is_dir():
        found = load_folder(path)
        if not found.workflows and not found.broken:
            raise Trouble(f"there is no workflow file (*.yaml, *.yml, *.json) in {path}")
        return _Found(path, found)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror}") from error
    # Whether the workflows that its steps run are there is seen in its folder; most files name none.
    beside = load_folder(path.parent).workflows if b"workflow" in content else {}
    return _Found(path.parent, catalogue({path.name: content}, beside=beside))


def _named(path: Path) -> _Found:
    """The workflow of that name in the folder of workflows; a broken file goes by its own name."""
    name = str(path)
    if path.parent != Path() or path.suffix.lower() in SUFFIXES:
        raise Trouble(f"{path} does not exist: name a workflow file, a folder of them, or a workflow")
    folder = _folder()
    whole = load_folder(folder)
    if name in whole.workflows:
        return _Found(folder, Catalogue(workflows={name: whole.workflows[name]}, files=whole.files))
    bad = tuple(one for one in whole.broken if Path(one.file).stem == name)
    if bad:
        return _Found(folder, Catalogue(broken=bad))
    like = closest(name, [*whole.workflows, *(Path(one.file).stem for one in whole.broken)])
    raise Trouble(f"there is no file, folder or workflow {name}" + (f": did you mean {like}?" if like else ""))


def _entry(file: str, problems: Iterable[Problem]) -> dict[str, Any]:
    return {"file": file, "errors": [_error(problem) for problem in problems]}


def _error(problem: Problem) -> dict[str, str]:
    words = {"path": problem.path, "message": problem.message}
    return {**words, "hint": problem.hint} if problem.hint else words


def lines(report: dict[str, Any]) -> list[str]:
    """The report for people: a line for each problem, then the count of what is fine."""
    texts = [_line(broken["file"], error) for broken in report["broken"] for error in broken["errors"]]
    texts += [_line(doubted["file"], error, "warning: ") for doubted in report["warnings"] for error in doubted["errors"]]
    fine, bad = len(report["workflows"]), len(report["broken"])
    texts.append(f"{fine} workflow is fine" if fine == 1 else f"{fine} workflows are fine")
    texts += [f"{bad} {'file is' if bad == 1 else 'files are'} broken"] if bad else []
    return texts


def _line(file: str, error: dict[str, str], what: str = "") -> str:
    place = f"{file}:{error['path']}" if error["path"] else file
    hint = f" ({error['hint']})" if error.get("hint") else ""
    return f"{place}: {what}{error['message']}{hint}"
