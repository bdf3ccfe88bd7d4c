"""azure-identity in each of its forms against the local cloud's endpoints; `make clients` has them asynchronous, too, and on to ARM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msal.managed_identity
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    EnvironmentCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from localcloud.bootstrap import DEPLOYER
from localcloud.certificates import Authority
from localcloud.cli.clients import FORMS
from localcloud.entra import Directory
from localcloud.entra import create_app as create_login_app
from localcloud.identity import behind, create_app
from localcloud.logins import MACHINE, Logins
from localcloud.servers import ThreadedServer
from localcloud.tokens import Identity, TokenSigner
from tests.contract.conftest import APP, SECRET, no_identities

ARM = "https://management.azure.com"
SCOPE = f"{ARM}/.default"
USER = Identity("user", "/user", "55555555-5555-4555-8555-555555555555", "66666666-6666-4666-8666-666666666666")


@pytest.fixture(scope="module")
def state(signer: TokenSigner, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the state file says of a cloud that has nothing but logins."""
    folder = tmp_path_factory.mktemp("logins")
    logins, directory = Logins(signer, authority, folder), Directory([])
    keys: dict[str, Any] = {"ssl_cert": authority.certificate, "ssl_key": authority.key}
    machine = logins.machine(lambda: [USER])
    tokens = behind(machine.secret, create_app(signer, APP, SECRET, no_identities, machine))
    login = create_login_app(signer, directory, lambda: [DEPLOYER])
    with ThreadedServer(tokens) as plain, ThreadedServer(tokens, **keys) as tls, ThreadedServer(login, **keys) as entra:
        directory.add(logins.deployer(entra.url))
        logins.write_token(entra.url)
        told = logins.describe(entra.url, plain.url, tls.url)
        yield {**told, "ca": str(authority.ca), "identity": plain.url, "app_identity_header": SECRET, "proxy": "http://127.0.0.1:1"}


@pytest.fixture(autouse=True)
def nowhere(state: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """No form but the one that a test enters, whatever the tests before have left in the environment for all of them."""
    for form in FORMS.values():
        for name in form(state):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def enter(state: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Exports the variables of a form."""

    def exported(form: str) -> None:
        for name, value in FORMS[form](state).items():
            monkeypatch.setenv(name, value)

    return exported


def holder(signer: TokenSigner, credential: Any) -> str:
    with credential:
        return str(signer.verify(credential.get_token(SCOPE).token, ARM)["oid"])


@pytest.mark.parametrize("form", ["imds", "service-fabric", "cloud-shell", "azure-ml"])
@pytest.mark.parametrize("kind", [ManagedIdentityCredential, DefaultAzureCredential])
def test_the_machines_own_identity(signer: TokenSigner, enter: Any, form: str, kind: Any) -> None:
    enter(form)

    assert holder(signer, kind()) == MACHINE.principal_id


def test_arcs_challenge(
    state: dict[str, Any], signer: TokenSigner, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library believes one folder alone, and nothing may be written there by a test that runs anywhere.
    monkeypatch.setitem(msal.managed_identity._supported_arc_platforms_and_their_prefixes, "linux", str(tmp_path))
    machine = Logins(signer, authority, tmp_path).machine(lambda: [USER])
    machine = type(machine)(system=machine.system, secret=machine.secret, assigned=machine.assigned, arc_keys=tmp_path)
    with ThreadedServer(create_app(signer, APP, SECRET, no_identities, machine)) as server:
        for name, value in FORMS["arc"]({**state, "machine": {"identity": server.url}}).items():
            monkeypatch.setenv(name, value)

        assert holder(signer, ManagedIdentityCredential()) == MACHINE.principal_id
        assert holder(signer, ManagedIdentityCredential(client_id=USER.client_id)) == USER.principal_id

    assert not list(tmp_path.glob("*.key"))


@pytest.mark.parametrize("form", ["imds", "azure-ml"])
def test_a_user_assigned_identity(signer: TokenSigner, enter: Any, form: str) -> None:
    enter(form)

    assert holder(signer, ManagedIdentityCredential(client_id=USER.client_id)) == USER.principal_id
    with pytest.raises(ClientAuthenticationError):
        holder(signer, ManagedIdentityCredential(client_id=APP.client_id))


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("secret", EnvironmentCredential),
        ("certificate", EnvironmentCredential),
        ("workload", WorkloadIdentityCredential),
        ("workload", DefaultAzureCredential),
    ],
)
def test_an_application_by_its_environment(signer: TokenSigner, enter: Any, form: str, kind: Any) -> None:
    enter(form)

    assert holder(signer, kind(disable_instance_discovery=True) if kind is EnvironmentCredential else kind()) == DEPLOYER.principal_id


def test_an_application_by_what_it_is_given(signer: TokenSigner, state: dict[str, Any]) -> None:
    deployer = state["deployer"]
    who = (state["tenant"], deployer["client_id"])
    options = {"authority": state["login"], "disable_instance_discovery": True, "connection_verify": state["ca"]}
    token = Path(deployer["federated_token"]).read_text()

    assert holder(signer, ClientSecretCredential(*who, deployer["secret"], **options)) == DEPLOYER.principal_id
    assert holder(signer, CertificateCredential(*who, deployer["certificate"], **options)) == DEPLOYER.principal_id
    assert holder(signer, ClientAssertionCredential(*who, lambda: token, **options)) == DEPLOYER.principal_id
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        holder(signer, ClientSecretCredential(*who, "wrong", **options))
