"""`az container`."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.clients.cloud import AZ, Az, RunningCloud

SHELL = "loadme.local/shell:1"
SIZE = ("--os-type", "Linux", "--cpu", "1", "--memory", "1")


@pytest.fixture(scope="module")
def group(az: Az) -> Iterator[str]:
    az("group", "create", "--name", "cli-containers", "--location", "westeurope")
    return "cli-containers"


def create(az: Az, group: str, name: str, script: str, *words: str) -> dict[str, object]:
    command = f"sh -c '{script}'"
    made = az("container", "create", "-g", group, "-n", name, "--image", SHELL, *SIZE, "--command-line", command, *words)
    return dict(made or {})


def wait_for_log(az: Az, group: str, name: str, words: str) -> str:
    end = time.monotonic() + 60
    while words not in (log := az.text("container", "logs", "-g", group, "-n", name)):
        assert time.monotonic() < end, log
    return log


def test_a_container_group_from_its_creation_to_its_end(az: Az, cloud: RunningCloud, group: str) -> None:
    name = ("--resource-group", group, "--name", "cli-one")
    variables = ("--environment-variables", "PLAIN=seen", "--secure-environment-variables", "SECRET=unseen")

    made = create(az, group, "cli-one", "echo $PLAIN; sleep 300", "--restart-policy", "Never", *variables)

    assert (
        made["id"]
        == f"/subscriptions/{cloud.subscription}/resourceGroups/{group}/providers/Microsoft.ContainerInstance/containerGroups/cli-one"
    )
    assert (made["provisioningState"], made["osType"], made["restartPolicy"]) == ("Succeeded", "Linux", "Never")
    shown = az("container", "show", *name)
    [container] = shown["containers"]
    assert container["instanceView"]["currentState"]["state"] == "Running"
    assert container["environmentVariables"][0] == {"name": "PLAIN", "secureValue": None, "value": "seen"}
    assert "unseen" not in str(container)
    assert wait_for_log(az, group, "cli-one", "seen").splitlines()[0] == "seen"
    assert az("container", "list", "--resource-group", group, "--query", "[].name") == ["cli-one"]
    assert "cli-one" in az("container", "list", "--query", "[].name")

    assert az("container", "delete", *name, "--yes")["name"] == "cli-one"

    assert "does not exist" in az.error("container", "show", *name)


def test_it_is_stopped_started_and_restarted(az: Az, group: str) -> None:
    name = ("--resource-group", group, "--name", "cli-two")
    create(az, group, "cli-two", "echo begun; sleep 300")

    az("container", "stop", *name)
    assert az("container", "show", *name, "--query", "instanceView.state") == "Stopped"
    az("container", "start", *name)
    assert az("container", "show", *name, "--query", "instanceView.state") == "Running"
    az("container", "restart", *name)
    assert az("container", "show", *name, "--query", "instanceView.state") == "Running"

    az("container", "delete", *name, "--yes")


def test_a_command_is_executed_in_it_at_a_terminal(az: Az, group: str) -> None:
    create(az, group, "cli-exec", "sleep 300")

    seen, code = at_a_terminal(
        az, ("container", "exec", "-g", group, "-n", "cli-exec", "--exec-command", "/bin/sh"), b"echo h$((1+1))i; exit\n"
    )

    assert "h2i" in seen
    assert code == 0, seen
    az("container", "delete", "-g", group, "-n", "cli-exec", "--yes")


def at_a_terminal(az: Az, words: tuple[str, ...], typed: bytes) -> tuple[str, int]:
    """What the CLI shows at a terminal of its own, and its exit code; the words are typed when a prompt is there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [str(AZ), *words], env=az.environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        seen, end = b"", time.monotonic() + 120
        with suppress(OSError):  # a terminal that nobody has any more
            while process.poll() is None and time.monotonic() < end:
                if select.select([ours], [], [], 0.5)[0]:
                    seen += os.read(ours, 4096)
                if typed and seen.rstrip().endswith((b"#", b"$")):
                    os.write(ours, typed)
                    typed = b""
        if process.poll() is None and time.monotonic() > end:
            process.kill()
    os.close(ours)
    return seen.decode(errors="replace"), process.returncode


def test_its_exit_code_is_told(az: Az, group: str) -> None:
    create(az, group, "cli-three", "echo bye; exit 3", "--restart-policy", "Never", "--no-wait")

    end, state = time.monotonic() + 60, None
    while (state or {}).get("state") != "Terminated":
        assert time.monotonic() < end, state
        query = "containers[0].instanceView.currentState"
        state = az("container", "show", "-g", group, "-n", "cli-three", "--query", query)

    assert (state["exitCode"], state["detailStatus"]) == (3, "Error")
    az("container", "delete", "-g", group, "-n", "cli-three", "--yes")


def test_it_is_exported_and_created_from_the_file(az: Az, group: str, tmp_path: Path) -> None:
    file = tmp_path / "group.yaml"
    create(az, group, "cli-four", "sleep 300", "--restart-policy", "OnFailure")

    az("container", "export", "-g", group, "-n", "cli-four", "--file", str(file))
    assert f"image: {SHELL}" in file.read_text()
    az("container", "delete", "-g", group, "-n", "cli-four", "--yes")
    again = az("container", "create", "-g", group, "--file", str(file))

    assert (again["name"], again["properties"]["restartPolicy"]) == ("cli-four", "OnFailure")
    az("container", "delete", "-g", group, "-n", "cli-four", "--yes")


def test_an_image_that_cannot_be_had_is_refused_in_azures_words(az: Az, group: str) -> None:
    words = ("container", "create", "-g", group, "-n", "cli-five", *SIZE)

    said = az.error(*words, "--image", "registry.example/absent:1")

    assert "InaccessibleImage" in said or "is not accessible" in said
