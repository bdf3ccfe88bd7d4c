"""The image map: which command stands for which image, in YAML files that a user extends.

images:
  contoso.azurecr.io/report/list:1.4:
    command: ["{python}", "{here}/list.py"]   # {here}: the map's folder; {python}: the interpreter; {app}: the app's folder
    env: {GREETING: hello}                    # optional: what the image itself would set
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from localcloud.files import short

_log = logging.getLogger(__name__)

# Always there, so that a workflow can bring its own command without a map.
BASIC = {"loadme.local/shell:1": "/bin/sh", "loadme.local/python:1": "{python}"}


class ImageMapError(Exception):
    """A map that cannot be used; the message is one line that names the file and the key."""


@dataclass(frozen=True)
class Image:
    """What an image would bring: the command that it runs, and environment of its own."""

    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


class ImageMap:
    """The images of several map files; later files win. A file that has changed is read again when an image is looked up.

    `own`, the user's map beside the workflow files, comes first, and may come into being later. Raises ImageMapError for a file that is
    wrong at first; one that becomes wrong later is reported, and its last good state kept.
    """

    def __init__(self, files: Sequence[Path], *, python: str, app: Path, own: Path | None = None) -> None:
        self.python = python
        self._app = app
        self._own = own
        self._files = (*([own] if own and own not in files else ()), *files)
        self._read: dict[Path, tuple[int, dict[str, Image]]] = {}
        for file in self._files:
            self._read[file] = (_version(file), self._parse(file))

    def find(self, name: str) -> Image | None:
        for file in reversed(self._files):
            self._refresh(file)
            image = self._read[file][1].get(name)
            if image is not None:
                return image
        basic = BASIC.get(name)
        return Image((self._fill(basic, Path()),), {"PYTHONPATH": str(self._app)}) if basic else None

    def advice(self, name: str) -> str:
        """What to do about an image that is in no map."""
        file = self._own or next(iter(self._files), None)
        where = f"{short(file)}: add it there (the map is read again at once)" if file else "any image map: give one with --images"
        return f"{name} is not in {where}"

    def _refresh(self, file: Path) -> None:
        version = _version(file)
        if version == self._read[file][0]:
            return
        try:
            images = self._parse(file)
        except ImageMapError as error:
            _log.warning("%s; its last good state is kept", error)
            images = self._read[file][1]
        self._read[file] = (version, images)

    def _fill(self, text: str, here: Path) -> str:
        return text.replace("{here}", str(here)).replace("{python}", self.python).replace("{app}", str(self._app))

    def _parse(self, file: Path) -> dict[str, Image]:
        if file == self._own and not file.exists():
            return {}
        entries = _entries(file)
        return {name: self._image(file, name, entry) for name, entry in entries.items()}

    def _image(self, file: Path, name: str, entry: Any) -> Image:
        where = f"{file}: images.{name}"
        if not isinstance(entry, dict) or not entry.keys() <= {"command", "env"}:
            raise ImageMapError(f"{where}: give it a `command` (a list) and, if needed, `env`, and no other key")
        command, env = entry.get("command"), entry.get("env") or {}
        if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
            raise ImageMapError(f"{where}.command: must be a list of strings, such as [python, script.py]")
        if not isinstance(env, dict) or not all(isinstance(part, str) for pair in env.items() for part in pair):
            raise ImageMapError(f"{where}.env: must map names to strings (put numbers in quotes)")
        here = file.resolve().parent
        return Image(tuple(self._fill(word, here) for word in command), {key: self._fill(value, here) for key, value in env.items()})


def _version(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _entries(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
    except OSError as error:
        raise ImageMapError(f"{file}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ImageMapError(f"{file}: is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or content.keys() != {"images"}:
        raise ImageMapError(f"{file}: must have the one key `images` at the top")
    entries = content["images"] or {}
    if not isinstance(entries, dict) or not all(isinstance(name, str) for name in entries):
        raise ImageMapError(f"{file}: images: must map image names to commands")
    return entries
