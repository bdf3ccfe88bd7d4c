"""The real things that the contract suites hold the fakes against: Azurite over TLS, reached with a managed identity's token."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from azure.storage.blob import ContainerClient

from loadme.azure.credentials import managed_identity
from loadme.azure.storage import Account
from localcloud.azurite import Azurite
from localcloud.certificates import Authority
from localcloud.host.runtime_environment import find_python, make_environment
from localcloud.host.settings import HostError
from localcloud.identity import create_app
from localcloud.servers import ThreadedServer
from localcloud.tokens import Identity, TokenSigner
from tests.contract.callback_server import CallbackServer, callback_server
from tests.contract.containers import CONTAINER, ROOT, Container
from tests.contract.real_containers import RealCloud, build, podman_or_skip, real_cloud

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

TENANT = "22222222-2222-4222-8222-222222222222"
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
APP = Identity(
    name="loadme-app",
    resource_id=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/loadme-management/providers/Microsoft.ManagedIdentity/userAssignedIdentities/loadme-app",
    client_id="33333333-3333-4333-8333-333333333333",
    principal_id="44444444-4444-4444-8444-444444444444",
)
SECRET = "the-app's-header"


def worker_library() -> Path:
    """The interpreter of the worker library's environment. Without Python 3.13 the test is skipped; CI must have one."""
    try:
        return make_environment(find_python(), ROOT)
    except HostError as missing:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module", params=["sdk", "runtime"])
def engine(request: pytest.FixtureRequest) -> str:
    """Who runs the app: ours, and Microsoft's own worker library. What holds for the one must hold for the other."""
    if request.param == "runtime":
        worker_library()
    return str(request.param)


def no_identities(group: str) -> list[Identity]:
    """No container group has any."""
    return []


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def signer() -> TokenSigner:
    return TokenSigner(TENANT, time.time)


@pytest.fixture(scope="session")
def credential(signer: TokenSigner) -> Iterator[TokenCredential]:
    """A genuine ManagedIdentityCredential that gets its tokens from our App Service endpoint."""
    with ThreadedServer(create_app(signer, APP, SECRET, no_identities)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        patch.setenv("IDENTITY_HEADER", SECRET)
        with managed_identity() as credential:
            yield credential


@pytest.fixture(scope="session")
def azurite(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite"), authority.certificate, authority.key) as azurite:
        yield azurite


@pytest.fixture(scope="session")
def account(azurite: Azurite, authority: Authority, credential: TokenCredential) -> Account:
    """The storage account by its endpoints and the app's identity."""
    return Account(
        blob_endpoint=azurite.blob_url,
        queue_endpoint=azurite.queue_url,
        table_endpoint=azurite.table_url,
        credential=credential,
        ca_file=str(authority.ca),
    )


@pytest.fixture(scope="session")
def keyed_account(azurite: Azurite, authority: Authority) -> Account:
    """The same account by a connection string."""
    return Account(connection_string=azurite.connection_string, ca_file=str(authority.ca))


@pytest.fixture
def server() -> Iterator[CallbackServer]:
    with callback_server() as server:
        yield server


@pytest.fixture(scope="session")
def container(azurite: Azurite, authority: Authority) -> Iterator[ContainerClient]:
    """The container of all runs' files, which is there before the app."""
    with ContainerClient.from_connection_string(azurite.connection_string, "loadme-files", connection_verify=str(authority.ca)) as client:
        client.create_container()
        yield client


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCloud]:
    """Real containers, where this machine can run some: see `podman_or_skip`."""
    engine, folder = podman_or_skip(), tmp_path_factory.mktemp("real")
    image = build(engine, folder / "image")
    with real_cloud(folder / "cloud", engine, image) as cloud:
        yield cloud
    engine.do(engine.remove_images([image]))


@pytest.fixture(scope="session")
def identity(signer: TokenSigner) -> Iterator[str]:
    """Where the metadata service of container groups answers."""
    with ThreadedServer(create_app(signer, CONTAINER, "header", lambda _group: [CONTAINER])) as server:
        yield server.url


@pytest.fixture
def inside(container: ContainerClient, identity: str, authority: Authority, server: CallbackServer, tmp_path: Path) -> Container:
    """A container inside loadme, its files in a folder of this test alone."""
    (tmp_path / "work").mkdir()
    environment = server.environment | {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(tmp_path),
        "SSL_CERT_FILE": str(authority.ca),
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": identity,
        "LOADME_FILES_URL": f"{container.url}/{tmp_path.name}/",
    }
    return Container(environment, tmp_path / "work")
