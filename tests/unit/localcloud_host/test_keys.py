"""Which key opens what."""

from pathlib import Path

import pytest

from localcloud.host.host_json import HostError
from localcloud.host.keys import Keys, Level, load_keys, may_call

KEYS = Keys(master="m", system={"s": "s"}, host={"default": "h"}, functions={"start": "f"})


@pytest.mark.parametrize(
    ("key", "level"),
    [
        ("m", Level.ADMIN),
        ("s", Level.SYSTEM),
        ("h", Level.FUNCTION),
        ("f", Level.FUNCTION),
        ("x", Level.ANONYMOUS),
        ("", Level.ANONYMOUS),
        ("é", Level.ANONYMOUS),
    ],
)
def test_a_key_has_the_level_of_where_it_is_kept(key: str, level: Level) -> None:
    assert KEYS.level(key, "start") == level


def test_a_functions_own_key_opens_no_other_function() -> None:
    assert KEYS.level("f", "other") == Level.ANONYMOUS


@pytest.mark.parametrize(
    ("auth_level", "opened_by"),
    [
        ("ANONYMOUS", {Level.ANONYMOUS, Level.FUNCTION, Level.SYSTEM, Level.ADMIN}),
        ("FUNCTION", {Level.FUNCTION, Level.ADMIN}),
        ("ADMIN", {Level.ADMIN}),
    ],
)
def test_what_each_level_opens(auth_level: str, opened_by: set[Level]) -> None:
    assert {level for level in Level if may_call(auth_level, level)} == opened_by


def test_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "host" / "keys.json"

    keys = load_keys(file)

    assert load_keys(file) == keys
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read: Expecting property name"),
        ("[]", "must be a JSON object with the key 'master'"),
        ('{"host": {}}', "must be a JSON object with the key 'master'"),
        ('{"master": "m", "admin": "a"}', "have 'admin', which is none of master, system, host, functions"),
        ('{"master": "m", "host": "h"}', "have 'host', which must be a JSON object of keys by name"),
        ('{"master": "m", "functions": {"f": 1}}', "have 'functions', which must be"),
    ],
)
def test_a_file_of_anything_else_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(content)

    with pytest.raises(HostError, match=message) as caught:
        load_keys(file)
    assert str(file) in str(caught.value)


def test_keys_that_cannot_be_kept_are_not_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(HostError, match="the keys cannot be written to"):
        load_keys(tmp_path / "file" / "keys.json")
    with pytest.raises(HostError, match="cannot be read"):
        load_keys(tmp_path)
