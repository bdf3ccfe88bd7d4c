"""Secrets in a real run: Key Vault over TLS, the genuine client, two containers; and nothing of them anywhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.cloud import Cloud
from tests.e2e.conftest import SECRET
from tests.e2e.test_runs import Api
from tests.waiting import wait_for

MADE = f"made-of-{SECRET}"


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Iterator[Api]:
    with Api(cloud) as api:
        yield api


def test_a_step_reads_a_secret_and_hands_another_one_over_and_nobody_else_sees_either(api: Api) -> None:
    vaults = api.cloud.azure.vaults
    run = api.start("hand-over-secret")

    shown = api.ended(run)

    assert (shown["status"], shown["error"]) == ("succeeded", None)
    assert (shown["outputs"]["sum"], shown["outputs"]["same"]) == (hashlib.sha256(MADE.encode()).hexdigest(), True)
    name = f"lm-{run}-login-0-1-pass"
    assert shown["outputs"]["pass"] == {"keyvault": f"{name}/{vaults.get('loadme', name)['id'].rpartition('/')[2]}"}
    assert vaults.value("loadme", name) == MADE
    logs = wait_for(lambda: [api.log(run, step) for step in ("login", "use")], 20, "the logs")
    assert ["logged in with ***" in logs[0], "using ***" in logs[1]] == [True, True]
    host = Path(api.cloud.host.command.log).read_text()
    arm = api.arm("Microsoft.Resources/deployments?api-version=2022-09-01")
    arm += api.arm("Microsoft.ContainerInstance/containerGroups?api-version=2023-05-01")
    assert SECRET not in repr([shown, logs, host, arm])
    stored = [file for file in api.cloud.settings.folder.rglob("azurite/**/*") if file.is_file()]
    assert stored
    assert [file.name for file in stored if SECRET.encode() in file.read_bytes()] == []

    wait_for(lambda: api.client.delete(f"/api/runs/{run}").status_code in (204, 404), 60, "the run to be deleted")
    wait_for(lambda: name not in vaults.names("loadme"), 60, "its secret to be deleted")


def test_a_container_reads_a_secret_with_its_own_identity_by_the_genuine_clients(api: Api) -> None:
    run = api.start("read-secret", vault=f"{api.cloud.azure.vault_url}/contoso")
    shown = api.ended(run)
    assert (shown["status"], shown["outputs"]) == ("succeeded", {"length": len(SECRET)}), api.log(run, "read")
