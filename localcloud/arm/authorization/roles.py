"""The built-in roles, with Azure's ids: those that somebody needs who deploys, runs or looks at what the local cloud has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

KIND = "Microsoft.Authorization/roleDefinitions"
_TIME = "2021-11-11T20:13:00.0000000Z"


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role definition. The id is the GUID that ends its resource id; a built-in one may be assigned anywhere."""

    id: str
    name: str
    description: str = ""
    permissions: Sequence[Mapping[str, list[str]]] = ()
    assignable: Sequence[str] = ("/",)
    built_in: bool = True
    stamps: Mapping[str, Any] = field(
        default_factory=lambda: {"createdOn": _TIME, "updatedOn": _TIME, "createdBy": None, "updatedBy": None}
    )

    def show(self, scope: str) -> dict[str, Any]:
        """As ARM shows it to one who asks at this scope: as the subscription's, also to one who asks at a group in it."""
        subscription = re.match("/subscriptions/[^/]+", scope)
        return {
            "properties": {
                "roleName": self.name,
                "type": "BuiltInRole" if self.built_in else "CustomRole",
                "description": self.description,
                "assignableScopes": [*self.assignable],
                "permissions": [dict(one) for one in self.permissions],
                **self.stamps,
            },
            "id": f"{subscription[0] if subscription else ''}/providers/{KIND}/{self.id}",
            "type": KIND,
            "name": self.id,
        }


def permission(
    actions: Sequence[str] = (), not_actions: Sequence[str] = (), data: Sequence[str] = (), not_data: Sequence[str] = ()
) -> dict[str, list[str]]:
    """One set of a role's permissions."""
    return {"actions": [*actions], "notActions": [*not_actions], "dataActions": [*data], "notDataActions": [*not_data]}


def _role(guid: str, name: str, actions: Sequence[str] = (), not_actions: Sequence[str] = (), data: Sequence[str] = ()) -> Role:
    return Role(id=guid, name=name, description=f"{name} (built in).", permissions=[permission(actions, not_actions, data)])


_GROUPS = "Microsoft.Resources/subscriptions/resourceGroups/read"
_USUAL = ("Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", _GROUPS)
_DEPLOYING = (*_USUAL, "Microsoft.Resources/deployments/*", "Microsoft.Support/*")
_NOT_OF_CONTRIBUTORS = (
    "Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write", "Microsoft.Authorization/elevateAccess/Action",
    "Microsoft.Blueprint/blueprintAssignments/write", "Microsoft.Blueprint/blueprintAssignments/delete",
    "Microsoft.Compute/galleries/share/action", "Microsoft.Purview/consents/write", "Microsoft.Purview/consents/delete",
    "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
)  # fmt: skip
_IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
_SECRETS = "Microsoft.KeyVault/vaults/secrets"
_VAULTS = (
    "Microsoft.KeyVault/checkNameAvailability/read", "Microsoft.KeyVault/deletedVaults/read", "Microsoft.KeyVault/locations/*/read",
    "Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/operations/read",
)  # fmt: skip
_ACCOUNT = "Microsoft.Storage/storageAccounts"
_BLOBS, _QUEUES, _TABLES = (f"{_ACCOUNT}/{kind}" for kind in ("blobServices", "queueServices", "tableServices"))
_BLOB, _MESSAGE, _ENTITY = f"{_BLOBS}/containers/blobs", f"{_QUEUES}/queues/messages", f"{_TABLES}/tables/entities"
_DELEGATION = f"{_BLOBS}/generateUserDelegationKey/action"

