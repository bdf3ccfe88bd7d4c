"""The side door of a whole cloud: over HTTP by the command line, and the same in Python."""

from __future__ import annotations

import dataclasses
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from click.testing import CliRunner

from localcloud.bootstrap import DEPLOYER
from localcloud.cli.commands import localcloud
from localcloud.cloud import Cloud
from localcloud.ports import free_port
from localcloud.settings import CONTAINER_GROUP, LOCATION, group_id
from tests.e2e.conftest import SECRET, cloud_settings
from tests.waiting import wait_for

GROUPS = f"{group_id(CONTAINER_GROUP)}/providers/Microsoft.ContainerInstance/containerGroups"
HANGING = {
    "location": LOCATION,
    "properties": {
        "osType": "Linux",
        "restartPolicy": "Never",
        "containers": [
            {
                "name": "main",
                "properties": {
                    "image": "loadme.local/shell:1",
                    "command": ["sh", "-c", "echo working; sleep 600"],
                    "resources": {"requests": {"cpu": 1, "memoryInGB": 1}},
                },
            }
        ],
    },
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud whose clock may be stopped, with relays in front of everything."""
    settings = cloud_settings(tmp_path_factory.mktemp("side") / ".localcloud")
    with Cloud(dataclasses.replace(settings, relay=("functions", "storage"), port=free_port())) as cloud:
        yield cloud


def test_a_relay_is_where_the_app_is_looked_for(own: Cloud) -> None:
    assert own.url == f"http://127.0.0.1:{own.settings.port}"


@pytest.fixture
def cli(own: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The command line in the folder of that cloud; what it prints."""
    monkeypatch.chdir(own.settings.folder.parent)

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(localcloud, words)
        assert result.exit_code == code, result.output
        return result.output

    yield run
    own.clear_faults()
    own.clock.resume()


@pytest.fixture
def arm(own: Cloud) -> Iterator[httpx.Client]:
    """Somebody with every right."""
    token = own.azure.signer.sign("https://management.azure.com", DEPLOYER)
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(
        base_url=own.arm_url, headers=headers, verify=ssl.create_default_context(cafile=own.azure.ca), trust_env=False
    ) as client:
        client.params = httpx.QueryParams({"api-version": "2023-05-01"})
        yield client


def state(arm: httpx.Client, name: str) -> str:
    answer = arm.get(f"{GROUPS}/{name}")
    return str(answer.json()["properties"]["provisioningState"]) if answer.is_success else ""


def test_a_group_is_taken_through_its_life_by_the_clock_and_by_hand(own: Cloud, cli: Any, arm: httpx.Client) -> None:
    assert "paused" in cli("clock", "pause")
    cli("faults", "add", "held")
    assert arm.put(f"{GROUPS}/by-hand", json=HANGING).status_code == 201

    assert state(arm, "by-hand") in {"", "Pending"}
    cli("clock", "advance", "60")
    assert state(arm, "by-hand") == "Creating"
    cli("groups", "release", "by-hand")
    assert wait_for(lambda: cli("clock", "advance", "next") and state(arm, "by-hand") == "Succeeded", 20, "its start")
    wait_for(lambda: "working" in arm.get(f"{GROUPS}/by-hand/containers/main/logs").text, 20, "its log")
    cli("groups", "exit", "by-hand", "--oom")

    ended = arm.get(f"{GROUPS}/by-hand").json()["properties"]["containers"][0]["properties"]["instanceView"]["currentState"]
    assert (ended["exitCode"], ended["detailStatus"]) == (137, "OOMKilled")
    assert "working" in arm.get(f"{GROUPS}/by-hand/containers/main/logs").text
    assert "by-hand  Succeeded     Failed  1" in cli("groups")
    assert cli("groups", "exit", "nobody", code=1) == "localcloud: there is no container group nobody\n"


def test_faults_are_scripted_listed_and_dropped_and_what_they_hit_is_on_record(own: Cloud, cli: Any, arm: httpx.Client) -> None:
    cli("calls", "clear")
    added = cli("faults", "add", "--route", "containerGroups/{name}", "--status", "503", "--count", "2", "--header", "Retry-After=9")
    listed = cli("faults")
    answer = arm.get(f"{GROUPS}/absent")
    calls = json.loads(cli("calls", "--status", "5..", "--json"))

    assert added.startswith("fault ")
    assert "route=containerGroups/{name} status=503" in listed
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "9")
    assert [(call["path"], call["who"], call["fault"]) for call in calls] == [(f"{GROUPS}/absent", "deployer", added.split()[1])]
    assert "(fault" in cli("calls")
    cli("faults", "clear", added.split()[1])
    assert cli("faults") == "no fault is to come\n"
    assert "the creation of a container group is refused" in cli("faults", "known")
    assert "there is no ready-made fault throtled" in cli("faults", "add", "throtled", code=1)


