"""The image map."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localcloud.containers import Image, ImageMap, ImageMapError

APP = Path("/app")


def image_map(file: Path, content: str) -> ImageMap:
    file.write_text(content)
    return ImageMap([file], python="/usr/bin/python3", app=APP)


def test_a_map_fills_in_its_folder_the_interpreter_and_the_app(tmp_path: Path) -> None:
    images = image_map(
        tmp_path / "images.yaml", 'images:\n  a/b:1:\n    command: ["{python}", "{here}/x.py", "{keep}"]\n    env: {P: "{app}"}\n'
    )
    assert images.find("a/b:1") == Image(("/usr/bin/python3", f"{tmp_path}/x.py", "{keep}"), {"P": "/app"})
    assert images.find("a/b:2") is None


def test_a_map_of_one_s_own_may_be_written_later_and_is_what_the_advice_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "workflows" / "images.yaml"
    images = ImageMap([], python="p", app=APP, own=own)
    assert images.find("a/b:1") is None
    assert images.advice("a/b:1") == "a/b:1 is not in workflows/images.yaml: add it there (the map is read again at once)"

    own.parent.mkdir()
    own.write_text("images: {'a/b:1': {command: [one]}}")

    assert images.find("a/b:1") == Image(("one",))


def test_a_map_that_is_given_wins_over_one_s_own(tmp_path: Path) -> None:
    for name in ("own", "given"):
        (tmp_path / name).write_text(f"images: {{x: {{command: [{name}]}}}}")
    images = ImageMap([tmp_path / "given"], python="p", app=APP, own=tmp_path / "own")
    assert images.find("x") == Image(("given",))


def test_a_shell_and_python_are_always_there() -> None:
    images = ImageMap([], python="/usr/bin/python3", app=APP)
    assert images.find("loadme.local/shell:1") == Image(("/bin/sh",), {"PYTHONPATH": "/app"})
    assert images.find("loadme.local/python:1") == Image(("/usr/bin/python3",), {"PYTHONPATH": "/app"})


def test_a_later_map_wins(tmp_path: Path) -> None:
    for name, word in (("a", "one"), ("b", "two")):
        (tmp_path / name).write_text(f"images: {{x: {{command: [{word}]}}}}")
    images = ImageMap([tmp_path / "a", tmp_path / "b"], python="p", app=APP)
    found = images.find("x")
    assert found is not None
    assert found.command == ("two",)


def test_a_changed_map_is_read_again_and_a_broken_one_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "images.yaml"
    images = image_map(file, "images: {x: {command: [one]}}")
    change(file, "images: {y: {command: [two]}}", 1)
    assert (images.find("x"), images.find("y")) == (None, Image(("two",)))
    change(file, "images: [", 2)
    assert images.find("y") == Image(("two",))
    assert "is not YAML" in caplog.text


def change(file: Path, content: str, age: int) -> None:
    """Written at another time, however coarse the file system's clock is."""
    stamp = file.stat().st_mtime_ns + age * 10**9
    file.write_text(content)
    os.utime(file, ns=(stamp, stamp))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("images: [", "is not YAML"),
        ("pictures: {}", "the one key `images`"),
        ("images: [a]", "must map image names"),
        ("images: {x: {}}", "images.x.command: must be a list of strings"),
        ("images: {x: {command: echo}}", "images.x.command: must be a list of strings"),
        ("images: {x: {command: [1]}}", "images.x.command: must be a list of strings"),
        ("images: {x: {command: [a], colour: red}}", "images.x: give it a `command`"),
        ("images: {x: {command: [a], env: {N: 1}}}", "images.x.env: must map names to strings"),
    ],
)
def test_a_wrong_map_is_one_line_that_names_the_file_and_the_key(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(ImageMapError) as caught:
        image_map(tmp_path / "images.yaml", content)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/images.yaml: ")
    assert words in message
    assert "\n" not in message


def test_a_map_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageMapError, match=r"absent.yaml: cannot be read: No such file"):
        ImageMap([tmp_path / "absent.yaml"], python="p", app=APP)
