"""The volumes of containers that are processes: what they share, what goes with the group, and how they find it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.containers import ImageMap, Launch, Mount, ProcessRuntime, Volume
from localcloud.containers.logs import unstamped
from localcloud.containers.volumes import translate
from tests.contract.local_arm import wait_for

SCRATCH = Volume(name="scratch", kind="emptyDir")
SECRET = Volume(name="certificates", kind="secret", files={"a.pem": b"a certificate"})
SHARE = Volume(name="inbox", kind="azureFile", account="acc", share="in")


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[ProcessRuntime]:
    running = ProcessRuntime(ImageMap([], python=sys.executable, app=tmp_path), tmp_path / "containers", {}, tmp_path / "shares")
    yield running
    running.close()


def run(runtime: ProcessRuntime, script: str, *mounts: Mount, group: str = "g", **environment: str) -> str:
    """What a container of the group prints; fails unless it succeeds."""
    codes: list[int] = []
    over = threading.Event()

    def ended(code: int, _detail: str = "") -> None:
        codes.append(code)
        over.set()

    command = ("sh", "-c", script)
    launch = Launch(group=group, container="main", image="loadme.local/shell:1", command=command, environment=environment, mounts=mounts)
    container = runtime.start(launch, ended)
    assert over.wait(15), "the container did not end"
    printed = unstamped(container.log()).decode()
    assert codes == [0], printed
    return printed


def test_containers_of_a_group_share_a_volume_at_paths_of_their_own(runtime: ProcessRuntime) -> None:
    run(runtime, "echo 42 > /out/answer", Mount(volume=SCRATCH, path="/out"))
    assert run(runtime, "cat /in/answer", Mount(volume=SCRATCH, path="/in")) == "42\n"


def test_another_group_has_an_empty_volume_of_its_own(runtime: ProcessRuntime) -> None:
    run(runtime, "echo 42 > /out/answer", Mount(volume=SCRATCH, path="/out"))
    assert run(runtime, "ls /out", Mount(volume=SCRATCH, path="/out"), group="h") == ""


def test_a_volume_goes_with_its_group(runtime: ProcessRuntime, tmp_path: Path) -> None:
    run(runtime, "echo 42 > /out/answer", Mount(volume=SCRATCH, path="/out"), Mount(volume=SECRET, path="/tls"))
    runtime.forget("g")
    assert run(runtime, "ls /out", Mount(volume=SCRATCH, path="/out")) == ""
    wait_for(lambda: not [*(tmp_path / "containers").rglob("a.pem")], "the secret's end")


def test_a_secret_volume_has_its_files(runtime: ProcessRuntime) -> None:
    assert run(runtime, "cat /tls/a.pem", Mount(volume=SECRET, path="/tls")) == "a certificate"


def test_a_share_stays_and_is_a_folder_that_a_user_can_fill(runtime: ProcessRuntime, tmp_path: Path) -> None:
    (tmp_path / "shares/acc/in").mkdir(parents=True)
    (tmp_path / "shares/acc/in/given").write_text("by hand")
    assert run(runtime, "cat /data/given; echo out > /data/made", Mount(volume=SHARE, path="/data")) == "by hand"
    runtime.forget("g")
    runtime.close()
    assert (tmp_path / "shares/acc/in/made").read_text() == "out\n"


def test_a_mount_path_is_found_below_the_folder_in_which_the_process_starts(runtime: ProcessRuntime) -> None:
    assert run(runtime, 'd=certs; cat "mnt/$d/a.pem"', Mount(volume=SECRET, path="/mnt/certs")) == "a certificate"


def test_a_mount_path_in_the_environment_is_found(runtime: ProcessRuntime) -> None:
    assert run(runtime, 'cat "$FILE"', Mount(volume=SECRET, path="/tls"), FILE="/tls/a.pem") == "a certificate"


def test_a_volume_inside_another_is_found_by_its_path(runtime: ProcessRuntime) -> None:
    mounts = (Mount(volume=SCRATCH, path="/data"), Mount(volume=SECRET, path="/data/tls"))
    assert run(runtime, "cat /data/tls/a.pem; ls /data", *mounts) == "a certificate"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/data", "/F"),
        ("/data/in", "/F/in"),
        ("--in=/data/in", "--in=/F/in"),
        ("a:/data:b", "a:/F:b"),
        ('["/data/x"]', '["/F/x"]'),
        ("/database", "/database"),
        ("/data-old", "/data-old"),
        ("https://example.com/data/x", "https://example.com/data/x"),
        ("./data", "./data"),
    ],
)
def test_only_what_is_the_path_is_replaced(text: str, found: str) -> None:
    assert translate(text, {"/data": Path("/F")}) == found
