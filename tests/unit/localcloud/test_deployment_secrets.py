"""Parameters that refer to a secret of a Key Vault: read when the deployment begins, by its caller's rights, and shown nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.localcloud.deploying import IDENTITY, RG, identity, inner, nested, waited
from tests.unit.localcloud.test_deployment_operations import allow, as_actor
from tests.unit.localcloud.worlds import DEPLOYMENTS, World, group_body, group_resource, make_world, template

VAULT = f"{RG}/providers/Microsoft.KeyVault/vaults/contoso"
SECRET = {"secret": {"type": "secureString"}}


@pytest.fixture
def world() -> World:
    made = make_world()
    properties = {
        "tenantId": "22222222-2222-4222-8222-222222222222",
        "sku": {"family": "A", "name": "standard"},
        "enabledForTemplateDeployment": True,
        "accessPolicies": [],
    }
    call = made.call("PUT", VAULT, {"location": "westeurope", "properties": properties}, **{"api-version": "2023-07-01"})
    assert call.status in (200, 201), call.body
    made.state.vaults.set("contoso", "password", "fr0m-vault")
    return made


def request(source: dict[str, Any], name: str = "password", vault: str = VAULT) -> dict[str, Any]:
    parameters = {"secret": {"reference": {"keyVault": {"id": vault}, "secretName": name}}}
    return {"properties": {"mode": "Incremental", "template": source, "parameters": parameters}}


def with_secret(name: str = "g") -> dict[str, Any]:
    variables = [{"name": "PASSWORD", "secureValue": "[parameters('secret')]"}]
    return template([group_resource(name, **group_body(variables=variables))], parameters=SECRET)


def test_a_secret_of_a_vault_reaches_the_container_and_no_answer(world: World) -> None:
    assert world.call("PUT", f"{DEPLOYMENTS}/d", request(with_secret())).status == 201
    world.clock.advance(60)
    assert world.runtime.started[0].launch.environment == {"PASSWORD": "fr0m-vault"}
    shown = world.call("GET", f"{DEPLOYMENTS}/d").body
    assert shown["properties"]["parameters"]["secret"]["type"] == "SecureString"
    for path in ("d", "d/operations"):
        assert "fr0m-vault" not in json.dumps(world.call("GET", f"{DEPLOYMENTS}/{path}").body)


def test_a_nested_deployment_refers_to_a_vault_whose_name_is_found_on_the_way(world: World) -> None:
    resource = nested("n", inner(with_secret()))
    reference = {"keyVault": {"id": "[resourceId('Microsoft.KeyVault/vaults', concat('con', 'toso'))]"}, "secretName": "password"}
    resource["properties"]["parameters"] = {"secret": {"reference": reference}}
    body = {"properties": {"mode": "Incremental", "template": template([resource])}}
    assert world.call("PUT", f"{DEPLOYMENTS}/d", body).status == 201
    world.clock.advance(60)
    assert world.runtime.started[0].launch.environment == {"PASSWORD": "fr0m-vault"}


def test_what_if_masks_what_comes_from_a_vault_nested_or_not(world: World) -> None:
    derived = template([identity("a", tags={"t": "[base64(parameters('secret'))]", "plain": "x"})], parameters=SECRET)
    resource = nested("n", {**inner(derived), "parameters": request(derived)["properties"]["parameters"]})
    for body in (request(derived), {"properties": {"mode": "Incremental", "template": template([resource])}}):
        found = waited(world, world.call("POST", f"{DEPLOYMENTS}/w/whatIf", body)).body
        tags = next(one["after"]["tags"] for one in found["properties"]["changes"] if one["resourceId"].endswith(f"{IDENTITY}/a"))
        assert tags == {"t": "*******", "plain": "x"}


@pytest.mark.parametrize("changes", [{"name": "absent"}, {"vault": VAULT.replace("contoso", "absent")}])
def test_what_is_not_there_is_refused_at_once(world: World, changes: dict[str, str]) -> None:
    reply = world.call("PUT", f"{DEPLOYMENTS}/d", request(with_secret(), **changes))
    assert (reply.status >= 400, reply.body["error"]["code"].startswith("KeyVaultParameterReference")) == (True, True)
    assert world.call("GET", f"{DEPLOYMENTS}/d").status == 404


def test_the_deployer_needs_the_right_to_use_the_vault(world: World) -> None:
    allow(world, "Microsoft.Resources/deployments/*", "Microsoft.ContainerInstance/containerGroups/write")
    refused = as_actor(world, "PUT", f"{DEPLOYMENTS}/d", request(with_secret()))
    assert refused.status in (400, 403)
    assert refused.body["error"]["code"].startswith("KeyVaultParameterReference")
    actions = ("Microsoft.Resources/deployments/*", "Microsoft.ContainerInstance/containerGroups/write")
    allow(world, *actions, "Microsoft.KeyVault/vaults/deploy/action")
    assert as_actor(world, "PUT", f"{DEPLOYMENTS}/d", request(with_secret())).status == 201
