"""The runners, in Python and in shell, against a callback server: one contract for both."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.callback_server import ATTEMPT, TOKEN, CallbackServer, callback_server

ROOT = Path(__file__).parents[2]
SHELL_RUNNER = str(ROOT / "loadme" / "loadme-step")
RUNNERS = {
    "python": [sys.executable, "-m", "loadme.step", "run"],
    "dash": ["dash", SHELL_RUNNER],
    "wget": ["dash", SHELL_RUNNER],
    "busybox": ["busybox", "sh", SHELL_RUNNER],
}
TOOLS = tuple("dash sh awk cat tee tail head tr sed mkfifo mktemp rm cp date sleep wc env seq timeout".split())  # noqa: SIM905 - words are easier to read

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def server() -> Iterator[CallbackServer]:
    with callback_server() as server:
        yield server


@pytest.fixture(params=RUNNERS)
def runner(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """How a runner is started, and the environment that it needs for itself."""
    command = RUNNERS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    if request.param in ("wget", "busybox"):
        environment["PATH"] = str(without_curl(tmp_path / "bin", busybox=request.param == "busybox"))
    yield command, environment
    left = [path.name for path in tmp_path.iterdir() if path.name not in ("bin", "work")]
    assert left == [], "the runner left files behind"


def without_curl(folder: Path, *, busybox: bool) -> Path:
    """A PATH as small images have it: busybox alone, or the usual tools with GNU wget."""
    folder.mkdir()
    for name in (*TOOLS, "wget", "busybox" if busybox else "iconv"):
        target = shutil.which("busybox") if busybox and name != "dash" else shutil.which(name)
        if target:
            (folder / name).symlink_to(target)
    return folder


@pytest.fixture
def run(runner: tuple[list[str], dict[str, str]], server: CallbackServer, tmp_path: Path) -> Run:
    """Runs a shell command under the runner, inside loadme unless told otherwise."""
    command, environment = runner
    (tmp_path / "work").mkdir()

    def run(*words: str, inside: bool = True, **more: str) -> subprocess.CompletedProcess[bytes]:
        work = words if len(words) > 1 else ("sh", "-c", *words)
        given = environment | (server.environment if inside else {}) | more
        executable = shutil.which(command[0])
        assert executable is not None
        return subprocess.run([executable, *command[1:], "--", *work], env=given, cwd=tmp_path / "work", capture_output=True, timeout=60)

    return run


def verdict(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """What the last line of the output says; it has to be a line of its own."""
    last = done.stdout.decode().splitlines()[-1]
    assert last.startswith("::{")
    assert last.endswith("}::")
    found: dict[str, Any] = json.loads(last[2:-2])["loadme"]
    return found


def test_outputs_are_posted_with_the_token_and_told_again_in_the_verdict(run: Run, server: CallbackServer) -> None:
    done = run('echo working; echo rows=3 >> "$LOADME_OUTPUT"; echo "{\\"done\\": [true, 1.5]}" >> "$LOADME_OUTPUT"')

    outputs = {"rows": "3", "done": [True, 1.5]}
    assert done.returncode == 0
    assert done.stdout.startswith(b"working\n")
    assert server.posts() == [outputs]
    assert server.calls[-1].headers["Authorization"] == f"Bearer {TOKEN}"
    assert verdict(done) == {"attempt": ATTEMPT, "status": "succeeded", "exit_code": 0, "outputs": outputs}


def test_a_verdict_never_tells_the_outputs_of_a_step_that_gives_a_secret_back(run: Run, server: CallbackServer) -> None:
    done = run('echo pass=hunter2 >> "$LOADME_OUTPUT"', LOADME_SECRET_OUTPUTS="pass")

    assert server.posts() == [{"pass": "hunter2"}]
    assert verdict(done) == {"attempt": ATTEMPT, "status": "succeeded", "exit_code": 0}
    assert b"hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("written", "outputs"),
    [
        ("", {}),
        ("a=1\r\na=2\r\n", {"a": "2"}),
        ("equals=x=y\nempty=\n\n", {"equals": "x=y", "empty": ""}),
        ("text<<END\nfirst\n\n  END\nlast\nEND\nb=1", {"text": "first\n\n  END\nlast", "b": "1"}),
        ("none<<END\nEND\n", {"none": ""}),
        ('a="q"\\n\ttab\x1b[0m é😀', {"a": '"q"\\n\ttab\x1b[0m é😀'}),
        ('{\n  "a": {"b": [1, null]},\n  "c": "}"\n}\n', {"a": {"b": [1, None]}, "c": "}"}),
        ('{"a": 1}\n\n{"b": "x"}\n{}\nc=3', {"a": 1, "b": "x", "c": "3"}),
    ],
)
def test_the_output_file_is_read_as_documented(run: Run, server: CallbackServer, written: str, outputs: dict[str, Any]) -> None:
    done = run('printf %s "$WRITTEN" > "$LOADME_OUTPUT"', WRITTEN=written)

    assert server.posts() == [outputs]
    assert verdict(done)["outputs"] == outputs


def test_a_command_that_fails_is_reported_with_its_code_and_last_lines_and_exits_0(run: Run, server: CallbackServer) -> None:
    done = run("for i in $(seq 1 99); do echo line $i; done; echo rows=3 > $LOADME_OUTPUT; printf oops >&2; exit 3")

    (failure,) = server.posts("/failure")
    assert done.returncode == 0
    assert failure == {
        "kind": "exit_code",
        "message": "the command exited with code 3",
        "exit_code": 3,
        "log": [*(f"line {i}" for i in range(81, 100)), "oops"],
    }
    assert server.posts() == []
    assert verdict(done) == {"attempt": ATTEMPT, "status": "failed", "exit_code": 3, "kind": "exit_code", "message": failure["message"]}


def test_a_log_that_is_not_text_still_reaches_loadme(run: Run, server: CallbackServer) -> None:
    done = run(r"printf 'a\000b\377\033[1m\n'; exit 1")

    assert done.stdout.startswith(b"a\0b\xff\x1b[1m\n")
    (line,) = server.posts("/failure")[0]["log"]
    assert line.startswith("a")
    assert line.endswith("\x1b[1m")


@pytest.mark.parametrize(("words", "code"), [(("no-such-command", "x"), 127), (("/dev/null", "x"), 126)])
def test_a_command_that_cannot_be_started_is_a_failure_that_names_it(
    run: Run, server: CallbackServer, words: tuple[str, ...], code: int
) -> None:
    done = run(*words)

    (failure,) = server.posts("/failure")
    assert (failure["kind"], failure["exit_code"], done.returncode) == ("exit_code", code, 0)
    assert words[0] in failure["message"]


def test_a_killed_command_is_reported_as_137(run: Run, server: CallbackServer) -> None:
    run("kill -9 $$")

    (failure,) = server.posts("/failure")
    assert failure["exit_code"] == 137
    assert "out of memory" in failure["message"]


@pytest.mark.parametrize(
    ("written", "line"), [("a=1\nnot this\n", "line 2"), ("<<E\n", "line 1"), ("x<<\n", "line 1"), ("\nx<<E\nvalue\n E\n", "line 2")]
)
def test_a_wrong_output_file_fails_the_step_and_names_the_line(run: Run, server: CallbackServer, written: str, line: str) -> None:
    done = run('printf %s "$WRITTEN" > "$LOADME_OUTPUT"', WRITTEN=written)

    (failure,) = server.posts("/failure")
    assert failure["kind"] == "outputs"
    assert line in failure["message"]
    assert server.posts() == []
    assert (verdict(done)["status"], verdict(done)["exit_code"]) == ("failed", 0)


def test_an_outage_is_sat_out(run: Run, server: CallbackServer) -> None:
    server.script["POST", ""] = [503, 404, 202]

    done = run("echo a=1 > $LOADME_OUTPUT", LOADME_CALLBACK_RETRY="20")

    assert server.posts() == [{"a": "1"}] * 3
    assert b"not delivered" not in done.stderr


def test_a_callback_that_is_never_accepted_leaves_the_verdict_in_the_log(run: Run, server: CallbackServer) -> None:
    server.script["POST", ""] = [500]

    done = run("echo a=1 > $LOADME_OUTPUT; echo done", LOADME_CALLBACK_RETRY="1")

    assert done.returncode == 0
    assert b"not delivered" in done.stderr
    assert verdict(done) == {"attempt": ATTEMPT, "status": "succeeded", "exit_code": 0, "outputs": {"a": "1"}}


def test_a_redirect_is_not_followed_with_the_token(run: Run, server: CallbackServer) -> None:
    if os.environ.get("PYTEST_CURRENT_TEST", "").count("[busybox]"):
        pytest.skip("busybox wget follows every redirect")
    server.script["POST", "/failure"] = [302]

    run("exit 1", LOADME_CALLBACK_RETRY="1")

    assert [call.path for call in server.calls if call.method == "POST"] == ["/failure"] * len(server.posts("/failure"))
    assert [call for call in server.calls if (call.method, call.path) == ("GET", "")] == []


@pytest.mark.parametrize("status", [401, 409, 410])
def test_a_refusal_is_final_and_told(run: Run, server: CallbackServer, status: int) -> None:
    server.script["POST", ""] = [status]

    done = run("echo a=1 > $LOADME_OUTPUT")

    assert server.posts() == [{"a": "1"}]
    assert done.returncode == 0
    assert f"refused: {status}".encode() in done.stderr
    assert verdict(done)["status"] == ("succeeded" if status == 401 else "already_reported")


@pytest.mark.parametrize("status", [400, 413, 422])
def test_outputs_that_loadme_refuses_fail_the_step(run: Run, server: CallbackServer, status: int) -> None:
    server.script["POST", ""] = [status]

    done = run("echo a=1 > $LOADME_OUTPUT")

    (failure,) = server.posts("/failure")
    assert failure["kind"] == "outputs"
    assert str(status) in failure["message"]
    assert (verdict(done)["status"], verdict(done)["kind"]) == ("failed", "outputs")


def test_large_outputs_are_posted_but_not_repeated_in_the_log(run: Run, server: CallbackServer) -> None:
    done = run('printf "a=" > $LOADME_OUTPUT; head -c 9000 /dev/zero | tr "\\0" x >> $LOADME_OUTPUT')

    assert server.posts() == [{"a": "x" * 9000}]
    assert verdict(done) == {"attempt": ATTEMPT, "status": "succeeded", "exit_code": 0}


def test_an_attempt_that_is_over_is_not_worked_on_again(run: Run, server: CallbackServer) -> None:
    server.script["GET", "/variables"] = [410]

    done = run("echo worked")

    assert done.returncode == 0
    assert b"worked" not in done.stdout
    assert server.posts() == []
    assert verdict(done) == {"attempt": ATTEMPT, "status": "already_reported"}


def test_the_verdict_stands_on_a_line_of_its_own(run: Run) -> None:
    done = run("printf '\\033[31mred, and no new line'")

    assert done.stdout.startswith(b"\x1b[31mred, and no new line\n::{")
    assert verdict(done)["status"] == "succeeded"


def test_outside_loadme_the_exit_code_is_the_commands_and_nothing_is_sent(run: Run, server: CallbackServer) -> None:
    failed = run("exit 3", inside=False)
    good = run("echo a=1 > $LOADME_OUTPUT", inside=False)
    wrong = run("echo a > $LOADME_OUTPUT", inside=False)

    assert (failed.returncode, good.returncode, wrong.returncode) == (3, 0, 1)
    assert b'{"a":"1"}' in good.stderr
    assert server.calls == []
    assert b"::{" not in failed.stdout + good.stdout + wrong.stdout


def test_a_process_that_is_left_behind_does_not_hold_the_step_up(run: Run, server: CallbackServer) -> None:
    started = time.monotonic()

    run("sleep 30 & echo a=1 > $LOADME_OUTPUT")

    assert server.posts() == [{"a": "1"}]
    assert time.monotonic() - started < 15


def test_the_one_file_works_when_it_is_copied_into_an_image(server: CallbackServer, tmp_path: Path) -> None:
    shutil.copy(ROOT / "loadme" / "step.py", tmp_path / "step.py")
    work = "import step; step.output(doubled=2 * step.variable('N'))"
    server.variables = {"n": 21}

    command = [sys.executable, "step.py", "run", "--", sys.executable, "-c", work]
    done = subprocess.run(command, env=server.environment, cwd=tmp_path, capture_output=True, timeout=60)

    assert server.posts() == [{"doubled": 42}]
    assert verdict(done)["outputs"] == {"doubled": 42}


def test_a_signal_reaches_the_command_and_the_outcome_is_still_reported(
    runner: tuple[list[str], dict[str, str]], server: CallbackServer
) -> None:
    command, environment = runner
    script = "trap 'echo stopping; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    executable = shutil.which(command[0])
    assert executable is not None
    process = subprocess.Popen(
        [executable, *command[1:], "--", "sh", "-c", script], env=environment | server.environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process, process.stdout as output:
        assert output.readline() == b"ready\n"  # so the output comes through while the command runs
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert rest.startswith(b"stopping\n")
    assert server.posts("/failure")[0]["exit_code"] == 5


def test_help_teaches(runner: tuple[list[str], dict[str, str]]) -> None:
    command, environment = runner
    executable = shutil.which(command[0])
    assert executable is not None
    words = [word for word in command[1:] if word != "run"]

    helped = subprocess.run([executable, *words, "--help"], env=environment, capture_output=True, timeout=20)
    puzzled = subprocess.run([executable, *words, "sh", "-c", "true"], env=environment, capture_output=True, timeout=20)

    assert (helped.returncode, puzzled.returncode) == (0, 2)
    assert b"-- COMMAND" in helped.stdout
    assert b"-- COMMAND" in puzzled.stderr
