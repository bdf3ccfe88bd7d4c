"""`az container exec`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.clients.cloud import AZ, COMMAND_TIMEOUT, Az

SIZE = ("--os-type", "Linux", "--cpu", "1", "--memory", "1", "--restart-policy", "Never")


@pytest.fixture(scope="module")
def group(az: Az) -> Iterator[str]:
    az("group", "create", "--name", "cli-exec", "--location", "westeurope")
    return "cli-exec"


def create(az: Az, group: str, name: str, script: str) -> None:
    command = f"sh -c '{script}'"
    az("container", "create", "-g", group, "-n", name, "--image", "loadme.local/shell:1", *SIZE, "--command-line", command)


def test_what_is_typed_runs_in_the_container(az: Az, group: str) -> None:
    create(az, group, "cli-typed", "echo made > here; sleep 300")
    words = [str(AZ), "container", "exec", "-g", group, "-n", "cli-typed", "--exec-command", "/bin/sh"]

    typed = b"cat here; echo $((6 * 7)); exit\n"
    done = subprocess.run(words, env=az.environment, input=typed, capture_output=True, timeout=COMMAND_TIMEOUT)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"made\r\n42\r\n")
    az("container", "delete", "-g", group, "-n", "cli-typed", "--yes")


def test_one_command_runs_in_the_container(az: Az, group: str) -> None:
    create(az, group, "cli-ls", "touch made; sleep 300")

    assert "made" in az.text("container", "exec", "-g", group, "-n", "cli-ls", "--exec-command", "ls")

    az("container", "delete", "-g", group, "-n", "cli-ls", "--yes")
