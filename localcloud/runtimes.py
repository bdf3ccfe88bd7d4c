"""What runs the containers of a local cloud, as its settings say: processes, or Podman or Docker with a registry of the cloud's own."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import ASGIApp

from localcloud.arm import ArmState
from localcloud.arm.containerregistry.access import RegistryAccess
from localcloud.containers import ImageMap, ProcessRuntime, Runtime, engine
from localcloud.containers.local_registries import LocalRegistries
from localcloud.containers.networks import Networks, are_possible
from localcloud.containers.real import Platform, RealRuntime
from localcloud.containers.registry import RegistryServer
from localcloud.containers.registry_tokens import AUDIENCES, Signer
from localcloud.containers.registry_tokens import create_app as create_token_app
from localcloud.containers.runtime import IDENTITY_HOST
from localcloud.servers import ThreadedServer
from localcloud.settings import CloudSettings
from localcloud.tokens import TokenSigner

BUNDLE_INSIDE = "/etc/localcloud/ca-bundle.pem"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a runtime needs of its cloud. `platform` is what ACI would set in a container, `bundle` the certificates to trust there.

    `metadata` are the metadata services of all groups, below /groups/{name}, `ports` those of the cloud that a container may need.
    """

    settings: CloudSettings
    folder: Path
    stack: ExitStack
    signer: TokenSigner
    state: Callable[[], ArmState]
    platform: Mapping[str, str]
    bundle: Path
    metadata: Callable[[], ASGIApp]
    ports: Callable[[], Iterable[int]]

    @property
    def shares(self) -> Path:
        return self.settings.folder.resolve() / "shares"


@dataclass(frozen=True)
class Registry:
    """The registry server of real containers, and the account that may do everything there."""

    engine: str
    address: str
    login: tuple[str, str] = field(repr=False)


def make_runtime(parts: Parts) -> tuple[Runtime, Registry | None]:
    """The runtime, which ends with the stack, and the registry server of real containers. Raises CloudError."""
    if parts.settings.containers == "processes":
        return _processes(parts), None
    return _real(parts)


def _processes(parts: Parts) -> ProcessRuntime:
    settings = parts.settings
    images = ImageMap(settings.images, python=sys.executable, app=settings.app.resolve(), own=settings.own_images)
    runtime = ProcessRuntime(images, parts.folder / "containers", parts.platform, parts.shares)
    parts.stack.callback(runtime.close)
    return runtime


def _real(parts: Parts) -> tuple[RealRuntime, Registry]:
    found = engine.find(parts.settings.containers)
    if missing := {"memory", "cpu"} - found.limits:
        parts.settings.say(f"{found.name} cannot limit {' and '.join(sorted(missing))} here: containers may use what there is")
    owner = ("owner", secrets.token_urlsafe(24))
    server, tokens = _registry(parts, owner)
    registries = LocalRegistries(server.address, tokens, RegistryAccess(parts.state).knows, lambda identity: _token(parts, identity))
    parts.stack.callback(registries.close)
    networks = _networks(parts)
    # Inside, the certificates are in another place, and the metadata service where a network of its own has it.
    environment = {name: value.replace(str(parts.bundle), BUNDLE_INSIDE) for name, value in parts.platform.items()}
    if networks:
        environment.pop(IDENTITY_HOST, None)
    platform = Platform(environment=environment, folders={BUNDLE_INSIDE: parts.bundle})
    label = str(parts.settings.folder.resolve())
    runtime = RealRuntime(found, parts.folder / "containers", registries, platform, parts.shares, label, networks)
    parts.stack.callback(runtime.close)
    parts.settings.say(f"registry  {server.address} (push to it: python -m localcloud push IMAGE)")
    return runtime, Registry(found.name, server.address, owner)


def _networks(parts: Parts) -> Networks | None:
    """For groups with networks of their own: only Podman can join one that is there already."""
    if parts.settings.containers != "podman" or parts.settings.host_network or not are_possible():
        parts.settings.say("containers share this machine's network")
        return None
    return Networks(parts.folder / "networks", parts.metadata, parts.ports)


def _registry(parts: Parts, owner: tuple[str, str]) -> tuple[RegistryServer, str]:
    """The registry server and its token service, which ends after it."""
    folder = parts.folder / "registry"
    folder.mkdir(parents=True, exist_ok=True)
    trusted = folder / "trusted.pem"
    app = create_token_app(Signer(trusted), RegistryAccess(parts.state), parts.signer.verify, owner)
    tokens = parts.stack.enter_context(ThreadedServer(app)).url
    server = RegistryServer(folder, parts.settings.folder / "registry", f"{tokens}/oauth2/token", trusted)
    parts.stack.callback(server.stop)
    server.start()
    return server, tokens


def _token(parts: Parts, identity: str) -> str | None:
    found = parts.state().identity(identity)
    return parts.signer.sign(AUDIENCES[0], found) if found else None
