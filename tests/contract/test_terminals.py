"""Commands in containers that are processes, at terminals of their own."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from localcloud.containers import ImageMap, Launch, ProcessRuntime, Terminal
from localcloud.containers.held import Held
from tests.contract.local_arm import wait_for


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Held]:
    runtime = ProcessRuntime(ImageMap([], python=sys.executable, app=tmp_path), tmp_path / "containers", {})
    launch = Launch(
        group="g",
        container="main",
        image="loadme.local/shell:1",
        command=("sh", "-c", "echo made > here; exec sleep 60"),
        environment={"GREETING": "hello"},
    )
    running = runtime.start(launch, lambda _code, _detail="": None)
    wait_for((running.folder / "work" / "here").exists, "the container to be up")
    yield running
    runtime.close()


def all_of(terminal: Terminal) -> str:
    """Everything that it writes until it ends."""
    return b"".join(iter(terminal.read, b"")).decode()


def test_a_command_sees_the_container_s_files_and_environment_at_a_terminal_of_its_size(container: Held) -> None:
    terminal = container.execute(("sh", "-c", 'cat here; echo "$GREETING"; stty size; exit 3'), 30, 100)
    assert all_of(terminal).splitlines() == ["made", "hello", "30 100"]
    assert terminal.close() == 3


def test_what_is_typed_reaches_the_command_and_is_echoed(container: Held) -> None:
    terminal = container.execute(("sh",), 24, 80)
    terminal.write(b"echo $((6 * 7)); exit\n")
    seen = all_of(terminal)
    assert "echo $((6 * 7))" in seen
    assert seen.endswith("42\r\n")
    assert terminal.close() == 0
    terminal.write(b"too late\n")


@pytest.mark.parametrize("inherited", [signal.SIG_DFL, signal.SIG_IGN], ids=["by a shell", "in a shell's background"])
def test_control_c_interrupts_what_runs_at_the_terminal(container: Held, inherited: signal.Handlers) -> None:
    before = signal.signal(signal.SIGINT, inherited)
    try:
        terminal = container.execute(("cat",), 24, 80)  # unlike a shell's, its handling of Ctrl-C is the kernel's at every moment
    finally:
        signal.signal(signal.SIGINT, before)
    terminal.write(b"up\n")
    seen = b""
    while seen.count(b"up") < 2:  # what the terminal echoes, and then what the command writes
        seen += terminal.read()
    terminal.write(b"\x03")
    wait_for(lambda: not terminal.runs, "the command to end")
    assert terminal.close() == 128 + 2


def test_an_unknown_command_says_so(container: Held) -> None:
    terminal = container.execute(("no-such command",), 24, 80)
    assert 'exec: "no-such command": No such file or directory' in all_of(terminal)
    assert terminal.close() == 127


def test_closing_ends_the_command_and_whoever_reads(container: Held) -> None:
    terminal = container.execute(("sh", "-c", "echo $$; sleep 60"), 24, 80)
    pid = int(terminal.read())
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(terminal.read()))
    reader.start()
    assert terminal.close() == 128 + 9
    reader.join(5)
    assert read == [b""]
    wait_for(lambda: not alive(pid), "the command to end")
    assert terminal.close() == 128 + 9


def test_a_command_that_leaves_something_behind_has_ended_all_the_same(container: Held) -> None:
    terminal = container.execute(("sh", "-c", "trap '' HUP; sleep 60 & echo $!"), 24, 80)
    left = int(all_of(terminal))
    assert terminal.close() == 0
    wait_for(lambda: not alive(left), "what was left behind to end")


def test_commands_end_with_their_container(container: Held) -> None:
    terminal = container.execute(("sleep", "60"), 24, 80)
    container.kill()
    assert all_of(terminal) == ""
    container.join(5)
    assert terminal.close() == 128 + 9
    with pytest.raises(OSError, match="ended"):
        container.execute(("true",), 24, 80)


def alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
