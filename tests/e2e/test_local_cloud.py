"""The local cloud as one thing: it starts, runs the app, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.azurite import Azurite, AzuriteError, Ports
from localcloud.certificates import Authority
from localcloud.cloud import Cloud, CloudError
from localcloud.ports import free_port
from tests.e2e.conftest import CHECKOUT, cloud_settings
from tests.waiting import wait_for


def processes_of(folder: Path) -> list[int]:
    """The processes that name this folder on their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


@contextmanager
def supervisor(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m localcloud up` in a folder of its own, with the checkout's app."""
    # A port of its own: the usual one may be about to be taken by another that is starting as well.
    command = [sys.executable, "-m", "localcloud", "up", "--app", str(CHECKOUT), "--port", str(free_port()), *arguments]
    with subprocess.Popen(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        if process.poll() is None:
            process.terminate()


def is_up(folder: Path) -> dict[str, Any] | None:
    file = folder / ".localcloud" / "cloud.json"
    return json.loads(file.read_text()) if file.is_file() else None


def test_a_run_succeeds_from_one_post(cloud: Cloud) -> None:
    with httpx.Client(base_url=cloud.url, headers={"x-functions-key": cloud.key}, timeout=30, trust_env=False) as client:
        started = client.post("/api/workflows/greet/runs", json={"who": "you"})

        assert started.status_code == 202, started.text
        run = started.headers["location"]
        ended = wait_for(lambda: of_status(client.get(run).json(), "succeeded"), 30, "the run's end")
        assert ended["steps"][0]["status"] == "succeeded"
        wait_for(lambda: "hello you" in client.get(f"{run}/steps/greet/logs").text, 30, "the log")


def of_status(run: dict[str, Any], status: str) -> dict[str, Any] | None:
    return run if run["status"] == status else None


def test_the_state_file_says_where_everything_is(cloud: Cloud) -> None:
    state = json.loads(cloud.state_file.path.read_text())

    assert state["url"] == cloud.url
    assert state["key"] == cloud.key
    assert state["arm"] == cloud.arm_url
    assert state["pid"] == os.getpid()
    assert cloud.state_file.path.stat().st_mode & 0o777 == 0o600


def test_a_restarted_host_has_the_same_address_and_key(cloud: Cloud) -> None:
    url, key = cloud.url, cloud.key

    cloud.restart_host(kill=True)

    assert httpx.get(f"{url}/api/health", headers={"x-functions-key": key}, timeout=30, trust_env=False).status_code == 200


def test_a_part_that_has_died_is_named(tmp_path: Path) -> None:
    settings = dataclasses.replace(cloud_settings(tmp_path), host=False)
    with Cloud(settings) as cloud:
        cloud.check()

        [azurite] = [process for process in processes_of(tmp_path) if "azurite" in (Path(f"/proc/{process}") / "cmdline").read_text()]
        os.kill(azurite, signal.SIGKILL)

        wait_for(lambda: cloud.azurite.exit_code is not None, 5, "its end")
        with pytest.raises(CloudError, match="Azurite ended"):
            cloud.check()


def test_a_second_one_in_the_same_folder_is_refused(cloud: Cloud) -> None:
    with pytest.raises(CloudError, match="one is up already"):
        Cloud(cloud_settings(cloud.settings.folder)).start()


def test_ctrl_c_stops_everything(tmp_path: Path) -> None:
    with supervisor(tmp_path) as process:
        introduction = list(itertools.takewhile(lambda line: "Ctrl-C" not in line, process.stdout or ()))
        running = processes_of(tmp_path)

        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    assert errors == ""
    assert any("curl -X POST" in line for line in introduction)
    assert len(running) >= 2
    assert processes_of(tmp_path) == []
    assert list((tmp_path / ".localcloud").iterdir()) == []


def test_down_stops_the_one_that_is_up(tmp_path: Path) -> None:
    with supervisor(tmp_path) as process:
        wait_for(lambda: is_up(tmp_path), 150, "the cloud")
        assert command("status", tmp_path).returncode == 0

        stopped = command("down", tmp_path)

        assert stopped.stdout == "localcloud: stopped\n"
        assert process.wait(5) == 0
    assert command("status", tmp_path).returncode == 3


def command(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(
        [sys.executable, "-m", "localcloud", name], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at the processes in /proc, which only Linux has")
def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    with supervisor(tmp_path) as process:
        wait_for(lambda: is_up(tmp_path), 150, "the cloud")
        assert len(processes_of(tmp_path)) >= 2

        process.kill()

        wait_for(lambda: not processes_of(tmp_path), 15, "the end of what it had started")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "{taken}"], "port {taken} is taken by another program"),
        (["--images", "{folder}/missing.yaml"], "missing.yaml"),
        (["--app", "{folder}"], "{folder}"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        known = {"taken": taken.getsockname()[1], "folder": tmp_path}
        with supervisor(tmp_path, *(argument.format(**known) for argument in arguments)) as process:
            _, errors = process.communicate(timeout=150)

    assert process.returncode == 1
    assert errors.startswith("localcloud: ")
    assert message.format(**known) in errors
    assert errors.count("\n") == 1


def test_without_azurite_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.azurite.AZURITE", tmp_path / "nowhere")

    with pytest.raises(CloudError, match="run make setup"):
        Cloud(cloud_settings(tmp_path)).start()

    assert list(tmp_path.iterdir()) == []


def test_a_start_of_azurite_that_gets_nowhere_can_be_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "dist" / "src" / "azurite.js"
    script.parent.mkdir(parents=True)
    script.write_text("setInterval(() => {}, 1000);")
    monkeypatch.setattr("localcloud.azurite.AZURITE", tmp_path)
    azurite = Azurite(tmp_path / "data", tmp_path / "certificate", tmp_path / "key")
    azurite.give_up()

    with pytest.raises(AzuriteError, match="stopped while it was starting"):
        azurite.start()

    assert processes_of(tmp_path) == []


def test_the_ports_of_another_program_are_not_taken_for_azurite_s(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "certificates")
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in Ports._fields]
        ports = Ports(*(server.getsockname()[1] for server in taken))

        with pytest.raises(AzuriteError, match="EADDRINUSE"):
            Azurite(tmp_path / "data", authority.certificate, authority.key, ports).start()


def test_ctrl_c_in_the_middle_of_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    with supervisor(tmp_path) as process:
        wait_for(lambda: processes_of(tmp_path), 60, "the first process")

        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
    assert processes_of(tmp_path) == []
    assert list((tmp_path / ".localcloud").iterdir()) == []


def test_an_app_that_cannot_be_loaded_ends_the_start_in_one_line(tmp_path: Path) -> None:
    app = tmp_path / "app"
    shutil.copytree(CHECKOUT / "templates", app / "templates")
    (app / "function_app.py").write_text("raise RuntimeError('a bug of the app')")

    with supervisor(tmp_path, "--app", str(app)) as process:
        _, errors = process.communicate(timeout=150)

    assert process.returncode == 1
    assert "a bug of the app" in errors
    assert errors.count("\n") == 1
    assert "(the whole log: .localcloud/host.log)" in errors
    assert "Traceback" in (tmp_path / ".localcloud" / "host.log").read_text()
    assert processes_of(tmp_path) == []
