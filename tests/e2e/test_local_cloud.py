"""The local cloud as one thing: it starts, runs the app, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.azurite import Azurite, AzuriteError, Ports
from localcloud.bootstrap import DEPLOYER
from localcloud.certificates import Authority
from localcloud.cloud import Cloud, CloudError
from localcloud.ports import free_port, is_free, listen, number
from localcloud.statefile import StateFile
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
    """`python -m localcloud up` in a folder of its own, with the checkout's app, as a shell starts it in its background: SIGINT ignored."""
    # A port of its own: the usual one may be another's.
    command = [sys.executable, "-m", "localcloud", "up", "--app", str(CHECKOUT), "--port", str(free_port()), *arguments]
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(150, process.kill)  # whoever waits for a line that does not come
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.terminate()
        try:
            process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def said_until(process: subprocess.Popen[str], end: str) -> list[str]:
    """The lines that it prints, up to the one with `end` in it."""
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line)
        if end in line:
            return lines
    raise AssertionError(f"it never said {end!r}: {lines}")


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


def test_whoever_uses_an_image_that_is_in_no_map_is_told_of_the_map(cloud: Cloud) -> None:
    with httpx.Client(base_url=cloud.url, headers={"x-functions-key": cloud.key}, timeout=30, trust_env=False) as client:
        run = client.post("/api/workflows/no-image/runs", json={}).headers["location"]

        error = wait_for(lambda: of_status(client.get(run).json(), "failed"), 30, "the run's end")["error"]

    advice = "registry.example/nobody/nothing:1 is not in tests/e2e/workflows/images.yaml: add it there (the map is read again at once)"
    assert error["kind"] == "image"
    assert any(detail.startswith("InaccessibleImage: ") for detail in error["details"])
    assert f"LocalCloudImageMap: {advice}" in error["details"]


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

    health = httpx.get(f"{url}/api/health", headers={"x-functions-key": key}, timeout=30, trust_env=False)
    assert health.status_code == 200, [health.text, *cloud.log_tail()]


def test_what_a_state_folder_keeps_is_there_at_the_next_start(tmp_path: Path) -> None:
    settings = dataclasses.replace(cloud_settings(tmp_path / "one"), state=tmp_path / "state")
    mine = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/mine"
    with Cloud(settings) as first:
        key, run = first.key, start_run(tmp_path / "one", "greet").headers["location"]
        with arm_client(first) as arm:
            arm.put(mine, json={"location": "westeurope"}).raise_for_status()
        first.azure.vaults.set("contoso", "added", "value")
        with httpx.Client(base_url=first.url, headers={"x-functions-key": key}, timeout=30, trust_env=False) as client:
            wait_for(lambda: of_status(client.get(run).json(), "succeeded"), 60, "the run's end")

    with Cloud(dataclasses.replace(settings, folder=tmp_path / "another")) as second, arm_client(second) as arm:
        assert second.key == key
        started = start_run(tmp_path / "another", "greet")
        assert started.status_code == 202, (started.text, second.log_tail(60))
        answer = httpx.get(f"{second.url}{run}", headers={"x-functions-key": key}, timeout=30, trust_env=False)
        assert answer.json()["status"] == "succeeded"
        assert arm.get(mine).status_code == 200
        assert second.azure.vaults.get("contoso", "added")["value"] == "value"


def arm_client(cloud: Cloud) -> httpx.Client:
    token = cloud.azure.signer.sign("https://management.azure.com", DEPLOYER)
    return httpx.Client(
        base_url=cloud.arm_url,
        headers={"authorization": f"Bearer {token}"},
        params={"api-version": "2021-04-01"},
        verify=ssl.create_default_context(cafile=cloud.azure.ca),
        trust_env=False,
    )


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


def test_up_follows_the_workflow_files_until_ctrl_c_stops_everything(tmp_path: Path) -> None:
    workflows = tmp_path / "workflows"
    workflows.mkdir()
    for name in ("greet.yaml", "broken.yaml"):
        shutil.copy(CHECKOUT / "tests" / "e2e" / "workflows" / name, workflows)
    with supervisor(tmp_path, "--workflows", str(workflows)) as process:
        introduction = said_until(process, "Ctrl-C")
        status = main_in(tmp_path, "status")
        running = processes_of(tmp_path)
        (workflows / "later.yaml").write_text((workflows / "greet.yaml").read_text().replace("name: greet", "name: later"))
        after_change = said_until(process, "broken.yaml")
        started = start_run(tmp_path / ".localcloud", "later")

        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    assert errors == ""
    assert "curl -X POST" in "".join(introduction)
    assert "/api/workflows/greet/runs" in "".join(introduction)
    assert [line for line in introduction if line.startswith("localcloud: broken    broken.yaml: steps.b.imagee: ")]
    assert (status.returncode, "up at http://127.0.0.1" in status.stdout) == (0, True)
    assert len(running) >= 3
    assert after_change[-2] == "localcloud: workflows changed: functions restarted\n"
    assert started.status_code == 202, started.text
    assert processes_of(tmp_path) == []
    assert list((tmp_path / ".localcloud").iterdir()) == []


