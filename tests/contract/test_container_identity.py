"""A container that is a process gets a token for its identity with the genuine SDK and reads a secret; an init container does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from localcloud.arm import ArmSettings, ArmState
from localcloud.arm.calls import Call, Reply
from localcloud.certificates import Authority
from localcloud.clock import ScaledClock
from localcloud.identity import create_app as create_identity_app
from localcloud.keyvault import Vaults
from localcloud.keyvault import create_app as create_vault_app
from localcloud.runtimes import Parts, make_runtime
from localcloud.servers import ThreadedServer
from localcloud.settings import CloudSettings
from localcloud.tokens import Identity, TokenSigner
from tests.contract.conftest import APP, SECRET
from tests.contract.local_arm import wait_for

GROUP = f"/subscriptions/{ArmSettings().subscription}/resourceGroups/rg"
WORK = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/work"
READ = """
import os
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
with ManagedIdentityCredential() as credential, SecretClient(os.environ["VAULT"], credential, verify_challenge_resource=False) as client:
    print(client.get_secret("password").value)
"""


@dataclass
class Scene:
    state: ArmState
    vault: str
    vaults: Vaults

    def call(self, method: str, path: str, body: Any = None) -> Reply:
        return self.state.answer(Call(method=method, path=path, body=body, query={"api-version": "2023-05-01"}))[0]

    def log(self, name: str, container: str) -> str:
        address = f"{GROUP}/providers/Microsoft.ContainerInstance/containerGroups/{name}/containers/{container}/logs"
        return str((self.call("GET", address).body or {}).get("content", ""))

    def ended(self, name: str) -> str:
        def state() -> str:
            with self.state.lock:
                return str(self.state.containers.summary()[name]["state"])

        wait_for(lambda: state() in ("Succeeded", "Failed"), f"{name} to end", 40)
        return state()

    def put(self, name: str, **more: Any) -> None:
        variables = [{"name": "VAULT", "value": self.vault}]
        run = {"image": "loadme.local/python:1", "command": ["python", "-c", READ], "environmentVariables": variables}
        main = {"name": "main", "properties": {**run, "resources": {"requests": {"cpu": 1, "memoryInGB": 1}}}}
        properties = {"osType": "Linux", "restartPolicy": "Never", "containers": [main]}
        if more.pop("init", False):
            properties["initContainers"] = [{"name": "first", "properties": run}]
        identity = {"type": "UserAssigned", "userAssignedIdentities": {WORK: {}}}
        body = {"location": "westeurope", "identity": identity, "properties": properties}
        reply = self.call("PUT", f"{GROUP}/providers/Microsoft.ContainerInstance/containerGroups/{name}", body)
        assert reply.status == 201, reply.body


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("identities")
    authority, vaults, states = Authority(folder / "certificates"), Vaults(), list[ArmState]()
    signer, clock = TokenSigner(ArmSettings().tenant, time.time), ScaledClock(0.01)

    def identities(group: str) -> list[Identity]:
        return list(states[0].group_identities(group))

    with ExitStack() as stack:
        stack.callback(clock.close)
        metadata = stack.enter_context(ThreadedServer(create_identity_app(signer, APP, SECRET, identities)))
        served = create_vault_app(vaults, signer.verify, ArmSettings().tenant)
        vault = stack.enter_context(ThreadedServer(served, ssl_cert=authority.certificate, ssl_key=authority.key))
        platform = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": f"{metadata.url}/groups/{{group}}", "REQUESTS_CA_BUNDLE": str(authority.ca)}
        settings = CloudSettings(folder=folder)
        runtime, _ = make_runtime(
            Parts(
                settings=settings,
                folder=folder,
                stack=stack,
                signer=signer,
                state=lambda: states[0],
                platform=platform,
                bundle=authority.ca,
            )
        )
        states.append(ArmState(ArmSettings(restart_probability=0, hidden_probability=0), clock, runtime))
        scene = Scene(states[0], f"{vault.url}/vaults/contoso", vaults)
        scene.call("PUT", GROUP, {"location": "westeurope"})
        assert scene.call("PUT", WORK, {"location": "westeurope"}).status == 201
        found = states[0].identity(WORK)
        assert found is not None
        vaults.assign("contoso", found.principal_id, "reader")
        vaults.set("contoso", "password", "correct horse")
        yield scene


def test_a_container_reads_a_secret_with_its_own_identity(scene: Scene) -> None:
    scene.put("reader")
    assert scene.ended("reader") == "Succeeded", scene.log("reader", "main")
    assert scene.log("reader", "main") == "correct horse\n"


def test_an_init_container_has_no_identity(scene: Scene) -> None:
    scene.put("init", init=True)
    assert scene.ended("init") == "Failed"
    assert "ManagedIdentityCredential authentication unavailable" in scene.log("init", "first")
