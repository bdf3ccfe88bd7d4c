"""The same for template specs and deployments; with them the table is complete."""

from __future__ import annotations

from typing import Any

import httpx

from localcloud.arm.faults import Fault
from tests.unit.localcloud.recorded.front import Front
from tests.unit.localcloud.recorded.samples import AZURE, Sample, sample
from tests.unit.localcloud.recorded.setups import SETUPS, need_group, set_up
from tests.unit.localcloud.worlds import deployment, group_resource

__all__ = ["SETUPS"]


def publish(front: Front, path: str, template: dict[str, Any], tags: dict[str, str] | None = None) -> None:
    """Make the template spec version of that path."""
    need_group(front, path)
    spec = "/".join(path.split("/")[:9])
    front.make("PUT", f"{spec}?api-version=2021-05-01", {"location": "westus", "tags": tags or {}})
    body = {"location": "westus", "tags": tags or {}, "properties": {"linkedTemplates": [], "mainTemplate": template}}
    front.make("PUT", f"{path}?api-version=2021-05-01", body)


def network_template() -> dict[str, Any]:
    """The one of nearly all recorded deployments: a network security group."""
    return dict(sample("ts_put_version").body["properties"]["mainTemplate"])


@set_up("ts_put_version")
def put_version(front: Front, asked: Sample) -> httpx.Response:
    need_group(front, asked.path)
    front.make("PUT", f"{AZURE}{asked.path.rpartition('/versions/')[0]}?api-version=2021-05-01", sample("ts_put_spec").body)
    return front.sent(asked)


@set_up("ts_get_version", "ts_delete")
def published(front: Front, asked: Sample) -> httpx.Response:
    path = asked.path if "/versions/" in asked.path else f"{asked.path}/versions/1.0"
    publish(front, path, network_template())
    return front.sent(asked)


def deploy(front: Front, path: str, seconds: float) -> httpx.Response:
    """PUT the recorded deployment under the name and in the group of that path, and let time pass."""
    asked = sample("dep_put_201")
    link = asked.body["properties"]["templateLink"]["id"]
    need_group(front, path)
    publish(front, link, network_template())
    name = path.partition("/deployments/")[2].partition("/")[0]
    scope = "/".join(path.split("/")[:5])
    uri = f"{scope}/providers/Microsoft.Resources/deployments/{name}?api-version=2022-09-01"
    reply = front.make("PUT", uri, asked.body)
    front.pass_time(seconds)
    return reply


@set_up("dep_put_201", "dep_validate_200")
def first_deployment(front: Front, asked: Sample) -> httpx.Response:
    need_group(front, asked.path)
    publish(front, asked.body["properties"]["templateLink"]["id"], network_template())
    return front.sent(asked)


@set_up("dep_operations", "dep_delete_202", "dep_export_template")
def after_a_deployment(front: Front, asked: Sample) -> httpx.Response:
    deploy(front, asked.path.replace("/deployments/", "/providers/Microsoft.Resources/deployments/"), 60)
    return front.sent(asked)


@set_up("dep_list")
def listed_deployments(front: Front, asked: Sample) -> httpx.Response:
    deploy(front, asked.reply["value"][0]["id"], 60)
    return front.sent(asked)


@set_up("dep_cancel_204")
def cancelled(front: Front, asked: Sample) -> httpx.Response:
    deploy(front, asked.path, 0)
    return front.sent(asked)


@set_up("dep_get_canceled")
def shown_as_canceled(front: Front, asked: Sample) -> httpx.Response:
    deploy(front, asked.path, 0)
    front.pass_time(0.5)
    front.make("POST", f"{asked.path}/cancel?api-version=2022-09-01")
    front.pass_time(5)
    return front.sent(asked)


@set_up("dep_opstatus_succeeded")
def finished(front: Front, asked: Sample) -> httpx.Response:
    put = deploy(front, asked.path, 60)
    return front.sent(asked, uri=put.headers["Azure-AsyncOperation"])


@set_up("dep_opstatus_running")
def under_way(front: Front, asked: Sample) -> httpx.Response:
    """The deployment of a container group: a network is made at once here."""
    need_group(front, asked.path)
    template = {**STORAGE, "parameters": {}, "resources": [group_resource()]}
    put = front.make("PUT", asked.uri.partition("/operationStatuses")[0] + "?api-version=2022-09-01", deployment(template))
    front.pass_time(5)
    return front.sent(asked, uri=put.headers["Azure-AsyncOperation"])


@set_up("dep_whatif_202")
def what_if(front: Front, asked: Sample) -> httpx.Response:
    need_group(front, asked.path)
    publish(front, asked.body["properties"]["templateLink"]["id"], STORAGE)
    return front.sent(asked)


STORAGE = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {"storageAccountType": {"type": "string", "defaultValue": "Standard_LRS"}},
    "resources": [
        {
            "type": "Microsoft.Storage/storageAccounts",
            "apiVersion": "2019-04-01",
            "name": "[concat('store', uniqueString(resourceGroup().id))]",
            "location": "[resourceGroup().location]",
            "sku": {"name": "[parameters('storageAccountType')]"},
            "kind": "StorageV2",
            "properties": {},
        }
    ],
}


@set_up("dep_validate_404_rg")
def in_an_unknown_group(front: Front, asked: Sample) -> httpx.Response:
    need_group(front, asked.path)
    return front.sent(asked)


@set_up("dep_get_failed")
def failed_deployment(front: Front, asked: Sample) -> httpx.Response:
    """Two of the recorded resources, the second of which fails with the recorded words: machines cannot be had here."""
    need_group(front, asked.path)
    failure = asked.reply["properties"]["error"]["details"][0]
    front.world.state.faults.add(Fault(method="PUT", path="virtualNetworks", status=400, **failure))
    front.make("PUT", asked.uri, {"properties": {"mode": "Complete", "template": network_of(asked), "parameters": {}}})
    front.pass_time(120)
    return front.sent(asked)


def network_of(asked: Sample) -> dict[str, Any]:
    """A template of the first dependency that the reply shows, with the parameters that it shows."""
    shown = asked.reply["properties"]
    needing = shown["dependencies"][0]
    resources = [
        {
            "type": one["resourceType"],
            "apiVersion": "2020-06-01",
            "name": one["resourceName"],
            "location": "[parameters('location')]",
            "dependsOn": [need["id"] for need in one.get("dependsOn", [])],
            "properties": {},
        }
        for one in (*needing["dependsOn"], needing)
    ]
    parameters = {name: {"type": "string", "defaultValue": given["value"]} for name, given in shown["parameters"].items()}
    return {**STORAGE, "parameters": parameters, "resources": resources}
