"""A local cloud started by its command line, and the Azure CLI: both are other processes, in other environments than the tests."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv" / "bin" / "python"
AZ = ROOT / ".venv-cli" / "bin" / "az"
FOREIGN = ("AZURE_", "ARM_", "IDENTITY_", "IMDS_", "MSI_", "LOADME_", "PYTEST_", "REQUESTS_", "SSL_CERT", "HTTP_PROXY", "HTTPS_PROXY")
START_TIMEOUT = 120.0  # seconds; two on an idle machine
STOP_TIMEOUT = 60.0
COMMAND_TIMEOUT = 240.0


def clean_environment() -> dict[str, str]:
    """This process's, without what would change how clients log in, or where they look for Azure."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(FOREIGN)}


@dataclass(frozen=True)
class RunningCloud:
    """What the cloud's state file says, and its command line."""

    folder: Path
    state: dict[str, Any]

    def environment(self, form: str) -> dict[str, str]:
        """What `python -m localcloud env FORM` tells a shell to export."""
        lines = run_localcloud(self.folder, "env", form).splitlines()
        words = [shlex.split(line) for line in lines]
        return dict(word.split("=", 1) for [_export, word] in words)

    @property
    def ca(self) -> str:
        return str(self.state["ca"])

    @property
    def arm(self) -> str:
        return str(self.state["arm"])

    @property
    def login(self) -> str:
        return str(self.state["login"])

    @property
    def tenant(self) -> str:
        return str(self.state["tenant"])

    @property
    def subscription(self) -> str:
        return str(self.state["subscription"])

    @property
    def client_id(self) -> str:
        return str(self.state["deployer"]["client_id"])

    @property
    def object_id(self) -> str:
        return str(self.state["deployer"]["object_id"])

    @property
    def secret(self) -> str:
        return str(self.state["deployer"]["secret"])


def run_localcloud(folder: Path, *words: str) -> str:
    """A command of the local cloud in its folder: what it prints. It must succeed."""
    command = [str(PYTHON), "-m", "localcloud", *words]
    environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=COMMAND_TIMEOUT)
    assert result.returncode == 0, result.stderr
    return result.stdout


@contextmanager
def running_cloud(folder: Path, *options: str) -> Iterator[RunningCloud]:
    """`python -m localcloud up` in a folder of its own, until the end of the block."""
    command = [PYTHON, "-m", "localcloud", "up", "--app", ROOT, *options]
    environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
    with (folder / "up.log").open("w") as log:
        process = subprocess.Popen([str(word) for word in command], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield RunningCloud(folder, _wait_for(folder, process))
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        finally:
            process.kill()


def _wait_for(folder: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    state, end = folder / ".localcloud" / "cloud.json", time.monotonic() + START_TIMEOUT
    while not state.is_file():
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"the local cloud did not start:\n{(folder / 'up.log').read_text()}")
        time.sleep(0.05)
    content: dict[str, Any] = json.loads(state.read_text())
    return content


class Az:
    """The Azure CLI with a configuration folder of its own, pointed at a local cloud. It says what it would not say on Azure: nothing."""

    def __init__(self, folder: Path, cloud: RunningCloud, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            **clean_environment(),
            **cloud.environment("az"),
            "AZURE_CONFIG_DIR": str(folder),
            "AZURE_CORE_NO_COLOR": "true",
            "AZURE_CORE_ONLY_SHOW_ERRORS": "true",
            **environment,
        }

    def text(self, *words: str) -> str:
        """What the command prints. It must succeed, and without a word on standard error."""
        result = self._run(*words)
        assert result.returncode == 0, f"az {' '.join(words)}\n{result.stderr}{result.stdout}"
        assert not result.stderr, f"az {' '.join(words)}\n{result.stderr}"
        return result.stdout

    def __call__(self, *words: str) -> Any:
        """What the command prints, as JSON; None for nothing."""
        printed = self.text(*words, "--output", "json")
        return json.loads(printed) if printed.strip() else None

    def error(self, *words: str) -> str:
        """What the command says on standard error. It must fail."""
        result = self._run(*words)
        assert result.returncode != 0, f"az {' '.join(words)} succeeded:\n{result.stdout}"
        return result.stderr

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(AZ), *words]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=COMMAND_TIMEOUT, stdin=subprocess.DEVNULL
        )


def registered(folder: Path, cloud: RunningCloud, **environment: str) -> Az:
    """A CLI that knows the local cloud, and nobody has logged in yet."""
    az = Az(folder, cloud, **environment)
    az("cloud", "register", "--name", "loadme", "--endpoint-resource-manager", cloud.arm)
    az("cloud", "set", "--name", "loadme")
    return az


def log_in(az: Az, cloud: RunningCloud) -> Any:
    """As the deployer, with its secret."""
    words = ("--service-principal", "--username", cloud.client_id, "--password", cloud.secret, "--tenant", cloud.tenant)
    return az("login", *words)
