"""The api-versions of the providers, as Azure's own type index has them; those of ARM itself go further back.

A type below another one, and an operation of it, takes the versions of the one at the top.
"""

from __future__ import annotations


def _versions(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_RESOURCES = _versions(
    """
    2014-04-01-preview 2015-01-01 2015-11-01 2016-02-01 2016-06-01 2016-07-01 2016-09-01 2017-05-10 2017-08-01 2018-01-01 2018-02-01
    2018-05-01 2018-06-01 2018-08-01 2019-03-01 2019-04-01 2019-05-01 2019-05-10 2019-06-01 2019-07-01 2019-08-01 2019-09-01
    2019-10-01 2019-11-01 2020-01-01 2020-05-01 2020-06-01 2020-07-01 2020-08-01 2020-09-01 2020-10-01 2021-01-01 2021-04-01
    2021-05-01 2021-10-01 2022-01-01 2022-05-01 2022-06-01 2022-09-01 2022-12-01 2023-07-01 2024-03-01 2024-07-01 2024-08-01
    2024-11-01 2025-03-01 2025-04-01 2026-06-01
    """
)
_TEMPLATE_SPECS = _versions(
    """
    2019-06-01-preview 2021-03-01-preview 2021-05-01 2022-02-01
    """
)
_ROLES = _versions(
    """
    2014-07-01-preview 2014-10-01-preview 2015-05-01-preview 2015-06-01 2015-07-01 2016-07-01 2017-05-01 2017-10-01-preview
    2018-01-01-preview 2018-07-01 2018-09-01-preview 2018-12-01-preview 2019-04-01-preview 2020-03-01-preview 2020-04-01-preview
    2020-08-01-preview 2020-10-01-preview 2021-04-01-preview 2022-01-01-preview 2022-04-01 2022-05-01-preview
    """
)
_CONTAINERS = _versions(
    """
    2017-08-01-preview 2017-10-01-preview 2017-12-01-preview 2018-02-01-preview 2018-04-01 2018-06-01 2018-09-01 2018-10-01 2019-10-01
    2019-12-01 2020-11-01 2021-03-01 2021-07-01 2021-09-01 2021-10-01 2022-09-01 2022-10-01-preview 2023-02-01-preview 2023-05-01
    2024-05-01-preview 2024-09-01-preview 2024-10-01-preview 2024-11-01-preview 2025-09-01 2026-05-01 2026-06-01-preview 2026-07-01
    2026-08-01-preview
    """
)
_REGISTRIES = _versions(
    """
    2017-03-01 2017-10-01 2019-05-01 2019-12-01-preview 2020-11-01-preview 2021-06-01-preview 2021-08-01-preview 2021-09-01
    2021-12-01-preview 2022-02-01-preview 2022-12-01 2023-01-01-preview 2023-06-01-preview 2023-07-01 2023-08-01-preview
    2023-11-01-preview 2024-11-01-preview 2025-03-01-preview 2025-04-01 2025-05-01-preview 2025-06-01-preview 2025-11-01
    2026-01-01-preview 2026-03-01-preview 2026-09-01-preview
    """
)
_IDENTITIES = _versions(
    """
    2015-08-31-preview 2018-11-30 2021-09-30-preview 2022-01-31-preview 2023-01-31 2023-07-31-preview 2024-11-30 2025-01-31-preview
    2025-05-31-preview
    """
)
_VAULTS = _versions(
    """
    2015-06-01 2016-10-01 2018-02-14 2018-02-14-preview 2019-09-01 2020-04-01-preview 2021-04-01-preview 2021-06-01-preview 2021-10-01
    2021-11-01-preview 2022-02-01-preview 2022-07-01 2022-11-01 2023-02-01 2023-07-01 2024-04-01-preview 2024-11-01 2024-12-01-preview
    2025-05-01 2026-02-01 2026-03-01-preview
    """
)
_NETWORKS = _versions(
    """
    2015-05-01-preview 2015-06-15 2016-03-30 2016-06-01 2016-09-01 2016-12-01 2017-03-01 2017-03-30 2017-06-01 2017-08-01 2017-09-01
    2017-10-01 2017-11-01 2018-01-01 2018-02-01 2018-04-01 2018-06-01 2018-07-01 2018-08-01 2018-10-01 2018-11-01 2018-12-01
    2019-02-01 2019-04-01 2019-06-01 2019-07-01 2019-08-01 2019-09-01 2019-11-01 2019-12-01 2020-03-01 2020-04-01 2020-05-01
    2020-06-01 2020-07-01 2020-08-01 2020-11-01 2021-02-01 2021-03-01 2021-05-01 2021-08-01 2022-01-01 2022-05-01 2022-07-01
    2022-09-01 2022-11-01 2023-02-01 2023-04-01 2023-05-01 2023-06-01 2023-09-01 2023-11-01 2024-01-01 2024-03-01 2024-05-01
    2024-07-01 2024-10-01 2025-01-01 2025-03-01 2025-05-01 2025-07-01 2025-09-01
    """
)
_STORAGE = _versions(
    """
    2015-05-01-preview 2015-06-15 2016-01-01 2016-05-01 2016-12-01 2017-06-01 2017-10-01 2018-02-01 2018-03-01-preview 2018-07-01
    2018-11-01 2019-04-01 2019-06-01 2020-08-01-preview 2021-01-01 2021-02-01 2021-04-01 2021-06-01 2021-08-01 2021-09-01 2022-05-01
    2022-09-01 2023-01-01 2023-04-01 2023-05-01 2024-01-01 2025-01-01 2025-06-01 2025-08-01 2026-04-01
    """
)
_WEB = _versions(
    """
    2015-08-01 2016-08-01 2016-09-01 2018-02-01 2018-11-01 2019-08-01 2020-06-01 2020-09-01 2020-10-01 2020-12-01 2021-01-01
    2021-01-15 2021-02-01 2021-03-01 2022-03-01 2022-09-01 2023-01-01 2023-12-01 2024-04-01 2024-11-01 2025-03-01
    """
)
_COMPONENTS = _versions(
    """
    2015-05-01 2018-05-01-preview 2020-02-02 2020-02-02-preview
    """
)
_WORKSPACES = _versions(
    """
    2015-11-01-preview 2020-03-01-preview 2020-08-01 2020-10-01 2021-06-01 2021-12-01-preview 2022-10-01 2023-09-01 2025-02-01
    2025-07-01 2026-03-01
    """
)

API_VERSIONS = {
    "Microsoft.Resources": {
        "subscriptions": _RESOURCES,
        "resourceGroups": _RESOURCES,
        "resources": _RESOURCES,
        "deployments": _RESOURCES,
        "operations": _RESOURCES,
        "providers": _RESOURCES,
        "tenants": _RESOURCES,
        "tags": _RESOURCES,
        "checkResourceName": _RESOURCES,
        "calculateTemplateHash": _RESOURCES,
        "templateSpecs": _TEMPLATE_SPECS,
    },
    "Microsoft.Authorization": {"roleAssignments": _ROLES, "roleDefinitions": _ROLES, "permissions": _ROLES},
    "Microsoft.ContainerInstance": {"containerGroups": _CONTAINERS, "locations": _CONTAINERS, "operations": _CONTAINERS},
    "Microsoft.ContainerRegistry": {"registries": _REGISTRIES, "checkNameAvailability": _REGISTRIES},
    "Microsoft.ManagedIdentity": {"userAssignedIdentities": _IDENTITIES, "identities": _IDENTITIES},
    "Microsoft.KeyVault": {
        "vaults": _VAULTS,
        "deletedVaults": _VAULTS,
        "locations": _VAULTS,
        "checkNameAvailability": _VAULTS,
    },
    "Microsoft.Network": {"virtualNetworks": _NETWORKS, "networkSecurityGroups": _NETWORKS, "publicIPAddresses": _NETWORKS},
    "Microsoft.Storage": {"storageAccounts": _STORAGE, "checkNameAvailability": _STORAGE},
    "Microsoft.Web": {"serverfarms": _WEB, "sites": _WEB},
    "Microsoft.Insights": {"components": _COMPONENTS},
    "Microsoft.OperationalInsights": {"workspaces": _WORKSPACES},
}
"""By namespace and type."""

TOP_LEVEL = (
    "Microsoft.ContainerInstance/containerGroups",
    "Microsoft.ContainerRegistry/registries",
    "Microsoft.Insights/components",
    "Microsoft.KeyVault/vaults",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.OperationalInsights/workspaces",
    "Microsoft.Resources/templateSpecs",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Web/serverfarms",
    "Microsoft.Web/sites",
)
"""The types whose resources lie in a resource group: what its list of resources has, and what goes with it."""
