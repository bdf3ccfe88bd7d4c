"""Every deployment comes to an end, whatever happens meanwhile to its resources, its operations and its caller's rights."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from localcloud.arm.calls import Call
from localcloud.arm.faults import Fault
from tests.unit.localcloud.deploying import IDENTITY, RG, deploy, identity, inner, nested, put, shown
from tests.unit.localcloud.test_deployment_operations import ACTOR, allow, as_actor
from tests.unit.localcloud.worlds import DEPLOYMENTS, GROUPS, SUBSCRIPTION, deployment, group_resource, make_world, template


def test_a_nested_deployment_s_name_may_be_used_by_another_deployment_meanwhile() -> None:
    world = make_world()
    slow = template([nested("n", inner(template([group_resource("g")])))])
    assert put(world, slow, "first").status == 201
    world.clock.advance(4)
    assert world.call("POST", f"{DEPLOYMENTS}/n/cancel").status == 204
    assert put(world, template(), "n").status == 200
    world.clock.advance(120)
    assert shown(world, "n")["provisioningState"] == "Succeeded"
    assert shown(world, "first")["provisioningState"] == "Failed"


@pytest.mark.parametrize("moment", [2.0, 8.0])
def test_a_caller_who_may_not_see_operations_or_loses_the_role_still_gets_an_end(moment: float) -> None:
    world = make_world()
    allow(world, "Microsoft.Resources/deployments/write", f"{IDENTITY}/write", "Microsoft.ContainerInstance/containerGroups/write")
    source = template([nested("n", inner(template([group_resource("g")]))), identity("i")])
    assert as_actor(world, "PUT", f"{DEPLOYMENTS}/d", deployment(source)).status == 201
    world.clock.advance(moment)
    role = "bbbbbbbb-0000-4000-8000-000000000000"
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments/{role}"
    assert world.call("DELETE", path).status == 200
    assert not world.state.authorization.allows(ACTOR, f"{IDENTITY}/read", RG)
    world.clock.advance(120)
    assert shown(world)["provisioningState"] == "Succeeded"


def test_a_group_that_is_deleted_while_its_operation_goes_on_fails_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    monkeypatch.setattr("localcloud.arm.containerinstance.operations.Operations.show", lambda *_: {"status": "Repairing"})
    put(world, template([group_resource("g"), identity("i", dependsOn=["g"])]))
    world.clock.advance(60)
    assert world.call("DELETE", f"{GROUPS}/g").status == 200
    world.clock.advance(400)
    assert shown(world)["provisioningState"] == "Failed"


def test_an_operation_that_nobody_knows_any_more_ends_as_its_resource_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.arm.containerinstance.operations.Operations.show", lambda *_: None)
    for left, end in ((True, "Succeeded"), (False, "Failed")):
        world = make_world()
        put(world, template([group_resource("g")]))
        world.clock.advance(5)
        if not left:
            world.state.containers.groups.by_id.clear()
        world.clock.advance(400)
        assert shown(world)["provisioningState"] == end


def test_the_status_of_an_earlier_deployment_of_the_same_name_can_still_be_asked_for() -> None:
    world = make_world()
    first = put(world, template([identity("a")])).headers["Azure-AsyncOperation"]
    world.clock.advance(60)
    deploy(world, template([identity("b")]))
    old = world.call("GET", urlsplit(first).path)
    assert (old.status, old.body) == (200, {"status": "Succeeded"})
    assert world.call("GET", urlsplit(first).path.replace("deployments/d/", "deployments/e/")).status == 404


def test_a_resource_group_of_any_letters_has_addresses_that_a_header_can_carry() -> None:
    world = make_world()
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/grüаб"
    assert world.call("PUT", group, {"location": "westeurope"}).status == 201
    source = template([nested("n", inner(template([identity("i")])))])
    path = f"{group}/providers/Microsoft.Resources/deployments/d"
    reply = world.state.answer(Call(method="PUT", path=path, body=deployment(source), query={"api-version": "2022-09-01"}))[0]
    address = reply.headers["Azure-AsyncOperation"]
    assert address.isascii()
    assert "/resourceGroups/gr%C3%BC%D0%B0%D0%B1/" in address
    world.clock.advance(60)
    assert world.call("GET", path).body["properties"]["provisioningState"] == "Succeeded"


def test_a_bug_while_a_held_deployment_goes_on_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    world.state.faults.add(Fault.read({"method": "PUT", "path": ".*/deployments/d", "hold": "Accepted"}))
    assert put(world, template([identity("i")])).status == 201
    world.clock.advance(60)
    assert shown(world)["provisioningState"] == "Accepted"
    monkeypatch.setattr("localcloud.arm.deployments.engine.Engine._advance", lambda *_: 1 / 0)
    assert world.state.deployments.release("d")
    assert (shown(world)["provisioningState"], shown(world)["error"]["code"]) == ("Failed", "InternalServerError")