_GENERAL = (
    _role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", ["*"]),
    _role("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor", ["*"], _NOT_OF_CONTRIBUTORS),
    _role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", ["*/read"]),
    _role(
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "User Access Administrator",
        ["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"],
    ),
    _role(
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        "Role Based Access Control Administrator",
        [
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignments/delete",
            "*/read",
            "Microsoft.Support/*",
        ],
    ),
    _role(
        "392ae280-861d-42bd-9ea5-08ee6d83b80e",
        "Template Spec Reader",
        ["Microsoft.Resources/templateSpecs/read", "Microsoft.Resources/templateSpecs/versions/read"],
    ),
    _role(
        "1c9b6475-caf0-4164-b5a1-2142a7116f4b",
        "Template Spec Contributor",
        ["Microsoft.Resources/templateSpecs/*", "Microsoft.Authorization/*/read", "Microsoft.Resources/deployments/*", _GROUPS],
    ),
    _role(
        "4a9ae827-6dc8-4573-8ac7-8239d42aa03f",
        "Tag Contributor",
        [*_DEPLOYING, "Microsoft.Resources/subscriptions/resourceGroups/resources/read", "Microsoft.Resources/tags/*"],
    ),
)
_WORKING = (
    _role(
        "5d977122-f97e-4b4d-a52f-6b43003ddb4d",
        "Azure Container Instances Contributor Role",
        ["Microsoft.ContainerInstance/containerGroups/*", *_DEPLOYING],
    ),
    _role(
        "f1a07417-d97a-45cb-824c-7a7467783830",
        "Managed Identity Operator",
        [f"{_IDENTITIES}/*/read", f"{_IDENTITIES}/*/assign/action", *_DEPLOYING],
    ),
    _role(
        "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
        "Managed Identity Contributor",
        [f"{_IDENTITIES}/{verb}" for verb in ("read", "write", "delete")] + [*_DEPLOYING],
    ),
    _role("7f951dda-4ed3-4680-a7ca-43fe172d538d", "AcrPull", ["Microsoft.ContainerRegistry/registries/pull/read"]),
    _role(
        "8311e382-0749-4cb8-b61a-304f252e45ec",
        "AcrPush",
        ["Microsoft.ContainerRegistry/registries/pull/read", "Microsoft.ContainerRegistry/registries/push/write"],
    ),
    _role("4d97b98b-1d4f-4787-a291-c67834d212e7", "Network Contributor", ["Microsoft.Network/*", *_DEPLOYING]),
    _role(
        "de139f84-1756-47ae-9be6-808fbbe84772",
        "Website Contributor",
        [
            "Microsoft.Web/serverFarms/join/action",
            "Microsoft.Web/serverFarms/read",
            "Microsoft.Web/sites/*",
            "Microsoft.Web/certificates/*",
            *_DEPLOYING,
        ],
    ),
    _role("3913510d-42f4-4e42-8a64-420c390055eb", "Monitoring Metrics Publisher", [*_USUAL], data=["Microsoft.Insights/Metrics/Write"]),
)
_SECRET = (
    _role("00482a5a-887f-4fb3-b363-3b7fe8e74483", "Key Vault Administrator", [*_DEPLOYING, *_VAULTS], data=["Microsoft.KeyVault/vaults/*"]),
    _role(
        "f25e0fa2-a7c8-4377-a976-54943a77a395",
        "Key Vault Contributor",
        [*_DEPLOYING, "Microsoft.KeyVault/*"],
        ["Microsoft.KeyVault/locations/deletedVaults/purge/action", "Microsoft.KeyVault/hsmPools/*", "Microsoft.KeyVault/managedHsms/*"],
    ),
    _role(
        "21090545-7ca7-4776-b22c-e363652d74d2",
        "Key Vault Reader",
        [*_DEPLOYING, *_VAULTS],
        data=["Microsoft.KeyVault/vaults/*/read", f"{_SECRETS}/readMetadata/action"],
    ),
    _role("b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "Key Vault Secrets Officer", [*_DEPLOYING, *_VAULTS], data=[f"{_SECRETS}/*"]),
    _role(
        "4633458b-17de-408a-b874-0445c86b69e6",
        "Key Vault Secrets User",
        data=[f"{_SECRETS}/getSecret/action", f"{_SECRETS}/readMetadata/action"],
    ),
)
_STORAGE = (
    _role(
        "17d1049b-9a84-46fb-8f53-869881c3d3ab",
        "Storage Account Contributor",
        [
            *_DEPLOYING,
            "Microsoft.Insights/diagnosticSettings/*",
            f"{_ACCOUNT}/*",
            "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
        ],
    ),
    _role("b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "Storage Blob Data Owner", [f"{_BLOBS}/containers/*", _DELEGATION], data=[f"{_BLOB}/*"]),
    _role(
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        "Storage Blob Data Contributor",
        [*(f"{_BLOBS}/containers/{verb}" for verb in ("delete", "read", "write")), _DELEGATION],
        data=[f"{_BLOB}/{verb}" for verb in ("delete", "read", "write", "move/action", "add/action")],
    ),
    _role(
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        "Storage Blob Data Reader",
        [f"{_BLOBS}/containers/read", _DELEGATION],
        data=[f"{_BLOB}/read"],
    ),
    _role(
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        "Storage Queue Data Contributor",
        [f"{_QUEUES}/queues/{verb}" for verb in ("delete", "read", "write")],
        data=[f"{_MESSAGE}/{verb}" for verb in ("delete", "read", "write", "process/action")],
    ),
    _role(
        "8a0f0c08-91a1-4084-bc3d-661d67233fed",
        "Storage Queue Data Message Processor",
        data=[f"{_MESSAGE}/read", f"{_MESSAGE}/process/action"],
    ),
    _role("c6a89b2d-59bc-44d0-9896-0f6e12d7b80a", "Storage Queue Data Message Sender", data=[f"{_MESSAGE}/add/action"]),
    _role("19e7f393-937e-4f77-808e-94535e297925", "Storage Queue Data Reader", [f"{_QUEUES}/queues/read"], data=[f"{_MESSAGE}/read"]),
    _role(
        "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
        "Storage Table Data Contributor",
        [f"{_TABLES}/tables/{verb}" for verb in ("read", "write", "delete")],
        data=[f"{_ENTITY}/{verb}" for verb in ("read", "write", "delete", "add/action", "update/action")],
    ),
    _role("76199698-9eea-4c19-bc75-cec21354c6b6", "Storage Table Data Reader", [f"{_TABLES}/tables/read"], data=[f"{_ENTITY}/read"]),
)

BUILT_IN = (*_GENERAL, *_WORKING, *_SECRET, *_STORAGE)
OWNER = _GENERAL[0].id
