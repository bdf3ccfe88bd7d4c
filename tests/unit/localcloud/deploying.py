"""Deployments in a local ARM whose clock stands still: identities are there at once, container groups take their time."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from localcloud.arm.calls import Reply
from tests.unit.localcloud.worlds import DEPLOYMENTS, SUBSCRIPTION, World, deployment

RG = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
REGISTRY = "Microsoft.ContainerRegistry/registries"
NESTED = "Microsoft.Resources/deployments"


def identity(name: str = "one", **more: Any) -> dict[str, Any]:
    return {"type": IDENTITY, "apiVersion": "2023-01-31", "name": name, "location": "westeurope", **more}


def registry(name: str = "registry1", **more: Any) -> dict[str, Any]:
    body = {"type": REGISTRY, "apiVersion": "2023-07-01", "name": name, "location": "westeurope"}
    return {**body, "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": True}, **more}


def nested(name: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": NESTED, "apiVersion": "2022-09-01", "name": name, "properties": {"mode": "Incremental", **properties}, **more}


def inner(source: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    """The properties of a nested deployment whose expressions are its own."""
    given = {name: {"value": value} for name, value in parameters.items()}
    return {"template": source, "parameters": given, "expressionEvaluationOptions": {"scope": "inner"}}


def put(world: World, source: dict[str, Any], deployment_name: str = "d", **parameters: Any) -> Reply:
    return world.call("PUT", f"{DEPLOYMENTS}/{deployment_name}", deployment(source, **parameters))


def shown(world: World, name: str = "d", where: str = DEPLOYMENTS) -> dict[str, Any]:
    return dict(world.call("GET", f"{where}/{name}").body["properties"])


def deploy(world: World, source: dict[str, Any], deployment_name: str = "d", **parameters: Any) -> dict[str, Any]:
    """The properties of the deployment a minute later."""
    reply = put(world, source, deployment_name, **parameters)
    assert reply.status in (200, 201), reply.body
    world.clock.advance(60)
    return shown(world, deployment_name)


def deployed(world: World, source: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    """The values of the outputs of a deployment that must succeed."""
    properties = deploy(world, source, **parameters)
    assert properties["provisioningState"] == "Succeeded", properties
    return {name: output.get("value") for name, output in properties.get("outputs", {}).items()}


def refused(world: World, source: dict[str, Any], **parameters: Any) -> str:
    """The message of a refusal that leaves nothing behind."""
    reply = put(world, source, **parameters)
    assert reply.status == 400, reply.body
    assert world.call("GET", f"{DEPLOYMENTS}/d").status == 404
    return str(reply.body["error"]["message"])


def puts(world: World) -> list[str]:
    """The names of all that deployments have PUT, in order."""
    calls = [call for call in world.state.journal.listing() if call["method"] == "PUT" and call["by"] == "deployment"]
    return [call["path"].rpartition("/")[2] for call in calls]


def waited(world: World, reply: Reply) -> Reply:
    """What is at the end of a 202."""
    assert reply.status == 202, reply.body
    url = urlsplit(reply.headers["Location"])
    assert world.call("GET", url.path, **dict(parse_qsl(url.query))).status == 202
    world.clock.advance(10)
    return world.call("GET", url.path, **dict(parse_qsl(url.query)))
