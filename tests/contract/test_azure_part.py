"""What of the local cloud runs in the supervisor: who reaches which of its ports, and in which order it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from localcloud.azure import Azure
from localcloud.certificates import Authority
from localcloud.cli.clients import FORMS
from localcloud.containers.running import Closed
from localcloud.containers.runtime import Launch
from localcloud.settings import CloudSettings

QUERY = {"api-version": "2018-02-01", "resource": "https://management.azure.com/"}


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Azure]:
    running = Azure(CloudSettings(folder=tmp_path, fixed_ports=False), tmp_path, Authority(tmp_path / "certificates"))
    running.start()
    yield running
    running.stop()


def test_a_group_s_network_has_the_ports_of_the_cloud_but_not_that_of_the_identities(azure: Azure) -> None:
    azure.told = lambda: {"IDENTITY_ENDPOINT": f"{azure.identity_url}/msi/token", "QUEUES": "https://127.0.0.1:7/account"}
    expected = {7, *(int(url.split("/")[2].rpartition(":")[2]) for url in (azure.arm_url, azure.vault_url, azure.login_url))}
    assert azure._ports() == expected


def test_the_machine_s_tokens_are_had_by_whoever_was_told_the_way_alone(azure: Azure) -> None:
    state = {"ca": str(azure.ca), **azure.logins.describe(azure.login_url, azure.identity_url, azure.identity_tls_url)}
    told = FORMS["imds"](state)["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    with httpx.Client(trust_env=False, headers={"Metadata": "true"}) as client:

        def status(place: str) -> int:
            return client.get(f"{place}/metadata/identity/oauth2/token", params=QUERY).status_code

        assert status(told) == 200
        assert status(f"{azure.identity_url}/machine") == 404
        assert client.post(f"{azure.identity_url}/cloudshell/token", data=QUERY).status_code == 404
        assert client.post(FORMS["cloud-shell"](state)["MSI_ENDPOINT"], data=QUERY).status_code == 200
    assert state["machine"]["secret"] not in str(azure.state.journal.listing())


def test_no_container_is_started_when_all_has_ended(azure: Azure) -> None:
    runtime, called = azure.state.runtime, []
    azure.clock.call_later(0.0, lambda: called.append("before"))
    azure.stop()
    azure.clock.call_later(0.0, lambda: called.append("after"))
    with pytest.raises(Closed):
        runtime.start(Launch(group="g", container="c", image="a", environment={}), lambda code, detail="": None)  # noqa: ARG005
    assert "after" not in called
    assert not azure.clock._thread.is_alive()
