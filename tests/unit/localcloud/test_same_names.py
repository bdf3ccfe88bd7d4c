"""Container groups that have the same name in two resource groups: they have nothing in common."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette

from localcloud.arm import by_hand
from localcloud.arm.side_door import side_door
from tests.unit.localcloud.worlds import GROUPS, SUBSCRIPTION, World, group_body, make_world

OTHERS = GROUPS.replace("/rg/", "/Rg2/")
IDENTITIES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{{}}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/of-{{}}"


def twins() -> World:
    """A group `same` in each of `rg` and `Rg2`, with an identity of its own, both running."""
    world = make_world()
    world.call("PUT", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Rg2", {"location": "westeurope"})
    for where, groups in (("rg", GROUPS), ("Rg2", OTHERS)):
        identity = IDENTITIES.format(where, where.lower())
        world.call("PUT", identity, {"location": "westeurope"})
        user = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {identity: {}}}
        assert world.call("PUT", f"{groups}/same", {**group_body(policy="Always"), "identity": user}).status == 201
    world.clock.advance(15)
    return world


def view(world: World, groups: str) -> dict[str, Any]:
    return dict(world.call("GET", f"{groups}/same").body["properties"]["containers"][0]["properties"]["instanceView"])


def test_each_has_its_own_identities() -> None:
    world = twins()
    first, second = (one.launch.group for one in world.runtime.started)
    assert (first, second.partition(".")[0]) == ("same", "same")
    found = [[one.name for one in world.state.group_identities(key)] for key in (first, second)]
    assert found == [["of-rg", "same"], ["of-rg2", "same"]]
    own = [world.state.group_identities(key)[1].principal_id for key in (first, second)]
    assert own[0] != own[1]


def test_whatever_runs_them_knows_them_apart() -> None:
    world = twins()
    first, second = (one.launch.group for one in world.runtime.started)
    assert first != second
    assert [order.group for order in world.runtime.pulled] == [first, second]
    world.call("DELETE", f"{OTHERS}/same")
    assert (world.runtime.forgotten, [one.stopped for one in world.runtime.started]) == ([second], [False, True])


def test_a_group_that_is_made_anew_is_called_as_before() -> None:
    world = twins()
    keys = [one.launch.group for one in world.runtime.started]
    world.call("DELETE", f"{GROUPS}/same")
    world.call("PUT", f"{OTHERS}/same", group_body(policy="Always", image="other"))
    world.call("PUT", f"{GROUPS}/same", group_body())
    world.clock.advance(15)
    assert sorted(one.launch.group for one in world.runtime.started[2:]) == sorted(keys)


def test_only_the_name_in_its_resource_group_was_in_use() -> None:
    world = make_world()
    world.call("PUT", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Rg2", {"location": "westeurope"})
    world.put_group("same")
    assert "under resource group 'Rg2' was not found" in world.call("GET", f"{OTHERS}/same").body["error"]["message"]


def test_by_hand_each_is_named_with_its_resource_group() -> None:
    world = twins()
    with pytest.raises(ValueError, match="several container groups same: give one of rg/same, rg2/same"):
        by_hand.exit_container(world.state, "same")
    by_hand.exit_container(world.state, "Rg2/same", code=3)
    assert (view(world, OTHERS)["currentState"]["state"], view(world, GROUPS)["currentState"]["state"]) == ("Waiting", "Running")
    world.call("DELETE", f"{GROUPS}/same")
    world.clock.advance(15)
    by_hand.restart(world.state, "same")
    with pytest.raises(by_hand.Absent):
        by_hand.restart(world.state, "rg/same")


def door(world: World, method: str, path: str, body: Any = None) -> Response:
    async def ask() -> Response:
        transport = ASGITransport(Starlette(routes=side_door(world.state)))
        async with AsyncClient(transport=transport, base_url="http://cloud/localcloud") as client:
            return await client.request(method, path, json=body)

    return asyncio.run(ask())


def test_the_side_door_knows_them_apart() -> None:
    world = twins()
    world.put_group("alone")
    assert door(world, "POST", "/groups/same/exit", {"code": 3}).status_code == 400
    assert door(world, "POST", "/groups/rg2/same/exit", {"code": 3}).status_code == 200
    world.clock.advance(15)
    groups = door(world, "GET", "/groups").json()["groups"]
    assert {name: one["starts"] for name, one in groups.items()} == {"rg/same": 1, "rg2/same": 2, "alone": 1}
