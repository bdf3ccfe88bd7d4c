"""A local ARM whose containers are real: Podman, a registry server, and an image that is made here."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud.arm import ArmSettings, ArmState, Limits
from localcloud.arm.calls import Call, Reply
from localcloud.certificates import Authority
from localcloud.clock import ScaledClock
from localcloud.containers import Runtime
from localcloud.containers.engine import Engine, find
from localcloud.containers.registry import program
from localcloud.errors import CloudError
from localcloud.identity import create_app as create_identity_app
from localcloud.push import push
from localcloud.runtimes import Parts, Registry, make_runtime
from localcloud.servers import ThreadedServer
from localcloud.settings import CloudSettings
from localcloud.tokens import Identity, TokenSigner
from tests.contract.local_arm import wait_for

PLENTY = 1_000_000
SETTINGS = ArmSettings(
    restart_probability=0,
    hidden_probability=0,
    limits=Limits(five_minutes=PLENTY, hour=PLENTY, reads=(PLENTY, PLENTY), writes=(PLENTY, PLENTY)),
)
SUBSCRIPTION = ArmSettings().subscription
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
GROUPS = f"{GROUP}/providers/Microsoft.ContainerInstance/containerGroups"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/contoso"
IDENTITIES = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
ACR_PULL = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d"
INSTALLER = Path(__file__).parents[2] / "localcloud/containers/install-debian.sh"
IMAGE = "contoso.azurecr.io/tools/busybox:1"
OPEN_IMAGE = "loadme.local/busybox:1"
APPLETS = ("sh", "awk", "cat", "date", "env", "grep", "head", "id", "kill", "ls", "mktemp", "printf", "rm", "sed", "sleep")
APPLETS += ("tail", "test", "timeout", "touch", "tr", "true", "false", "wc", "wget")
NOBODY = Identity("app", "/app", "33333333-3333-4333-8333-333333333333", "55555555-5555-4555-8555-555555555555")


def podman_or_skip() -> Engine:
    """Podman, set up as by `make containers`. Without it the tests are skipped, and in CI they fail.

    As root they never use the machine's own store, unless somebody has chosen one.
    """
    try:
        if shutil.which("podman") and "CONTAINERS_CONF" not in os.environ:
            subprocess.run([INSTALLER, "settings"], check=True, capture_output=True)  # even if it is there: somebody may be making it
        found = find("podman")
        program()
    except (CloudError, subprocess.CalledProcessError) as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI has to run the tests of real containers: {error}")
        pytest.skip(f"real containers are not tested: {error}")
    assert found.environment or os.geteuid() or "CONTAINERS_CONF" in os.environ, "these tests would use the machine's own store"
    assert shutil.which("busybox"), "there is no static busybox here: run make containers"
    return found


def add_program(name: str, folder: Path) -> None:
    """A program of this machine, with the libraries that it needs."""
    found = str(shutil.which(name))
    libraries = [word for word in subprocess.check_output(["ldd", found], text=True).split() if word.startswith("/")]
    for file in (found, *libraries):
        target = folder / ("bin/" + name if file == found else file.lstrip("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)


def build(engine: Engine, folder: Path) -> str:
    """An image with a static busybox and whatever is in the folder; its own command says hello."""
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "tmp").mkdir()
    shutil.copy(str(shutil.which("busybox")), folder / "bin" / "busybox")
    for name in APPLETS:
        (folder / "bin" / name).symlink_to("busybox")
    with subprocess.Popen(["tar", "-C", str(folder), "-c", "."], stdout=subprocess.PIPE) as tar:
        words = ["podman", "import", "--quiet", "--change", 'ENTRYPOINT ["/bin/sh"]', "--change", 'CMD ["-c", "echo hello"]']
        name = f"localcloud-test-{uuid.uuid4().hex[:12]}:1"
        words += ["--change", "ENV FROM_IMAGE=yes", "-", name]
        done = subprocess.run(words, stdin=tar.stdout, env={**os.environ, **engine.environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return name


@dataclass
class RealCloud:
    state: ArmState
    runtime: Runtime
    registry: Registry
    engine: Engine
    signer: TokenSigner
    folder: Path

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Reply:
        call = Call(method=method, path=path, body=body, query={"api-version": "2023-05-01", **query})
        return self.state.answer(call)[0]

    def put(self, name: str, *words: str, image: str = OPEN_IMAGE, identity: str = "", main: Any = None, **properties: Any) -> None:
        """A group whose container `main` runs the words."""
        own = {"resources": {"requests": {"cpu": 1, "memoryInGB": 1}}, **({"command": list(words)} if words else {}), **(main or {})}
        containers = [{"name": "main", "properties": {"image": image, **own}}, *properties.pop("others", [])]
        body: dict[str, Any] = {"location": "westeurope"}
        body["properties"] = {"osType": "Linux", "restartPolicy": "Never", "containers": containers, **properties}
        if identity:
            body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
        reply = self.call("PUT", f"{GROUPS}/{name}", body)
        assert reply.status in (200, 201), reply.body

    def view(self, name: str) -> dict[str, Any]:
        reply = self.call("GET", f"{GROUPS}/{name}")
        assert reply.status == 200, reply.body
        return dict(reply.body["properties"])

    def summary(self, name: str) -> dict[str, Any]:
        """As the side door has it, which throttles nobody."""
        with self.state.lock:
            return dict(self.state.containers.summary()[name])

    def log(self, name: str, container: str = "main", **query: str) -> str:
        return str((self.call("GET", f"{GROUPS}/{name}/containers/{container}/logs", **query).body or {}).get("content", ""))

    def over(self, name: str) -> dict[str, Any]:
        """Wait for the end; the current state of the container `main`."""
        wait_for(lambda: self.summary(name)["state"] in ("Succeeded", "Failed"), f"{name} to end", 40)
        return dict(self.view(name)["containers"][0]["properties"]["instanceView"]["currentState"])

    def failed(self, name: str) -> dict[str, Any]:
        """Wait until it could not be provisioned; the error."""
        wait_for(lambda: self.summary(name)["provisioning_state"] == "Failed", f"{name} to fail", 40)
        with self.state.lock:
            error = self.state.containers.groups.by_id[f"{GROUPS}/{name}".lower()].error
        assert error is not None
        return dict(error.error())

    def identity(self, name: str) -> str:
        key = f"{IDENTITIES}/{name}"
        assert self.call("PUT", key, {"location": "westeurope"}).status in (200, 201)
        return key

    def allow(self, identity: str, role: str = ACR_PULL, scope: str = REGISTRY) -> None:
        found = self.state.identity(identity)
        assert found is not None
        properties = {"roleDefinitionId": role, "principalId": found.principal_id, "principalType": "ServicePrincipal"}
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-{int(time.time() * 1e6) % 10**12:012d}"
        reply = self.call("PUT", path, {"properties": properties})
        assert reply.status == 201, reply.body

    def running(self) -> list[str]:
        """The containers that the engine knows, by name."""
        return self.engine.do(["podman", "ps", "--all", "--format", "{{.Names}}"]).stdout.split()


@contextmanager
def real_cloud(folder: Path, engine: Engine, image: str, *, host_network: bool = False) -> Iterator[RealCloud]:
    """With the image in its registries, and everything gone afterwards."""
    with ExitStack() as stack:
        clock = ScaledClock(0.01)
        stack.callback(clock.close)
        signer = TokenSigner(ArmSettings().tenant, time.time)
        authority = Authority(folder / "certificates")
        states: list[ArmState] = []

        def identities_of(group: str) -> Sequence[Identity]:
            return states[0].group_identities(group)

        identities = create_identity_app(signer, NOBODY, "secret", identities_of)
        metadata = stack.enter_context(ThreadedServer(identities))
        parts = Parts(
            settings=CloudSettings(folder=folder, containers="podman", host_network=host_network),
            folder=folder,
            stack=stack,
            signer=signer,
            state=lambda: states[0],
            platform={"SSL_CERT_FILE": str(authority.ca), "AZURE_POD_IDENTITY_AUTHORITY_HOST": f"{metadata.url}/groups/{{group}}"},
            bundle=authority.ca,
            metadata=lambda: identities,
            ports=list,
        )
        runtime, registry = make_runtime(parts)
        assert registry is not None
        states.append(ArmState(SETTINGS, clock, runtime))
        cloud = RealCloud(states[0], runtime, registry, engine, signer, folder)
        cloud.call("PUT", GROUP, {"location": "westeurope"})
        cloud.call("PUT", REGISTRY, {"location": "westeurope", "properties": {"adminUserEnabled": True}})
        found = {"registry": {"engine": registry.engine, "address": registry.address, "login": registry.login}}
        for name in (IMAGE, OPEN_IMAGE):
            assert push(found, image, name) == name
        yield cloud
