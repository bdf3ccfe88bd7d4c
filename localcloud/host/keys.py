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
    """The keys in the file; new ones, written there, when it does not exist."""
    if file and file.is_file():
        return Keys(**json.loads(file.read_text()))
    keys = Keys(master=secrets.token_urlsafe(32), host={"default": secrets.token_urlsafe(32)})
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps({"master": keys.master, "system": {}, "host": dict(keys.host), "functions": {}}))
    return keys
