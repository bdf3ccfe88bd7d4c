"""The functions that tell where, when and by whom a template is deployed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from localcloud.arm.deployments.id_functions import add_ids
from localcloud.arm.errors import not_supported
from localcloud.arm.expressions import Catalog, Function
from localcloud.arm.expressions.date_formats import format_date
from localcloud.arm.ids import guid as make_guid
from localcloud.arm.ids import region

if TYPE_CHECKING:
    from localcloud.arm.deployments.scope import Surroundings

# Documented for global Azure; the local cloud's own endpoints stand in the app's settings, as they do on Azure.
ENVIRONMENT = {
    "name": "AzureCloud",
    "gallery": "https://gallery.azure.com/",
    "graph": "https://graph.windows.net/",
    "portal": "https://portal.azure.com",
    "graphAudience": "https://graph.windows.net/",
    "activeDirectoryDataLake": "https://datalake.azure.net/",
    "batch": "https://batch.core.windows.net/",
    "media": "https://rest.media.azure.net",
    "sqlManagement": "https://management.core.windows.net:8443/",
    "vmImageAliasDoc": "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/master/arm-compute/quickstart-templates/aliases.json",
    "resourceManager": "https://management.azure.com/",
    "authentication": {
        "loginEndpoint": "https://login.microsoftonline.com/",
        "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
        "tenant": "common",
        "identityProvider": "AAD",
    },
    "suffixes": {
        "acrLoginServer": ".azurecr.io",
        "azureDatalakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
        "azureDatalakeStoreFileSystem": "azuredatalakestore.net",
        "azureFrontDoorEndpointSuffix": "azurefd.net",
        "keyvaultDns": ".vault.azure.net",
        "sqlServerHostname": ".database.windows.net",
        "storage": "core.windows.net",
    },
}

# Regions with availability zones, as far as the local cloud has regions at all.
_ZONED = {
    "australiaeast", "brazilsouth", "canadacentral", "centralindia", "centralus", "eastasia", "eastus", "eastus2", "francecentral",
    "germanywestcentral", "israelcentral", "italynorth", "japaneast", "koreacentral", "mexicocentral", "northeurope", "norwayeast",
    "polandcentral", "qatarcentral", "southafricanorth", "southcentralus", "southeastasia", "spaincentral", "swedencentral",
    "switzerlandnorth", "uaenorth", "uksouth", "westeurope", "westus2", "westus3",
}  # fmt: skip
_COMPACT = "yyyyMMddTHHmmssZ"

# Azure's own, for what the local cloud does not have (logical zones, lists of providers), and what only tools evaluate.
_UNSUPPORTED = (
    "extensions",
    "externalInputs",
    "getSecret",
    "providers",
    "resourceInfo",
    "roleDefinitions",
    "toLogicalZone",
    "toLogicalZones",
    "toPhysicalZone",
    "toPhysicalZones",
)


def functions(around: Surroundings) -> Catalog:
    """What is not there at the level of the deployment is not in the catalog: ARM refuses it as out of place."""
    catalog = Catalog()
    _add_levels(catalog, around)
    catalog.function("deployment")(lambda: dict(around.deployment))
    catalog.function("deployer")(lambda: {"objectId": "", "tenantId": around.tenant, "userPrincipalName": "", **around.deployer})
    catalog.function("environment")(lambda: {**ENVIRONMENT, **around.environment})
    catalog.function("pickZones", "string", "string", "string", "int", "int", optional=2)(_pick_zones)
    for name in _UNSUPPORTED:
        catalog.function(name, rest="any")(partial(_refuse, name))
    add_ids(catalog, around)
    return catalog


def _refuse(name: str, *_values: Any) -> Any:
    raise not_supported(f"The template function '{name}'")


def default_functions(around: Surroundings) -> dict[str, Function]:
    """What only the default of a parameter may use."""
    catalog = Catalog()
    catalog.function("newGuid")(lambda: make_guid(around.ids))

    @catalog.function("utcNow", "string", optional=1)
    def now(style: str = _COMPACT) -> str:
        return format_date("utcNow", around.now, style)

    return catalog


def _add_levels(catalog: Catalog, around: Surroundings) -> None:
    tenant = {"countryCode": "US", "displayName": "local cloud", "id": f"/tenants/{around.tenant}", "tenantId": around.tenant}
    catalog.function("tenant")(lambda: tenant)
    if around.management_group is not None:
        management_group = around.management_group
        catalog.function("managementGroup")(lambda: dict(management_group))
    if around.subscription:
        subscription = {
            "id": f"/subscriptions/{around.subscription}",
            "subscriptionId": around.subscription,
            "tenantId": around.tenant,
            "displayName": "local cloud",
        }
        catalog.function("subscription")(lambda: subscription)
    if around.group is not None:
        group = around.group
        catalog.function("resourceGroup")(lambda: dict(group))


def _pick_zones(_namespace: str, _kind: str, location: str, count: int = 1, offset: int = 0) -> list[Any]:
    """Documented: nothing where the region has no zones."""
    zones = ["1", "2", "3"] if region(location) in _ZONED else []
    return zones[max(offset, 0) :][: max(count, 0)]
