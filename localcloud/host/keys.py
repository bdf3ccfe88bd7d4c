"""The keys of the app: who may call what. Rules: the key's level is that of the first place where it is found."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from localcloud.files import write_whole

from .host_json import HostError

GROUPS = ("system", "host", "functions")


class Level(IntEnum):
    """What a request's key is good for."""

    ANONYMOUS = 0
    FUNCTION = 1
    SYSTEM = 2
    ADMIN = 3


@dataclass(frozen=True)
class Keys:
    """The master key, the system and host keys by name, and one key per function that has its own."""

    master: str
    system: Mapping[str, str] = field(default_factory=dict)
    host: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)

    def level(self, key: str, function: str) -> Level:
        """What this key is good for at this function; an empty or unknown key is anonymous."""
        if not key:
            return Level.ANONYMOUS
        return next((level for level, known in self._known(function) if hmac.compare_digest(known.encode(), key.encode())), Level.ANONYMOUS)

    def _known(self, function: str) -> Iterator[tuple[Level, str]]:
        yield Level.ADMIN, self.master
        yield from ((Level.SYSTEM, key) for key in self.system.values())
        yield from ((Level.FUNCTION, key) for key in self.host.values())
        if function in self.functions:
            yield Level.FUNCTION, self.functions[function]


def may_call(auth_level: str, level: Level) -> bool:
    """Whether a key of this level opens a function of `auth_level`; a system key does not open one of level function."""
    match auth_level.upper():
        case "ANONYMOUS":
            return True
        case "ADMIN":
            return level == Level.ADMIN
        case _:
            return level in {Level.FUNCTION, Level.ADMIN}


def load_keys(file: Path | None) -> Keys:
    """The keys in the file; new ones, written there, when it does not exist. Raises HostError when it holds anything else."""
    if file and file.exists():
        return _read(file)
    keys = Keys(master=secrets.token_urlsafe(32), host={"default": secrets.token_urlsafe(32)})
    if file:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, json.dumps({"master": keys.master, "system": {}, "host": dict(keys.host), "functions": {}}))
        except OSError as error:
            raise HostError(f"the keys cannot be written to {file}: {error}") from None
    return keys


def _read(file: Path) -> Keys:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise HostError(f"the keys in {file} cannot be read: {error}") from None
    if not isinstance(content, dict) or not _is_key(content.get("master")):
        raise HostError(f"the keys in {file} must be a JSON object with the key 'master'")
    if unknown := sorted(set(content) - {"master", *GROUPS}):
        raise HostError(f"the keys in {file} have {unknown[0]!r}, which is none of master, {', '.join(GROUPS)}")
    for group in GROUPS:
        named = content.get(group, {})
        if not isinstance(named, dict) or not all(map(_is_key, named.values())):
            raise HostError(f"the keys in {file} have {group!r}, which must be a JSON object of keys by name")
    return Keys(**content)


def _is_key(value: object) -> bool:
    return isinstance(value, str) and value != ""
