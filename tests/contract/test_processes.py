"""Containers as processes: really started, really ended."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from localcloud.clock import ScaledClock
from localcloud.containers import ImageMap, Launch, Mount, Problem, ProcessRuntime, Pull, Volume, init
from localcloud.containers.held import Held
from localcloud.containers.logs import unstamped
from localcloud.containers.runtime import OOM_KILLED
from tests.contract.local_arm import wait_for


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[ProcessRuntime]:
    images = ImageMap([], python=sys.executable, app=tmp_path)
    running = ProcessRuntime(images, tmp_path / "containers", {"AUTHORITY": "http://127.0.0.1/groups/{group}"})
    yield running
    running.close()


class Ending:
    """Collects exit codes."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.detail = ""
        self._event = threading.Event()

    def __call__(self, code: int, detail: str = "") -> None:
        self.codes.append(code)
        self.detail = detail
        self._event.set()

    def wait(self) -> int:
        assert self._event.wait(15), "the container did not end"
        return self.codes[0]


def launch(script: str, **environment: str) -> Launch:
    return Launch(group="g", container="main", image="loadme.local/shell:1", command=("sh", "-c", script), environment=environment)


def run(runtime: ProcessRuntime, script: str, **environment: str) -> tuple[int, str]:
    ending = Ending()
    container = runtime.start(launch(script, **environment), ending)
    code = ending.wait()
    return code, unstamped(container.log()).decode()


def alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_a_process_has_its_own_empty_folder_and_exactly_its_environment(runtime: ProcessRuntime) -> None:
    code, log = run(runtime, "ls -A; env | cut -d= -f1 | sort | tr '\\n' ' '; echo; echo $AUTHORITY", A="1")
    assert code == 0
    names, authority = log.splitlines()
    # The shell itself adds PWD and, some of them, OLDPWD, SHLVL and _.
    assert set(names.split()) - {"PWD", "OLDPWD", "SHLVL", "_"} == {"A", "AUTHORITY", "HOME", "LANG", "PATH", "PYTHONPATH", "TMPDIR"}
    assert authority == "http://127.0.0.1/groups/g"


def test_output_and_errors_are_one_log_in_order_even_without_a_last_line_feed(runtime: ProcessRuntime) -> None:
    assert run(runtime, "echo one; echo two >&2; printf 'a\\rb'") == (0, "one\ntwo\na\rb")


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("kill -15 $$", 143)])
def test_the_exit_code_is_the_command_s(runtime: ProcessRuntime, script: str, code: int) -> None:
    assert run(runtime, script)[0] == code


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own means: Linux only")
EATER = "import time; keep = bytearray(200 * 2**20); time.sleep(30)"


@needs_linux
@pytest.mark.parametrize("script", [f'exec python -c "{EATER}"', f'python -c "{EATER}" & wait; echo outlived'])
def test_a_container_that_uses_more_memory_than_it_may_is_killed(runtime: ProcessRuntime, script: str) -> None:
    ending = Ending()
    container = runtime.start(dataclasses.replace(launch(script), memory=0.1), ending)
    assert (ending.wait(), ending.detail) == (137, OOM_KILLED)
    assert unstamped(container.log()) == b""


def test_a_container_that_is_killed_for_another_reason_does_not_blame_its_memory(runtime: ProcessRuntime) -> None:
    ending = Ending()
    runtime.start(dataclasses.replace(launch("kill -9 $$"), memory=0.1), ending)
    assert (ending.wait(), ending.detail) == (137, "")


@needs_linux
def test_what_is_mounted_read_only_is_read_only_for_this_container_alone(runtime: ProcessRuntime) -> None:
    share = Volume(name="share", kind="azureFile", account="a", share="s")
    mounts = (
        Mount(volume=share, path="/in", read_only=True),
        Mount(volume=Volume(name="keys", kind="secret", files={"k": b"v"}), path="/tls"),
    )
    ending = Ending()
    script = "cat tls/k; touch in/a tls/b"
    reader = runtime.start(dataclasses.replace(launch(script), mounts=mounts), ending)
    assert ending.wait() == 1
    log = unstamped(reader.log()).decode()
    assert log.startswith("v")
    assert log.count("Read-only file system") == 2

    ending = Ending()
    runtime.start(dataclasses.replace(launch("touch in/a"), mounts=(Mount(volume=share, path="/in"),)), ending)
    assert ending.wait() == 0


def test_a_command_that_does_not_exist_says_so_and_exits_127(runtime: ProcessRuntime) -> None:
    ending = Ending()
    start = Launch(group="g", container="main", image="loadme.local/shell:1", command=("/no/such",), environment={})
    container = runtime.start(start, ending)
    assert ending.wait() == 127
    assert b'exec: "/no/such": No such file or directory' in container.log()