def test_tokens_and_vaults_have_faults_of_their_own(own: Cloud, cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, own.environment[name])
    cli("faults", "add", "vault-throttled")
    cli("faults", "add", "--service", "identity", "--status", "500")
    vault = f"{own.azure.vault_url}/contoso"
    options: dict[str, Any] = {"connection_verify": str(own.azure.ca), "verify_challenge_resource": False}

    with ManagedIdentityCredential() as credential, SecretClient(vault, credential, **options) as client:
        value = client.get_secret("report-sas").value

    assert value == SECRET
    calls = own.calls(status="[45]..", path="secrets|msi")
    assert {(call["service"], call["status"]) for call in calls if call["fault"]} == {("vault", 429), ("identity", 500)}
    assert {call["who"] for call in own.calls(service="vault", status="200")} == {"loadme-app"}
    assert own.faults() == []


def test_a_token_ends_when_the_clock_says_so(own: Cloud, arm: httpx.Client) -> None:
    assert arm.get(GROUPS).status_code == 200

    own.clock.advance(25 * 3600)

    assert arm.get(GROUPS).status_code == 401
    assert own.calls(service="arm")[-1]["status"] == 401
    own.reset()  # the app has a token of yesterday's


def test_a_run_gets_over_storage_that_is_busy_and_a_callback_that_is_lost(own: Cloud) -> None:
    own.clear_calls()
    own.add_fault("storage-busy", count=3)
    own.add_fault("callback-lost")
    with httpx.Client(base_url=own.url, headers={"x-functions-key": own.key}, timeout=30, trust_env=False) as client:
        run = client.post("/api/workflows/hand-over/runs", json={}).headers["location"]
        ended = wait_for(lambda: over(client.get(run).json()), 120, "the run's end")

    assert ended["status"] == "succeeded", ended
    lost, *_ = own.wait_for_call(timeout=5, service="functions", route="callback/{attempt}", status="504")
    assert lost["fault"] == "callback-lost"
    assert {call["fault"] for call in own.calls(service="storage", status="503")} == {"storage-busy"}


def over(run: dict[str, Any]) -> dict[str, Any] | None:
    return run if run["status"] in {"succeeded", "failed", "cancelled"} else None


def test_waiting_for_a_call_that_does_not_come_says_what_was_called_instead(own: Cloud, arm: httpx.Client) -> None:
    arm.get(f"{GROUPS}/absent")

    with pytest.raises(TimeoutError, match=r"(?s)0 of 1 calls \(service=arm, method=PATCH\) in 0.1 s; .*GET .*absent"):
        own.wait_for_call(timeout=0.1, service="arm", method="PATCH")


def test_over_http_too_a_wait_ends_when_the_call_is_made(own: Cloud, arm: httpx.Client) -> None:
    last = arm.get("/localcloud/calls").json()["last"]
    arm.get(f"{GROUPS}/absent")

    answer = arm.get("/localcloud/calls", params={"since": last, "route": "containerGroups/absent", "wait": 20})

    assert [call["method"] for call in answer.json()["calls"]] == ["GET"]
    assert answer.headers["x-localcloud-version"] == "1"
    assert arm.get("/localcloud").json()["services"] == ["arm", "vault", "identity", "functions", "storage"]
    assert arm.get("/localcloud/calls", params={"colour": "red"}).status_code == 400
    assert arm.post("/localcloud/clock", json={"advance": -1}).status_code == 400


def test_after_a_reset_everything_is_as_new_at_the_same_address(own: Cloud, cli: Any, arm: httpx.Client) -> None:
    mine, version = group_id("of-mine"), {"api-version": "2021-04-01"}
    arm.put(mine, json={"location": LOCATION}, params=version).raise_for_status()
    with httpx.Client(base_url=own.url, headers={"x-functions-key": own.key}, timeout=60, trust_env=False) as client:
        client.post("/api/workflows/greet/runs", json={}).raise_for_status()

        assert cli("reset") == "as new\n"

        assert client.get("/api/runs").json()["runs"] == []
        run = client.post("/api/workflows/greet/runs", json={}).headers["location"]
        assert wait_for(lambda: over(client.get(run).json()), 60, "the run's end")["status"] == "succeeded"
    own.check()
    assert arm.get(mine, params=version).status_code == 404
    assert own.clock.state["ahead"] < 5
    assert "by-hand" not in own.groups()


def test_the_command_line_is_told_when_no_cloud_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    for words in (["faults"], ["calls", "clear"], ["clock", "pause"], ["groups"], ["reset"]):
        result = CliRunner().invoke(localcloud, words)
        assert result.exit_code == 3
        assert "none is up in this folder: start one" in result.output
