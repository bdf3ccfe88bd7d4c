"""Resource groups: made, changed, listed; deleted with everything in them; and the lists of what they hold."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.arm.calls import Call, Reply
from tests.unit.localcloud.test_authorization import APP, assign
from tests.unit.localcloud.worlds import DEPLOYMENTS, GROUPS, SUBSCRIPTION, World, deployment, group_resource, make_world, template

SUB = f"/subscriptions/{SUBSCRIPTION}"
RG = f"{SUB}/resourceGroups/rg"
OTHER = f"{SUB}/resourceGroups/other"
IDENTITY = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine"
FIREWALL = f"{RG}/providers/Microsoft.Network/networkSecurityGroups/nsg"


@pytest.fixture
def world() -> World:
    return make_world()


def put(world: World, path: str, **body: Any) -> Reply:
    return world.call("PUT", path, {"location": "westeurope", **body})


def code(reply: Reply) -> str:
    return str(reply.body["error"]["code"])


def ids(reply: Reply) -> list[str]:
    return [one["id"] for one in reply.body["value"]]


def test_a_group_is_shown_and_tagged(world: World) -> None:
    made = put(world, OTHER, tags={"a": "1"}, managedBy="/x")
    assert (made.status, made.body["location"], made.body["managedBy"]) == (201, "westeurope", "/x")
    assert put(world, OTHER.upper(), location="West Europe").body["name"] == "other"
    assert world.call("PATCH", OTHER, {"tags": {"b": "2"}}).body["tags"] == {"b": "2"}
    assert world.call("GET", OTHER).body["tags"] == {"b": "2"}
    assert (world.call("HEAD", OTHER).status, world.call("HEAD", f"{OTHER}x").status) == (204, 404)
    assert code(world.call("PATCH", f"{OTHER}x", {})) == "ResourceGroupNotFound"


@pytest.mark.parametrize(
    ("path", "body", "status", "expected"),
    [
        (OTHER, {"location": ""}, 400, "LocationRequired"),
        (OTHER, {"location": "atlantis"}, 400, "LocationNotAvailableForResourceGroup"),
        (RG, {"location": "eastus"}, 409, "InvalidResourceGroupLocation"),
        (f"{OTHER}.", {}, 400, "InvalidResourceGroup"),
        (f"{SUB}/resourceGroups/a$b", {}, 400, "InvalidResourceGroup"),
        (f"{SUB}/resourceGroups/{'x' * 91}", {}, 400, "InvalidResourceGroup"),
    ],
)
def test_a_wrong_group_is_refused(world: World, path: str, body: dict[str, Any], status: int, expected: str) -> None:
    refused = put(world, path, **body)

    assert (refused.status, code(refused)) == (status, expected)


def test_groups_are_listed_by_tag_and_page_by_page(world: World) -> None:
    for name in "abc":
        put(world, f"{SUB}/resourceGroups/{name}", tags={"team": name, "all": "yes"})

    def listed(**query: str) -> list[str]:
        return [one.rpartition("/")[2] for one in ids(world.call("GET", f"{SUB}/resourceGroups", **query))]

    assert listed() == ["a", "b", "c", "rg"]
    assert listed(**{"$filter": "tagName eq 'Team' and tagValue eq 'b'"}) == ["b"]
    assert listed(**{"$filter": "tagName eq 'all'"}) == ["a", "b", "c"]
    first = world.call("GET", f"{SUB}/resourceGroups", **{"$top": "3"})
    assert len(first.body["value"]) == 3
    token = first.body["nextLink"].partition("skiptoken=")[2].replace("%2F", "/")
    rest = world.call("GET", f"{SUB}/resourceGroups", **{"$top": "3", "$skiptoken": token})
    assert [one["name"] for one in rest.body["value"]] == ["rg"]
    assert "nextLink" not in rest.body
    assert code(world.call("GET", f"{SUB}/resourceGroups", **{"$top": "x"})) == "InvalidTopValue"
    assert code(world.call("GET", f"{SUB}/resourceGroups", **{"$filter": "what"})) == "LocalCloudNotSupported"


def test_lists_have_only_what_the_caller_may_read(world: World) -> None:
    put(world, OTHER)
    put(world, IDENTITY)
    put(world, FIREWALL)

    def seen(path: str) -> list[str]:
        return ids(world.state.answer(Call(method="GET", path=path, query={"api-version": "2022-09-01"}, actor=APP))[0])

    assert (seen(f"{SUB}/resourceGroups"), seen(f"{SUB}/resources")) == ([], [])
    assign(world, "Reader", FIREWALL)
    assert (seen(f"{SUB}/resourceGroups"), seen(f"{RG}/resources")) == ([], [FIREWALL])
    assign(world, "Reader", RG)
    assert (seen(f"{SUB}/resourceGroups"), seen(f"{SUB}/resources")) == ([RG], [IDENTITY, FIREWALL])


def test_the_resources_of_a_group_and_of_all_are_listed_and_filtered(world: World) -> None:
    put(world, OTHER)
    put(world, IDENTITY, tags={"a": "1"})
    put(world, FIREWALL)
    put(world, FIREWALL.replace("/rg/", "/other/"))
    world.put_group("g")

    assert set(ids(world.call("GET", f"{RG}/resources"))) == {IDENTITY, FIREWALL, f"{GROUPS}/g"}
    kind = {"$filter": "resourceType eq 'Microsoft.Network/networkSecurityGroups'"}
    assert len(ids(world.call("GET", f"{SUB}/resources", **kind))) == 2
    assert ids(world.call("GET", f"{RG}/resources", **kind)) == [FIREWALL]
    assert ids(world.call("GET", f"{SUB}/resources", **{"$filter": "resourceGroup eq 'other'"})) == [FIREWALL.replace("/rg/", "/other/")]
    assert ids(world.call("GET", f"{SUB}/resources", **{"$filter": "tagName eq 'a' and tagValue eq '1'"})) == [IDENTITY]
    assert ids(world.call("GET", f"{RG}/resources", **{"$filter": "substringof('in', name)"})) == [IDENTITY]
    assert ids(world.call("GET", f"{RG}/resources", **{"$filter": "name ne 'mine' and location eq 'westeurope'"})) == [
        f"{GROUPS}/g",
        FIREWALL,
    ]
    [shown] = [one for one in world.call("GET", f"{RG}/resources").body["value"] if one["id"] == IDENTITY]
    assert set(shown) == {"id", "name", "type", "location", "tags"}


def test_a_deleted_group_takes_everything_with_it(world: World) -> None:
    put(world, IDENTITY)
    put(world, FIREWALL)
    world.put_group("runs")
    world.clock.advance(60)
    world.call("PUT", f"{DEPLOYMENTS}/d", deployment(template([group_resource("deployed")])))
    assignment = assign(world, "Reader", RG).body["id"]

    deleted = world.call("DELETE", RG)
    assert deleted.status == 202
    where = deleted.headers["Location"].partition("azure.com")[2].partition("?")[0]
    assert world.call("GET", where).status == 202
    assert world.call("GET", RG).body["properties"]["provisioningState"] == "Deleting"
    assert code(put(world, FIREWALL)) == "ResourceGroupBeingDeleted"
    assert world.call("DELETE", RG).status == 202

    world.clock.advance(300)
    assert world.call("GET", where).status == 200
    assert code(world.call("GET", RG)) == "ResourceGroupNotFound"
    assert all(container.stopped for container in world.runtime.started)
    assert put(world, RG).status == 201
    assert world.call("GET", f"{RG}/resources").body["value"] == []
    assert world.call("GET", DEPLOYMENTS).body["value"] == []
    assert code(world.call("GET", assignment)) == "RoleAssignmentNotFound"


def test_a_group_that_began_anew_is_not_emptied(world: World) -> None:
    world.call("DELETE", RG)
    world.state.forget()
    put(world, RG)
    world.clock.advance(300)

    assert world.call("GET", RG).status == 200


def test_a_group_that_is_not_there_cannot_be_deleted_and_none_is_exported(world: World) -> None:
    assert code(world.call("DELETE", OTHER)) == "ResourceGroupNotFound"
    assert code(world.call("POST", f"{RG}/exportTemplate", {"resources": ["*"]})) == "LocalCloudNotSupported"


def test_an_identity_is_listed_tagged_and_deleted(world: World) -> None:
    made = put(world, IDENTITY)
    assert set(made.body["properties"]) == {"tenantId", "principalId", "clientId"}
    assert ids(world.call("GET", f"{SUB}/providers/Microsoft.ManagedIdentity/userAssignedIdentities")) == [IDENTITY]
    assert world.call("PATCH", IDENTITY, {"tags": {"a": "b"}}).body["tags"] == {"a": "b"}
    assert world.call("GET", IDENTITY).body["properties"] == made.body["properties"]
    assert world.call("DELETE", IDENTITY).status == 200
    assert world.state.identities.find(IDENTITY) is None
    assert put(world, IDENTITY).body["properties"] == made.body["properties"]
