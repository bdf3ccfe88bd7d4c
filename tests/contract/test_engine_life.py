"""What a runtime of real containers asks its engine for, and leaves behind: with an engine that only pretends."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from localcloud.containers.engine import Engine
from localcloud.containers.manifests import Place
from localcloud.containers.owners import me
from localcloud.containers.real import Platform, RealRuntime
from localcloud.containers.running import Closed
from localcloud.containers.runtime import Launch, Login, Problem, Pull
from tests.contract.local_arm import wait_for

ENGINE = """#!/bin/sh
echo "$*" >> "$0.asked"
case "$1 $2" in
"image inspect") grep -qxF "$5" "$0.images";;
"ps --all") [ "$4" = label=localcloud-owner ] && cat "$0.owned";;
"pull --quiet") [ ! -e "$0.slow" ] || { echo $$ > "$0.pid"; exec sleep 600; };;
esac
"""


class Registries:
    def place(self, image: str) -> Place:
        return Place(url="http://registry", repository=image, reference="1")

    def login(self, _place: Place, _login: Login | None) -> None:
        return None

    def digest(self, place: Place, _login: tuple[str, str] | None) -> str:
        return f"sha256:{place.repository}"

    def advice(self, image: str) -> str:
        return image


class Pretence:
    def __init__(self, folder: Path) -> None:
        self.script = folder / "engine"
        self.script.write_text(ENGINE)
        self.script.chmod(0o755)
        for name in ("images", "owned", "asked"):
            self.file(name).touch()
        self.done: list[Problem | None] = []
        self._folder = folder

    def file(self, name: str) -> Path:
        return self.script.with_name(f"engine.{name}")

    def asked(self, word: str) -> list[str]:
        return [line for line in self.file("asked").read_text().splitlines() if line.startswith(word)]

    def runtime(self) -> RealRuntime:
        platform = Platform(environment={}, folders={})
        engine = Engine(name=str(self.script))
        return RealRuntime(engine, self._folder / "root", Registries(), platform, self._folder / "shares", "/here")

    def pull(self, runtime: RealRuntime, image: str) -> None:
        runtime.pull(Pull(group="g", image=image), lambda _digest: None, self.done.append)


@pytest.fixture
def engine(tmp_path: Path) -> Pretence:
    return Pretence(tmp_path)


def runs(number: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(number, 0)
        return "Z" not in Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    return False


def is_there(file: Path) -> Callable[[], bool]:
    return lambda: file.exists() and bool(file.read_text())


def test_only_those_images_are_removed_that_were_not_there_before(engine: Pretence) -> None:
    engine.file("images").write_text("registry/users@sha256:users\n")
    runtime = engine.runtime()
    for image in ("users", "own"):
        engine.pull(runtime, image)
    wait_for(lambda: len(engine.done) == 2, "two images to come", 20)
    runtime.close()
    assert engine.done == [None, None]
    assert engine.asked("rmi") == ["rmi registry/own@sha256:own"]


def test_a_pull_ends_with_its_runtime_and_nobody_is_told(engine: Pretence) -> None:
    engine.file("slow").touch()
    runtime = engine.runtime()
    engine.pull(runtime, "large")
    wait_for(is_there(engine.file("pid")), "the pull to begin", 20)
    number = int(engine.file("pid").read_text())
    runtime.close()
    assert not runs(number)
    assert engine.done == []


def test_nothing_is_begun_after_the_end(engine: Pretence) -> None:
    runtime = engine.runtime()
    engine.pull(runtime, "own")
    wait_for(lambda: engine.done, "the image to come", 20)
    runtime.close()
    with pytest.raises(Closed):
        runtime.start(Launch(group="g", container="c", image="own", environment={}), lambda code, detail="": None)  # noqa: ARG005
    assert not engine.asked("run")


def test_what_clouds_left_behind_that_were_killed_goes_at_the_next_start(engine: Pretence) -> None:
    machine = me().partition(".")[0]
    engine.file("owned").write_text(
        f"a map[localcloud-owner:{me()} localcloud:/b]\nb map[localcloud-owner:{machine}.{2**30}.1 localcloud:/a]\n"
    )
    engine.runtime().close()
    assert engine.asked("rm ") == ["rm --force --volumes b"]