def start_run(state_folder: Path, workflow: str) -> httpx.Response:
    state = json.loads((state_folder / "cloud.json").read_text())
    return httpx.post(
        f"{state['url']}/api/workflows/{workflow}/runs", json={}, headers={"x-functions-key": state["key"]}, timeout=30, trust_env=False
    )


def main_in(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(
        [sys.executable, "-m", "localcloud", *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


STAND_IN = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); time.sleep(60)"


def test_down_ends_the_process_that_is_up_and_waits_until_it_is_gone(tmp_path: Path) -> None:
    (tmp_path / ".localcloud").mkdir()
    with subprocess.Popen([sys.executable, "-c", STAND_IN], stdout=subprocess.PIPE, text=True) as process:
        url = f"http://127.0.0.1:{process.stdout.readline().strip() if process.stdout else ''}"
        StateFile(tmp_path / ".localcloud").write({"url": url, "pid": process.pid, "arm": "https://127.0.0.1:1"})

        stopped = main_in(tmp_path, "down")

        assert process.wait(10) == -signal.SIGTERM
    assert (stopped.returncode, stopped.stdout) == (0, "localcloud: stopped\n")
    assert main_in(tmp_path, "status").returncode == 3
    assert main_in(tmp_path, "down").stdout == "localcloud: none is up in this folder\n"


def test_in_the_background_it_returns_when_a_run_can_be_started_and_down_ends_it(tmp_path: Path) -> None:
    workflows = str(CHECKOUT / "tests" / "e2e" / "workflows")
    try:
        started = main_in(tmp_path, "up", "-d", "--app", str(CHECKOUT), "--port", str(free_port()), "--workflows", workflows)
        assert started.returncode == 0, started.stderr
        run = start_run(tmp_path / ".localcloud", "greet")
        again = main_in(tmp_path, "up", "--background")
    finally:
        stopped = main_in(tmp_path, "down")

    assert run.status_code == 202, run.text
    assert "up at http://127.0.0.1:" in started.stdout
    assert (again.returncode, "one is up already" in again.stderr) == (1, True)
    assert stopped.stdout == "localcloud: stopped\n"
    assert [one.name for one in (tmp_path / ".localcloud").iterdir()] == ["up.log"]
    assert processes_of(tmp_path) == []


def test_a_start_in_the_background_that_fails_says_why(tmp_path: Path) -> None:
    failed = main_in(tmp_path, "up", "--background", "--app", str(tmp_path))

    assert failed.returncode == 1
    assert failed.stderr.startswith("localcloud: it did not start: the template ")
    assert failed.stderr.count("\n") == 1


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
        (["--workflows", "{folder}/missing"], "there is no folder {folder}/missing"),
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


def test_when_another_program_has_its_ports_azurite_takes_others(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "certificates")
    with ExitStack() as stack:
        taken = Ports(*(number(stack.enter_context(listen())) for _ in Ports._fields))

        azurite = stack.enter_context(Azurite(tmp_path / "data", authority.certificate, authority.key, taken))

        assert not set(azurite.ports) & set(taken)
        assert not any(is_free(port) for port in azurite.ports)


def test_usual_ports_that_get_lost_between_a_look_and_the_start_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        taken = [number(stack.enter_context(listen())) for _ in range(3)]
        for name, port in zip(("cloud.HOST_PORT", "azure.ARM_PORT", "cloud.STORAGE_PORT"), taken, strict=True):
            monkeypatch.setattr(f"localcloud.{name}", port)
        monkeypatch.setattr("localcloud.cloud.is_free", lambda _port: True)  # as it was a moment ago

        cloud = stack.enter_context(Cloud(dataclasses.replace(cloud_settings(tmp_path), fixed_ports=True)))

        assert start_run(tmp_path, "greet").status_code == 202
        assert not {cloud.azurite.ports.blob, int(cloud.url.rpartition(":")[2]), int(cloud.arm_url.rpartition(":")[2])} & set(taken)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_the_start_leaves_nothing_behind(tmp_path: Path, how: signal.Signals) -> None:
    with supervisor(tmp_path) as process:
        wait_for(lambda: processes_of(tmp_path), 60, "the first process")

        process.send_signal(how)
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