def test_python_in_a_command_is_the_interpreter_at_hand(runtime: ProcessRuntime) -> None:
    ending = Ending()
    program = "import sys; print(sys.executable)"
    start = Launch(group="g", container="main", image="loadme.local/python:1", command=("python", "-c", program), environment={})
    container = runtime.start(start, ending)
    assert (ending.wait(), unstamped(container.log()).decode().strip()) == (0, sys.executable)


def test_what_the_main_process_leaves_behind_ends_with_it(runtime: ProcessRuntime) -> None:
    _code, log = run(runtime, f"{DETACHED} echo $!; sleep 0.3")
    pid = int(log.split()[-1])
    assert not alive(pid)


# A grandchild in a session of its own, which no signal to the process group reaches.
DETACHED = "setsid sleep 600 & "


def test_a_stop_asks_first_and_then_kills_and_removes_the_files(runtime: ProcessRuntime, tmp_path: Path) -> None:
    ending = Ending()
    container = runtime.start(
        launch(f"trap 'echo asked >> {tmp_path}/asked' TERM; {DETACHED} echo $!; while :; do sleep 0.05; done"), ending
    )
    pid = int(wait_for(lambda: unstamped(container.log()).decode().strip(), "the container to be up"))
    container.stop(grace=3.0)  # long enough to be heard on a busy machine
    wait_for(lambda: not alive(pid), "the detached child to be killed")
    assert (tmp_path / "asked").read_text() == "asked\n"
    assert ending.codes == []
    wait_for(lambda: not list((tmp_path / "containers").iterdir()), "the container's folder to go")


def test_a_signal_also_reaches_a_process_that_has_made_no_session_yet_and_is_no_error_for_one_that_is_gone() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        init.signal_all(process.pid, signal.SIGTERM)
        assert process.wait(5) == -signal.SIGTERM
    init.signal_all(process.pid, signal.SIGTERM)


def test_a_log_that_grows_too_long_keeps_its_last_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "LOG_LIMIT", 4_000)
    monkeypatch.setattr(init, "LOG_KEPT", 1_000)
    log = init.Log(str(tmp_path / "log"))
    for number in range(500):
        log.write(b"line %d\n" % number)

    kept = unstamped((tmp_path / "log").read_bytes()).decode().splitlines()

    assert kept == [f"line {number}" for number in range(500 - len(kept), 500)]
    assert 20 < len(kept) < 120
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_closing_the_runtime_kills_all(runtime: ProcessRuntime) -> None:
    container = runtime.start(launch(f"{DETACHED} echo $!; exec sleep 600"), Ending())
    pid = int(wait_for(lambda: unstamped(container.log()).decode().strip(), "the container to be up"))
    runtime.close()
    assert not alive(pid)
    assert isinstance(container, Held)
    assert container._process.poll() is not None


def test_no_process_survives_the_hard_death_of_whoever_started_it(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from localcloud.containers import ImageMap, Launch, ProcessRuntime
        from localcloud.containers.logs import unstamped
        runtime = ProcessRuntime(ImageMap([], python=sys.executable, app=Path()), Path({str(tmp_path / "c")!r}), {{}})
        command = ("sh", "-c", {DETACHED!r} + "echo $!; exec sleep 600")
        launch = Launch(group="g", container="main", image="loadme.local/shell:1", command=command, environment={{}})
        container = runtime.start(launch, print)
        while not unstamped(container.log()).strip():
            time.sleep(0.02)
        print(unstamped(container.log()).decode().strip(), flush=True)
        time.sleep(600)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert alive(pid)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        wait_for(lambda: not alive(pid), "the container to die with its owner")


def pulled(runtime: ProcessRuntime, **order: str) -> tuple[list[str], Problem | None]:
    digests: list[str] = []
    outcomes: list[Problem | None] = []
    runtime.pull(Pull(group="g", **order), digests.append, outcomes.append)
    (outcome,) = outcomes
    return digests, outcome


def test_a_pull_ends_as_that_of_a_real_image_would(runtime: ProcessRuntime) -> None:
    (digest,), outcome = pulled(runtime, image="loadme.local/shell:1")
    assert (outcome, len(digest), digest[:7]) == (None, 71, "sha256:")
    assert pulled(runtime, image="loadme.local/shell:1", refusal="no role") == ([], Problem("no role"))
    digests, outcome = pulled(runtime, image="no/such:1")
    assert digests == []
    assert outcome is not None
    assert "no/such:1 is not in any image map" in outcome.message


def test_a_scaled_clock_shortens_delays_and_survives_a_failing_call(caplog: pytest.LogCaptureFixture) -> None:
    clock = ScaledClock(scale=0.001)
    went_off = threading.Event()
    clock.call_later(1, lambda: 1 // 0)
    clock.call_later(50, went_off.set)
    assert went_off.wait(10)
    clock.close()
    assert "a timer's call failed" in caplog.text
