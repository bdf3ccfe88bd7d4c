"""What Azure holds before the app is deployed: resource groups, identities, the template spec, roles. Put there through ARM's own API."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from localcloud.arm.calls import Call, Reply
from localcloud.errors import CloudError
from localcloud.settings import (
    APP_IDENTITY,
    CONTAINER_GROUP,
    CONTAINER_IDENTITY,
    FILES_CONTAINER,
    LOCATION,
    MANAGEMENT_GROUP,
    TENANT,
    VAULT,
    group_id,
    identity_id,
    registry_id,
    role_id,
    storage_id,
    subscription_id,
    template_spec_id,
    vault_id,
)
from localcloud.tokens import Identity

AUTHORIZATION_VERSION = "2022-04-01"

USAGES_ROLE = "6c6f6164-6d65-4001-8000-000000000001"
CREDENTIALS_ROLE = "6c6f6164-6d65-4001-8000-000000000002"
CUSTOM_ROLES = {
    USAGES_ROLE: ("loadme container usages reader", ["Microsoft.ContainerInstance/locations/usages/read"]),
    CREDENTIALS_ROLE: (
        "loadme registry credentials reader",
        ["Microsoft.ContainerRegistry/registries/read", "Microsoft.ContainerRegistry/registries/listCredentials/action"],
    ),
}
"""What the app needs and no built-in role gives without giving far more."""

ACI_CONTRIBUTOR = "5d977122-f97e-4b4d-a52f-6b43003ddb4d"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
IDENTITY_OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
VAULT_ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
QUEUE_CONTRIBUTOR = "974c5e8b-45b9-4653-ba55-5f855dd0fb88"
TABLE_CONTRIBUTOR = "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"

DEPLOYER = Identity("deployer", "", "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444")


def put_files_container(connection_string: str, ca: Path) -> None:
    """The blob container with a folder for each run's files: the containers may write into it, not create it."""
    from azure.core.exceptions import ResourceExistsError
    from azure.storage.blob import ContainerClient

    with (
        ContainerClient.from_connection_string(connection_string, FILES_CONTAINER, connection_verify=str(ca)) as client,
        suppress(ResourceExistsError),
    ):
        client.create_container()


class Deployer:
    """Makes calls to ARM as an owner, without the network: `answer` is the state's."""

    def __init__(self, answer: Callable[[Call], tuple[Reply, float]]) -> None:
        self._answer = answer

    def put_groups(self) -> None:
        """The two resource groups: what manages, and the containers."""
        for group in (MANAGEMENT_GROUP, CONTAINER_GROUP):
            self.put(group_id(group), "2021-04-01", {"location": LOCATION})

    def put_identities(self) -> tuple[Identity, Identity]:
        """The app's identity and the containers'."""
        return self._put_identity(APP_IDENTITY), self._put_identity(CONTAINER_IDENTITY)

    def put_registry(self) -> None:
        """A registry with an admin account, for template specs that pull with a password."""
        self.put(registry_id(), "2023-07-01", {"location": LOCATION, "properties": {"adminUserEnabled": True}})

    def put_template_spec(self, template: Path) -> None:
        """The template spec with its one version; raises CloudError when the file is missing or ARM refuses it."""
        try:
            content = json.loads(template.read_text())
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise CloudError(f"the template {template} cannot be read: {reason} (--app says where function_app.py is)") from None
        version = template_spec_id()
        self.put(version.rpartition("/versions/")[0], "2022-02-01", {"location": LOCATION, "properties": {}})
        self.put(version, "2022-02-01", {"location": LOCATION, "properties": {"mainTemplate": content}})

    def put_roles(self, app: Identity, container: Identity) -> None:
        """The roles that README.md names for the two identities, and no others: what the app may not do on Azure it may not do here."""
        for role, (name, actions) in CUSTOM_ROLES.items():
            permissions = [{"actions": actions, "notActions": []}]
            properties = {"roleName": name, "permissions": permissions, "assignableScopes": [subscription_id()]}
            self.put(role_id(role), AUTHORIZATION_VERSION, {"properties": properties})
        self.assign(app, ACI_CONTRIBUTOR, group_id(CONTAINER_GROUP))
        self.assign(app, READER, template_spec_id().rpartition("/versions/")[0])
        self.assign(app, USAGES_ROLE, subscription_id())
        self.assign(app, CREDENTIALS_ROLE, registry_id())
        self.assign(app, IDENTITY_OPERATOR, identity_id(CONTAINER_IDENTITY))
        for role in (BLOB_OWNER, QUEUE_CONTRIBUTOR, TABLE_CONTRIBUTOR):
            self.assign(app, role, storage_id())
        self.assign(container, BLOB_CONTRIBUTOR, f"{storage_id()}/blobServices/default/containers/{FILES_CONTAINER}")
        self.assign(container, ACR_PULL, registry_id())

    def put_storage(self) -> None:
        """The storage account as ARM knows it. What is in it is Azurite's, which asks nobody for a role."""
        self.put(storage_id(), "2023-05-01", {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"})
        self.put(f"{storage_id()}/blobServices/default/containers/{FILES_CONTAINER}", "2023-05-01", {"properties": {}})

    def put_vaults(self, app: Identity, container: Identity, others: Iterable[str]) -> None:
        """The app's own vault, which only it may use, and others with secrets that it and the containers may read."""
        self._put_vault(VAULT)
        self.assign(app, SECRETS_OFFICER, vault_id(VAULT))
        for vault in others:
            self._put_vault(vault)
            for identity in (app, container):
                self.assign(identity, SECRETS_USER, vault_id(vault))
        # An Owner may not read secrets, on Azure neither: whoever looks after the vaults gets a role for it.
        self.assign(DEPLOYER, VAULT_ADMINISTRATOR, subscription_id())

    def _put_vault(self, name: str) -> None:
        properties = {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
        gone = f"{subscription_id()}/providers/Microsoft.KeyVault/locations/{LOCATION}/deletedVaults/{name}"
        reply, _ = self._answer(Call(method="GET", path=gone, query={"api-version": "2023-07-01"}, actor=DEPLOYER.principal_id))
        mode = {"createMode": "recover"} if reply.status == 200 else {}
        self.put(vault_id(name), "2023-07-01", {"location": LOCATION, "properties": {**properties, **mode}})

    def assign(self, identity: Identity, role: str, scope: str) -> None:
        """Give an identity a role, by its GUID, on a scope."""
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}:{role}:{identity.principal_id}")
        properties = {"roleDefinitionId": role_id(role), "principalId": identity.principal_id, "principalType": "ServicePrincipal"}
        self.put(f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}", AUTHORIZATION_VERSION, {"properties": properties})

    def _put_identity(self, name: str) -> Identity:
        # By nobody: what a client makes is somebody new after each start.
        found = self.put(identity_id(name), "2023-01-31", {"location": LOCATION}, actor="")["properties"]
        return Identity(name, identity_id(name), found["clientId"], found["principalId"])

    def put(self, path: str, api_version: str, body: Mapping[str, Any], actor: str = DEPLOYER.principal_id) -> dict[str, Any]:
        """Create or replace a resource; raises CloudError when ARM refuses it."""
        query = {"api-version": api_version}
        reply, _ = self._answer(Call(method="PUT", path=path, query=query, body=body, actor=actor))
        if reply.status >= 400:
            raise CloudError(f"ARM refused {path}: {reply.body}")
        content: dict[str, Any] = reply.body
        return content
