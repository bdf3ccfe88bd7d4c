"""azure-identity in each of its forms, synchronous and asynchronous: it gets a token, and ARM takes it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import azure.identity
import azure.identity.aio
import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient as AsyncResourceManagementClient

from tests.clients.cloud import RunningCloud

SCOPE = "https://management.azure.com/.default"
NOBODY = "99999999-9999-4999-8999-999999999999"
ARC_KEYS = Path("/var/opt/azcmagent/tokens")
MACHINE_FORMS = ["imds", "arc", "service-fabric", "cloud-shell", "azure-ml"]


@pytest.fixture(scope="session")
def arc_keys() -> Iterator[Path]:
    """The folder that azure-identity insists on: made, and taken away again, where it was not there."""
    made = [folder for folder in (ARC_KEYS.parent, ARC_KEYS) if not folder.exists()]
    ARC_KEYS.mkdir(parents=True, exist_ok=True)
    yield ARC_KEYS
    for folder in reversed(made):
        for key in folder.glob("*.key"):
            key.unlink()
        folder.rmdir()


@pytest.fixture
def enter(cloud: RunningCloud, monkeypatch: pytest.MonkeyPatch, arc_keys: Path) -> Callable[[str], None]:
    """Exports what `localcloud env` says, and nothing of another form."""

    def exported(form: str) -> None:
        for name in list(os.environ):
            if name.startswith(("AZURE_", "IDENTITY_", "IMDS_", "MSI_")):
                monkeypatch.delenv(name)
        for name, value in cloud.environment(form).items():
            monkeypatch.setenv(name, value)

    return exported


def groups_synchronously(cloud: RunningCloud, kind: str, options: dict[str, Any]) -> tuple[str, list[str]]:
    credential = getattr(azure.identity, kind)(**options)
    client = ResourceManagementClient(credential, cloud.subscription, base_url=cloud.arm, credential_scopes=[SCOPE])
    with client, credential:
        return credential.get_token(SCOPE).token, [group.name for group in client.resource_groups.list()]


def groups_asynchronously(cloud: RunningCloud, kind: str, options: dict[str, Any]) -> tuple[str, list[str]]:
    async def ask() -> tuple[str, list[str]]:
        credential = getattr(azure.identity.aio, kind)(**options)
        client = AsyncResourceManagementClient(credential, cloud.subscription, base_url=cloud.arm, credential_scopes=[SCOPE])
        async with client, credential:
            return (await credential.get_token(SCOPE)).token, [group.name async for group in client.resource_groups.list()]

    return asyncio.run(ask())


Ask = Callable[[RunningCloud, str, dict[str, Any]], tuple[str, list[str]]]
both = pytest.mark.parametrize("ask", [groups_synchronously, groups_asynchronously], ids=["sync", "async"])


def caller(answer: tuple[str, list[str]]) -> str:
    """The object id in the token, with which the groups were listed."""
    token, groups = answer
    assert "loadme-containers" in groups  # those that it may see
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return str(claims["oid"])


def identity(cloud: RunningCloud, name: str) -> dict[str, str]:
    """A user-assigned identity, as ARM shows it to the deployer."""
    credential = azure.identity.ClientSecretCredential(
        cloud.tenant, cloud.client_id, cloud.secret, authority=cloud.login, disable_instance_discovery=True, connection_verify=cloud.ca
    )
    options = {"base_url": cloud.arm, "credential_scopes": [SCOPE], "connection_verify": cloud.ca}
    with credential, ResourceManagementClient(credential, cloud.subscription, **options) as client:
        scope = f"/subscriptions/{cloud.subscription}/resourceGroups/loadme-management/providers"
        found = client.resources.get_by_id(f"{scope}/Microsoft.ManagedIdentity/userAssignedIdentities/{name}", "2023-01-31")
    return {"client_id": found.properties["clientId"], "object_id": found.properties["principalId"], "resource_id": found.id}


@both
@pytest.mark.parametrize("form", MACHINE_FORMS)
@pytest.mark.parametrize("kind", ["ManagedIdentityCredential", "DefaultAzureCredential"])
def test_the_machine_has_an_identity_of_its_own(cloud: RunningCloud, enter: Any, ask: Ask, form: str, kind: str) -> None:
    enter(form)

    assert caller(ask(cloud, kind, {})) == cloud.state["machine"]["object_id"]


@both
@pytest.mark.parametrize("form", ["imds", "arc", "azure-ml"])
@pytest.mark.parametrize("choice", ["client_id", "object_id", "resource_id"])
def test_a_user_assigned_identity_is_chosen_by_any_of_its_ids(cloud: RunningCloud, enter: Any, ask: Ask, form: str, choice: str) -> None:
    chosen = identity(cloud, "loadme-app")
    enter(form)
    # The asynchronous library hands the word on as it is; the synchronous one translates it into the service's.
    word = "msi_res_id" if choice == "resource_id" and ask is groups_asynchronously and form != "arc" else choice
    options = {"client_id": chosen["client_id"]} if choice == "client_id" else {"identity_config": {word: chosen[choice]}}

    assert caller(ask(cloud, "ManagedIdentityCredential", options)) == chosen["object_id"]


@both
@pytest.mark.parametrize("named", [True, False])
def test_app_service_has_the_identity_of_the_app(cloud: RunningCloud, enter: Any, ask: Ask, named: bool) -> None:
    app = identity(cloud, "loadme-app")
    enter("app-service")

    assert caller(ask(cloud, "ManagedIdentityCredential", {"client_id": app["client_id"]} if named else {})) == app["object_id"]


@both
@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("imds", "Identity not found"),
        ("arc", "Identity not found"),
        ("azure-ml", "not assigned to this machine"),
        ("app-service", "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."),
    ],
)
def test_another_identity_is_refused(cloud: RunningCloud, enter: Any, ask: Ask, form: str, words: str) -> None:
    enter(form)

    with pytest.raises(ClientAuthenticationError, match=words):
        ask(cloud, "ManagedIdentityCredential", {"client_id": NOBODY})


@both
@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("workload", "WorkloadIdentityCredential"),
        ("workload", "ManagedIdentityCredential"),
        ("workload", "DefaultAzureCredential"),
        ("secret", "EnvironmentCredential"),
        ("secret", "DefaultAzureCredential"),
        ("certificate", "EnvironmentCredential"),
    ],
)
def test_the_deployer_logs_in_by_its_environment(cloud: RunningCloud, enter: Any, ask: Ask, form: str, kind: str) -> None:
    enter(form)

    assert caller(ask(cloud, kind, {"disable_instance_discovery": True} if form != "workload" else {})) == cloud.object_id


def application(cloud: RunningCloud) -> dict[str, Any]:
    return {
        "tenant_id": cloud.tenant,
        "client_id": cloud.client_id,
        "authority": cloud.login,
        "disable_instance_discovery": True,
    }


@both
def test_the_deployer_logs_in_by_its_secret(cloud: RunningCloud, enter: Any, ask: Ask) -> None:
    enter("names")

    assert caller(ask(cloud, "ClientSecretCredential", application(cloud) | {"client_secret": cloud.secret})) == cloud.object_id
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215: Invalid client secret provided"):
        ask(cloud, "ClientSecretCredential", application(cloud) | {"client_secret": "wrong"})


@both
def test_the_deployer_logs_in_by_an_assertion(cloud: RunningCloud, enter: Any, ask: Ask) -> None:
    enter("names")
    good = Path(cloud.state["deployer"]["federated_token"]).read_text()

    assert caller(ask(cloud, "ClientAssertionCredential", application(cloud) | {"func": lambda: good})) == cloud.object_id
    forged = jwt.encode(jwt.decode(good, options={"verify_signature": False}), "k" * 32, "HS256")
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        ask(cloud, "ClientAssertionCredential", application(cloud) | {"func": lambda: forged})


@both
def test_the_deployer_logs_in_by_its_certificate(cloud: RunningCloud, enter: Any, ask: Ask) -> None:
    enter("names")

    options = application(cloud) | {"certificate_path": cloud.state["deployer"]["certificate"]}
    assert caller(ask(cloud, "CertificateCredential", options)) == cloud.object_id


@both
def test_under_azures_own_names_nothing_need_be_said_about_addresses(cloud: RunningCloud, enter: Any, ask: Ask) -> None:
    enter("names")
    options = {"tenant_id": cloud.tenant, "client_id": cloud.client_id, "client_secret": cloud.secret}

    assert caller(ask(cloud, "ClientSecretCredential", options)) == cloud.object_id


@pytest.mark.skipif(sys.platform != "linux", reason="the folder is Linux's")
def test_arcs_keys_do_not_stay(cloud: RunningCloud, enter: Any, arc_keys: Path) -> None:
    enter("arc")

    groups_synchronously(cloud, "ManagedIdentityCredential", {})

    assert not list(arc_keys.glob("*.key"))
