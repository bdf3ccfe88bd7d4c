"""A local ARM over TLS with processes as containers, and the genuine SDK clients that speak to it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken
from azure.mgmt.containerinstance import ContainerInstanceManagementClient
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.templatespecs import TemplateSpecsClient

from localcloud.arm import ArmSettings, ArmState, create_app
from localcloud.arm.calls import Call
from localcloud.certificates import Authority
from localcloud.clock import ScaledClock
from localcloud.containers import ImageMap, ProcessRuntime
from localcloud.servers import ThreadedServer
from localcloud.tokens import Identity, TokenSigner

GROUP = "loadme-containers"
MANAGEMENT = "loadme-management"
SPEC = "container-group"
DEPLOYER = Identity("deployer", "/deployer", "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444")


def pairs(parameter: str, key: str) -> str:
    """The expression that turns an object parameter into a list of environment variables."""
    entry = f"createObject('name', lambdaVariables('e').key, '{key}', lambdaVariables('e').value)"
    return f"[map(items(parameters('{parameter}')), lambda('e', {entry}))]"


RESOURCES = ", 'resources', createObject('requests', createObject('cpu', 1, 'memoryInGB', 1))"


def others(parameter: str, more: str = "") -> str:
    """The expression that turns an array parameter of names, images and commands into containers."""
    of = "lambdaVariables('c')"
    properties = f"createObject('image', {of}.image, 'command', {of}.command{more})"
    return f"[map(parameters('{parameter}'), lambda('c', createObject('name', {of}.name, 'properties', {properties})))]"


TEMPLATE = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {
        "name": {"type": "string", "maxLength": 63},
        "image": {"type": "string"},
        "command": {"type": "array", "defaultValue": []},
        "environment": {"type": "object", "defaultValue": {}},
        "secrets": {"type": "secureObject", "defaultValue": {}},
        "cpu": {"type": "string", "defaultValue": "1"},
        "location": {"type": "string", "defaultValue": "[resourceGroup().location]"},
        "init": {"type": "array", "defaultValue": []},
        "sidecars": {"type": "array", "defaultValue": []},
    },
    "variables": {
        "plain": pairs("environment", "value"),
        "secret": pairs("secrets", "secureValue"),
        "own": [
            {
                "name": "main",
                "properties": {
                    "image": "[parameters('image')]",
                    "command": "[if(empty(parameters('command')), null(), parameters('command'))]",
                    "environmentVariables": "[concat(variables('plain'), variables('secret'))]",
                    "resources": {"requests": {"cpu": "[int(parameters('cpu'))]", "memoryInGB": 1}},
                },
            }
        ],
    },
    "resources": [
        {
            "type": "Microsoft.ContainerInstance/containerGroups",
            "apiVersion": "2023-05-01",
            "name": "[parameters('name')]",
            "location": "[parameters('location')]",
            "tags": {"app": "test"},
            "properties": {
                "osType": "Linux",
                "restartPolicy": "Never",
                "initContainers": others("init"),
                "containers": f"[concat(variables('own'), {others('sidecars', RESOURCES)[1:-1]})]",
            },
        }
    ],
    "outputs": {"Name": {"type": "string", "value": "[parameters('name')]"}},
}


class StaticCredential:
    """Gives the deployer's token, or the one it is made with."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)


@dataclass
class LocalArm:
    state: ArmState
    url: str
    ca: Path
    token: str

    @property
    def subscription(self) -> str:
        return self.state.settings.subscription

    @property
    def spec_id(self) -> str:
        scope = f"/subscriptions/{self.subscription}/resourceGroups/{MANAGEMENT}"
        return f"{scope}/providers/Microsoft.Resources/templateSpecs/{SPEC}/versions/1.0"

    def _client(self, kind: Callable[..., Any], token: str | None) -> Any:
        credential = StaticCredential(self.token if token is None else token)
        return kind(
            credential,
            self.subscription,
            base_url=self.url,
            credential_scopes=["https://management.azure.com/.default"],
            connection_verify=str(self.ca),
            polling_interval=0.05,
            retry_total=0,
        )

    def containers(self, token: str | None = None) -> ContainerInstanceManagementClient:
        return self._client(ContainerInstanceManagementClient, token)

    def deployments(self, token: str | None = None) -> DeploymentsMgmtClient:
        return self._client(DeploymentsMgmtClient, token)

    def specs(self) -> TemplateSpecsClient:
        return self._client(TemplateSpecsClient, None)

    def direct(self, method: str, path: str, body: Any = None) -> Any:
        """Without the network: for what a test needs and does not test."""
        call = Call(method=method, path=f"/subscriptions/{self.subscription}{path}", query={"api-version": "2023-05-01"}, body=body)
        return self.state.answer(call)[0]


@contextmanager
def running_arm(folder: Path, settings: ArmSettings, scale: float = 0.01, env: Mapping[str, str] | None = None) -> Iterator[LocalArm]:
    authority = Authority(folder / "ca")
    clock = ScaledClock(scale)
    images = ImageMap([], python=sys.executable, app=Path(__file__).parents[2])
    runtime = ProcessRuntime(images, folder / "containers", env or {})
    state = ArmState(settings, clock, runtime)
    signer = TokenSigner(settings.tenant, time.time)
    server = ThreadedServer(create_app(state, signer.verify), ssl_cert=authority.certificate, ssl_key=authority.key)
    try:
        with server:
            arm = LocalArm(state, server.url, authority.ca, signer.sign("https://management.azure.com", DEPLOYER))
            for name in (MANAGEMENT, GROUP):
                arm.direct("PUT", f"/resourceGroups/{name}", {"location": "westeurope"})
            yield arm
    finally:
        clock.close()
        runtime.close()


def wait_for(look: Callable[[], Any], what: str, timeout: float = 60.0) -> Any:
    """Poll until `look` gives something true; that is returned."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {timeout} s: {what}")
