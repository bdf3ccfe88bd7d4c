"""The image map beside the workflow files: which command stands for which image when the local cloud runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import yaml
from msgspec import Struct

from loadme.definitions.definition import Workflow
from loadme.definitions.expressions import has_expression
from loadme.definitions.problems import Problem, closest
from loadme.definitions.shapes import salvage

FILE = "images.yaml"
BUILT_IN = frozenset({"loadme.local/shell:1", "loadme.local/python:1"})


class Image(Struct, frozen=True, forbid_unknown_fields=True):
    """What stands for an image: the command that it would bring, and environment of its own."""

    command: tuple[str, ...]
    env: dict[str, str] | None = None


class ImageMap(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    images: dict[str, Image] | None


def read(file: Path) -> tuple[ImageMap | None, list[Problem]]:
    """The map in a file, or what is wrong with it, at first sight: the local cloud refuses to start with a wrong one."""
    try:
        # Read as the local cloud reads it, where `yes` is no text.
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        return None, [Problem("", f"cannot be read: {error.strerror}")]
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        return None, [Problem("", f"is not YAML: {' '.join(str(error).split())}")]
    try:
        found = msgspec.convert(content, ImageMap)
    except msgspec.ValidationError as error:
        return None, salvage(content, ImageMap)[1] or [Problem("", str(error))]
    empty = [Problem(f"images.{name}.command", "is empty") for name, image in (found.images or {}).items() if not image.command]
    return (None, empty) if empty else (found, [])


def unknown(workflow: Workflow, known: ImageMap) -> Iterator[Problem]:
    """The images of a workflow that the local cloud could not run. One with an expression in it is known only when it runs."""
    images = {*(known.images or ()), *BUILT_IN}
    for path, image in _images(workflow):
        if image not in images and not has_expression(image):
            like = closest(image, images)
            hint = f"did you mean `{like}`?" if like else "add it there with the command that stands for it; on Azure it is pulled"
            yield Problem(path, f"`{image}` is not in {FILE}, so the local cloud cannot run it", hint)


def _images(workflow: Workflow) -> Iterator[tuple[str, str]]:
    for name, step in workflow.every_step.items():
        if step.image is not None:
            yield f"steps.{name}.image", step.image
        for folder, beside in (("init", step.init), ("sidecars", step.sidecars)):
            yield from ((f"steps.{name}.{folder}.{other}.image", one.image) for other, one in beside.items())
