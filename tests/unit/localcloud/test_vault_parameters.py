"""Parameters of a deployment that are a vault's secrets."""

from __future__ import annotations

from typing import Any

from localcloud.arm.calls import Call
from tests.unit.localcloud.test_arm_vaults import RG, VAULT, put
from tests.unit.localcloud.test_authorization import APP, OWNER, assign
from tests.unit.localcloud.worlds import DEPLOYMENTS, World, group_resource, make_world, template

REFERENCE = {"keyVault": {"id": VAULT}, "secretName": "sas"}


def deploy(world: World, actor: str = OWNER, resources: list[dict[str, Any]] | None = None) -> Any:
    source = template(resources, parameters={"secret": {"type": "secureString"}})
    body = {"properties": {"mode": "Incremental", "template": source, "parameters": {"secret": {"reference": REFERENCE}}}}
    call = Call(method="PUT", path=f"{DEPLOYMENTS}/d", body=body, query={"api-version": "2024-03-01"}, actor=actor)
    reply = world.state.answer(call)[0]
    world.clock.advance(60)
    return reply


def test_the_secret_reaches_the_container_and_the_history_has_its_reference_only() -> None:
    world = make_world()
    put(world, enabledForTemplateDeployment=True)
    world.state.vaults.set("contoso", "sas", "hunter2")
    variable = {"name": "SAS", "secureValue": "[parameters('secret')]"}
    group = group_resource()
    group["properties"]["containers"][0]["properties"]["environmentVariables"] = [variable]
    reply = deploy(world, resources=[group])
    assert reply.status == 201
    assert reply.body["properties"]["parameters"] == {"secret": {"type": "SecureString", "reference": REFERENCE}}
    assert world.runtime.started[0].launch.environment["SAS"] == "hunter2"
    assert "hunter2" not in str(world.call("GET", f"{DEPLOYMENTS}/d").body)


def test_who_may_deploy_but_not_from_the_vault_is_refused() -> None:
    world = make_world()
    put(world, enabledForTemplateDeployment=True)
    world.state.vaults.set("contoso", "sas", "hunter2")
    deploy(world)
    assign(world, "Contributor", f"{RG}/providers/Microsoft.Resources/deployments/d", APP)
    reply = deploy(world, APP)
    assert (reply.status, reply.body["error"]["code"]) == (403, "KeyVaultParameterReferenceAuthorizationFailed")


def test_a_secret_that_is_not_there_is_refused_before_anything_is_done() -> None:
    world = make_world()
    put(world, enabledForTemplateDeployment=True)
    reply = deploy(world)
    assert (reply.status, reply.body["error"]["code"]) == (400, "KeyVaultParameterReferenceSecretRetrieveFailed")
    assert world.call("GET", f"{DEPLOYMENTS}/d").status == 404
