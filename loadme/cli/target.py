"""Which function app a command talks to: the one that is named, or the local cloud of this checkout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from loadme.cli.errors import Trouble
from loadme.cli.outside import Outside

STATE_FILE = Path(".localcloud", "cloud.json")
ADVICE = "start the local cloud with `make cloud`, or give --url"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A function app: `url` without the route prefix; `key_from` says where the function key was found."""

    url: str
    key: str
    key_from: str

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, where no proxy must be asked."""
        return urlsplit(self.url).hostname in LOOPBACK


def find(url: str | None, key: str | None, outside: Outside) -> Target:
    """The function app of `--url`, else the local cloud whose state file is nearest above the working directory."""
    if url:
        return Target(url=_base(url), key=key or "", key_from="--key or LOADME_KEY")
    dead: list[str] = []
    for state_file in _state_files(outside.folder):
        state = _read(state_file)
        if outside.is_alive(int(str(state["pid"]))):
            return Target(
                url=_base(str(state["url"])), key=key or str(state["key"]), key_from="--key or LOADME_KEY" if key else str(state_file)
            )
        dead.append(f"the local cloud of {state_file.parent.parent} is not running any more (process {state['pid']} is gone)")
    raise Trouble("; ".join(dead or ["no local cloud is up for this folder, nor for one above it"]) + f": {ADVICE}")


def _state_files(folder: Path) -> Iterator[Path]:
    return (path for above in (folder, *folder.parents) if (path := above / STATE_FILE).is_file())


def _read(state_file: Path) -> dict[str, object]:
    try:
        state = json.loads(state_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Trouble(f"{state_file} cannot be read ({error}): {ADVICE}") from error
    if not isinstance(state, dict) or not {"url", "key", "pid"} <= state.keys() or not str(state["pid"]).isdecimal():
        raise Trouble(f"{state_file} is not the state file of a local cloud: {ADVICE}")
    return state


def _base(url: str) -> str:
    """The address without the route prefix: people paste it with and without."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Trouble(f"{url!r} is no address: give --url like https://contoso-loadme.azurewebsites.net")
    return url.rstrip("/").removesuffix("/api").rstrip("/")
