"""Azure's SDKs for Python, synchronous and asynchronous, with their own pollers and pagers."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.clients.cloud import RunningCloud
from tests.clients.sdk import Session, run

LOCATION = "westeurope"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
TEMPLATE = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {"name": {"type": "string"}},
    "resources": [{"type": IDENTITY, "apiVersion": "2023-01-31", "name": "[parameters('name')]", "location": LOCATION}],
    "outputs": {"upper": {"type": "string", "value": "[toUpper(parameters('name'))]"}},
}

both = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def fresh(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


async def a_group(session: Session) -> str:
    client = await session.arm("azure.mgmt.resource.resources", "ResourceManagementClient")
    name = fresh("sdk")
    made = await session.wait(client.resource_groups.create_or_update(name, {"location": LOCATION, "tags": {"by": "sdk"}}))
    assert (made.name, made.properties.provisioning_state) == (name, "Succeeded")
    return name


@both
def test_resource_groups(cloud: RunningCloud, asynchronous: bool) -> None:
    async def test(session: Session) -> None:
        name = await a_group(session)
        client = await session.arm("azure.mgmt.resource.resources", "ResourceManagementClient")

        assert (await session.wait(client.resource_groups.get(name))).tags == {"by": "sdk"}
        assert name in [group.name for group in await session.wait(client.resource_groups.list())]
        assert await session.wait(client.resource_groups.check_existence(name)) is True
        assert await session.wait(client.resource_groups.check_existence("no-such-group")) is False

    run(cloud, asynchronous, test)


@both
def test_deployments(cloud: RunningCloud, asynchronous: bool) -> None:
    async def test(session: Session) -> None:
        group = await a_group(session)
        client = await session.arm("azure.mgmt.resource.deployments", "DeploymentsMgmtClient")
        wanted = {"properties": {"mode": "Incremental", "template": TEMPLATE, "parameters": {"name": {"value": "made"}}}}

        valid = await session.wait(client.deployments.begin_validate(group, "d", wanted))
        foreseen = await session.wait(client.deployments.begin_what_if(group, "d", wanted))
        made = await session.wait(client.deployments.begin_create_or_update(group, "d", wanted))

        assert valid.properties.provisioning_state == "Succeeded"
        assert [change.change_type for change in foreseen.changes] == ["Create"]
        assert made.properties.outputs == {"upper": {"type": "String", "value": "MADE"}}
        assert [one.name for one in await session.wait(client.deployments.list_by_resource_group(group))] == ["d"]
        operations = await session.wait(client.deployment_operations.list(group, "d"))
        assert {one.properties.provisioning_state for one in operations} == {"Succeeded"}
        assert (await session.wait(client.deployments.export_template(group, "d"))).template["contentVersion"] == "1.0.0.0"
        await session.wait(client.deployments.begin_delete(group, "d"))
        with pytest.raises(ResourceNotFoundError, match="DeploymentNotFound"):
            await session.wait(client.deployments.get(group, "d"))

    run(cloud, asynchronous, test)


@both
def test_template_specs(cloud: RunningCloud, asynchronous: bool) -> None:
    async def test(session: Session) -> None:
        group = await a_group(session)
        client = await session.arm("azure.mgmt.resource.templatespecs", "TemplateSpecsClient")
        specs, versions = client.template_specs, client.template_spec_versions

        await session.wait(specs.create_or_update(group, "spec", {"location": LOCATION, "properties": {"description": "one"}}))
        body = {"location": LOCATION, "properties": {"mainTemplate": TEMPLATE}}
        made = await session.wait(versions.create_or_update(group, "spec", "1.0", body))

        assert made.id.endswith("/templateSpecs/spec/versions/1.0")
        assert (await session.wait(versions.get(group, "spec", "1.0"))).main_template == TEMPLATE
        shown = await session.wait(specs.get(group, "spec", expand="versions"))
        assert (shown.description, list(shown.versions)) == ("one", ["1.0"])
        assert [one.name for one in await session.wait(versions.list(group, "spec"))] == ["1.0"]
        await session.wait(specs.delete(group, "spec"))
        with pytest.raises(ResourceNotFoundError):
            await session.wait(specs.get(group, "spec"))

    run(cloud, asynchronous, test)


def a_container_group(script: str) -> dict[str, Any]:
    container = {
        "name": "main",
        "properties": {
            "image": "loadme.local/shell:1",
            "command": ["sh", "-c", script],
            "resources": {"requests": {"cpu": 1, "memoryInGB": 1}},
        },
    }
    return {"location": LOCATION, "properties": {"osType": "Linux", "restartPolicy": "Never", "containers": [container]}}


@both
def test_container_instances(cloud: RunningCloud, asynchronous: bool) -> None:
    async def test(session: Session) -> None:
        group = await a_group(session)
        client = await session.arm("azure.mgmt.containerinstance", "ContainerInstanceManagementClient")
        groups = client.container_groups

        made = await session.wait(groups.begin_create_or_update(group, "g", a_container_group("echo from inside; sleep 300")))
        assert made.provisioning_state == "Succeeded"
        assert (await session.wait(groups.get(group, "g"))).instance_view.state == "Running"
        assert [one.name for one in await session.wait(groups.list_by_resource_group(group))] == ["g"]
        log = await session.wait(client.containers.list_logs(group, "g", "main", tail=5))
        assert "from inside" in log.content
        await session.wait(groups.begin_restart(group, "g"))
        await session.wait(groups.stop(group, "g"))
        assert (await session.wait(groups.get(group, "g"))).instance_view.state == "Stopped"
        await session.wait(groups.begin_start(group, "g"))
        await session.wait(groups.begin_delete(group, "g"))
        with pytest.raises(ResourceNotFoundError):
            await session.wait(groups.get(group, "g"))
        assert {usage.name.value for usage in await session.wait(client.location.list_usage(LOCATION))} >= {"ContainerGroups"}

    run(cloud, asynchronous, test)


@both
def test_managed_identities_and_roles(cloud: RunningCloud, asynchronous: bool) -> None:
    async def test(session: Session) -> None:
        group = await a_group(session)
        identities = (await session.arm("azure.mgmt.msi", "ManagedServiceIdentityClient")).user_assigned_identities
        client = await session.arm("azure.mgmt.authorization", "AuthorizationManagementClient")
        scope = f"/subscriptions/{cloud.subscription}/resourceGroups/{group}"

        identity = await session.wait(identities.create_or_update(group, "one", {"location": LOCATION}))
        role = f"/subscriptions/{cloud.subscription}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
        body = {"properties": {"roleDefinitionId": role, "principalId": identity.principal_id, "principalType": "ServicePrincipal"}}
        given = await session.wait(client.role_assignments.create(scope, str(uuid.uuid4()), body))

        assert (await session.wait(identities.get(group, "one"))).client_id == identity.client_id
        assert given.principal_id == identity.principal_id
        listed = await session.wait(client.role_assignments.list_for_scope(scope, filter=f"principalId eq '{identity.principal_id}'"))
        assert [one.id for one in listed] == [given.id]
        [reader] = await session.wait(client.role_definitions.list(scope, filter="roleName eq 'Reader'"))
        assert reader.name == READER
        await session.wait(client.role_assignments.delete(scope, given.name))

    run(cloud, asynchronous, test)


@both
def test_registries(cloud: RunningCloud, asynchronous: bool) -> None:
    async def test(session: Session) -> None:
        client = await session.arm("azure.mgmt.containerregistry", "ContainerRegistryManagementClient")

        registry = await session.wait(client.registries.get("loadme-management", "loadmeregistry"))
        credentials = await session.wait(client.registries.list_credentials("loadme-management", "loadmeregistry"))

        assert registry.login_server == "loadmeregistry.azurecr.io"
        assert credentials.username == "loadmeregistry"
        assert [one.name for one in credentials.passwords] == ["password", "password2"]

    run(cloud, asynchronous, test)


@both
def test_vaults_and_secrets_under_their_own_names(cloud: RunningCloud, asynchronous: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in cloud.environment("names").items():
        monkeypatch.setenv(name, value)

    async def test(session: Session) -> None:
        group, name = await a_group(session), fresh("sdkv")
        vaults = (await session.arm("azure.mgmt.keyvault", "KeyVaultManagementClient")).vaults
        properties = {"tenantId": cloud.tenant, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}

        vault = await session.wait(vaults.begin_create_or_update(group, name, {"location": LOCATION, "properties": properties}))

        assert vault.properties.vault_uri == f"https://{name}.vault.azure.net/"
        trust = {"connection_verify": cloud.ca}  # aiohttp has read SSL_CERT_FILE long ago, when it was imported
        client = await session.client("azure.keyvault.secrets", "SecretClient", vault.properties.vault_uri, session.credential, **trust)
        await session.wait(client.set_secret("secret", "one"))
        await session.wait(client.set_secret("secret", "two"))
        assert (await session.wait(client.get_secret("secret"))).value == "two"
        assert [one.name for one in await session.wait(client.list_properties_of_secrets())] == ["secret"]
        assert len(await session.wait(client.list_properties_of_secret_versions("secret"))) == 2
        if asynchronous:
            await client.delete_secret("secret")
        else:
            client.begin_delete_secret("secret").wait()
        with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
            await session.wait(client.get_secret("secret"))

    run(cloud, asynchronous, test)


@both
@pytest.mark.parametrize("named", [False, True], ids=["by address", "by name"])
def test_storage_with_tokens(cloud: RunningCloud, asynchronous: bool, named: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if named:
        for name, value in cloud.environment("names").items():
            monkeypatch.setenv(name, value)

    def address(service: str) -> str:
        return f"https://devstoreaccount1.{service}.core.windows.net" if named else str(cloud.state["storage"][service])

    async def test(session: Session) -> None:
        options = {"credential": session.credential, "connection_verify": cloud.ca}
        name = fresh("sdk")

        blobs = await session.client("azure.storage.blob", "BlobServiceClient", address("blob"), **options)
        container = await session.wait(blobs.create_container(name))
        await session.wait(container.upload_blob("greeting", b"hello"))
        stream = await session.wait(container.download_blob("greeting"))
        assert await session.wait(stream.readall()) == b"hello"
        assert [blob.name for blob in await session.wait(container.list_blobs())] == ["greeting"]

        queue = await session.client("azure.storage.queue", "QueueClient", address("queue"), name, **options)
        await session.wait(queue.create_queue())
        await session.wait(queue.send_message("hello"))
        assert [message.content for message in await session.wait(queue.receive_messages())] == ["hello"]

        tables = await session.client("azure.data.tables", "TableServiceClient", endpoint=address("table"), **options)
        table = await session.wait(tables.create_table(name.replace("-", "")))
        await session.wait(table.create_entity({"PartitionKey": "p", "RowKey": "r", "number": 3}))
        assert (await session.wait(table.get_entity("p", "r")))["number"] == 3

    run(cloud, asynchronous, test)


@both
def test_what_is_refused_is_refused_in_azures_words(cloud: RunningCloud, asynchronous: bool) -> None:
    async def test(session: Session) -> None:
        client = await session.arm("azure.mgmt.containerinstance", "ContainerInstanceManagementClient")

        with pytest.raises(HttpResponseError) as refused:
            await session.wait(client.container_groups.begin_create_or_update("no-such-group", "g", a_container_group("true")))

        assert (refused.value.status_code, refused.value.error.code) == (404, "ResourceGroupNotFound")

    run(cloud, asynchronous, test)
