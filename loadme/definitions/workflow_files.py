"""The workflow files of an app. One broken file takes down only itself: nothing here raises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath

from msgspec import Struct

from loadme.definitions.catalogue_rules import unfit
from loadme.definitions.definition import Workflow
from loadme.definitions.documents import MOST_BYTES, Unreadable, read_json, read_yaml
from loadme.definitions.names import PREFIX
from loadme.definitions.problems import Problem
from loadme.definitions.validation import parse

SUFFIXES = (".yaml", ".yml", ".json")
_NO_WORKFLOWS = ("images.yaml", "images.yml", "images.json")  # the local cloud's image map lives in the same folder


class BrokenFile(Struct, frozen=True):
    """A file that defines no workflow, and why."""

    file: str
    problems: tuple[Problem, ...]


class Catalogue(Struct, frozen=True):
    """The workflows by their names, the files that are broken, and the file of each workflow."""

    workflows: dict[str, Workflow] = {}
    broken: tuple[BrokenFile, ...] = ()
    files: dict[str, str] = {}


def load(text: str, source: str, prefix: str = PREFIX) -> tuple[Workflow | None, list[Problem]]:
    """The workflow that a file's text defines, or None and all its problems; `source` is the file's name."""
    try:
        document = read_json(text) if source.lower().endswith(".json") else read_yaml(text)
    except Unreadable as error:
        return None, [Problem("", str(error))]
    if not isinstance(document, dict):
        return None, [Problem("", "is not a workflow: it has no keys", "begin with `name:` and `steps:`")]
    return parse(document, prefix)


def load_folder(folder: Path, prefix: str = PREFIX) -> Catalogue:
    """The catalogue of a folder; folders inside it are the workflows' own business."""
    try:
        paths = sorted(path for path in folder.iterdir() if _is_workflow(path.name) and path.is_file())
    except OSError as error:
        return Catalogue(broken=(BrokenFile(folder.name, (Problem("", f"the folder of workflows cannot be read: {error.strerror}"),)),))
    return catalogue({path.name: _read(path) for path in paths}, prefix)


def catalogue(files: Mapping[str, bytes | OSError], prefix: str = PREFIX, beside: Mapping[str, Workflow] | None = None) -> Catalogue:
    """The catalogue of files given by name: their contents, or why they could not be read. `beside` are workflows that theirs may run
    as steps, and that are no part of it."""
    workflows: dict[str, Workflow] = {}
    broken: list[BrokenFile] = []
    origins: dict[str, list[str]] = {}
    for file, content in files.items():
        workflow, problems = _load_content(content, file, prefix)
        if workflow is None:
            broken.append(BrokenFile(file, tuple(problems)))
        else:
            workflows[workflow.name] = workflow
            origins.setdefault(workflow.name, []).append(file)
    for name, sources in origins.items():
        if len(sources) > 1:
            del workflows[name]
            broken.extend(BrokenFile(file, (_twice(name, file, sources),)) for file in sources)
    alone = {name: sources[0] for name, sources in origins.items() if name in workflows}
    broken.extend(_unfit(workflows, beside or {}, {PurePath(one.file).stem: one.file for one in broken}, alone))
    return Catalogue(workflows, tuple(sorted(broken, key=lambda entry: entry.file)), {name: alone[name] for name in workflows})


def _unfit(
    workflows: dict[str, Workflow], beside: Mapping[str, Workflow], broken: Mapping[str, str], files: Mapping[str, str]
) -> list[BrokenFile]:
    """Takes out the workflows whose steps run others that they cannot. A broken file is taken for a workflow of its own name."""
    wrong = unfit({**beside, **workflows}, broken)
    return [BrokenFile(files[name], tuple(problems)) for name, problems in wrong.items() if workflows.pop(name, None) is not None]


def _load_content(content: bytes | OSError, file: str, prefix: str) -> tuple[Workflow | None, list[Problem]]:
    if isinstance(content, OSError):
        return None, [Problem("", f"cannot be read: {content.strerror}")]
    if len(content) > MOST_BYTES:
        return None, [Problem("", f"is too large, {MOST_BYTES} bytes are allowed")]
    try:
        return load(content.decode("utf-8-sig"), file, prefix)
    except UnicodeDecodeError as error:
        return None, [Problem("", f"is not UTF-8 at byte {error.start}", "save it as UTF-8")]
    except Exception as error:  # a bug of ours must not take the other workflows down with it
        return None, [Problem("", f"could not be checked: {type(error).__name__}: {error}", "please report this")]


def _is_workflow(name: str) -> bool:
    return not name.startswith(".") and PurePath(name).suffix.lower() in SUFFIXES and name.lower() not in _NO_WORKFLOWS


def _read(path: Path) -> bytes | OSError:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)  # one more than is allowed shows that it is too large
    except OSError as error:
        return error


def _twice(name: str, file: str, sources: list[str]) -> Problem:
    others = ", ".join(other for other in sources if other != file)
    return Problem("name", f"the workflow `{name}` is also defined in {others}", "rename one of them: neither is used")
