"""What was declared to ARM and is declared again at the next start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.arm.calls import Call, Reply
from localcloud.declared import Declared
from tests.unit.localcloud.worlds import DEPLOYMENTS, GROUPS, World, deployment, group_body, make_world, template

SUBSCRIPTION = GROUPS.partition("/resourceGroups/")[0]
RG = f"{SUBSCRIPTION}/resourceGroups/mine"
IDENTITY = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"
SPEC = f"{RG}/providers/Microsoft.Resources/templateSpecs/spec"
REGISTRY = f"{RG}/providers/Microsoft.ContainerRegistry/registries/images"
PLACE = {"location": "westeurope"}


def noting(file: Path) -> World:
    world = make_world()
    declared = Declared(file)
    for call in declared.calls():
        assert world.state.answer(call)[0].status < 300, call
    world.state.noted = declared.note
    return world


def declare(world: World) -> None:
    for path, body in (
        (RG, PLACE),
        (IDENTITY, PLACE),
        (SPEC, PLACE),
        (f"{SPEC}/versions/1.0", {**PLACE, "properties": {"mainTemplate": template([])}}),
        (REGISTRY, {**PLACE, "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": True}}),
    ):
        version = "2022-02-01" if "templateSpecs" in path else "2023-07-01" if "registries" in path else "2023-01-31"
        answer = world.call("PUT", path, body, **{"api-version": version if path != RG else "2021-04-01"})
        assert answer.status < 300, answer.body


def found(world: World, path: str) -> int:
    version = "2022-02-01" if "templateSpecs" in path else "2023-07-01" if "registries" in path else "2023-01-31"
    return world.call("GET", path, **{"api-version": version if path != RG else "2021-04-01"}).status


def test_what_was_declared_is_there_after_a_restart(tmp_path: Path) -> None:
    declare(noting(tmp_path / "declared.json"))

    again = noting(tmp_path / "declared.json")

    assert [found(again, path) for path in (RG, IDENTITY, SPEC, f"{SPEC}/versions/1.0", REGISTRY)] == [200] * 5


def test_what_was_deleted_stays_deleted_with_all_that_was_in_it(tmp_path: Path) -> None:
    first = noting(tmp_path / "declared.json")
    declare(first)
    first.call("DELETE", SPEC, **{"api-version": "2022-02-01"})

    again = noting(tmp_path / "declared.json")

    assert (found(again, SPEC), found(again, f"{SPEC}/versions/1.0"), found(again, REGISTRY)) == (404, 404, 200)


def test_the_last_of_several_declarations_counts_and_changes_are_kept_on_top(tmp_path: Path) -> None:
    first = noting(tmp_path / "declared.json")
    for tags in ({"a": "1"}, {"a": "2"}):
        first.call("PUT", RG, {**PLACE, "tags": tags}, **{"api-version": "2021-04-01"})
    first.call("PATCH", RG, {"tags": {"a": "3"}}, **{"api-version": "2021-04-01"})

    again = noting(tmp_path / "declared.json")

    assert again.call("GET", RG, **{"api-version": "2021-04-01"}).body["tags"] == {"a": "3"}
    assert len(list(Declared(tmp_path / "declared.json").calls())) == 2


def test_work_is_no_declaration_and_neither_is_what_was_refused(tmp_path: Path) -> None:
    first = noting(tmp_path / "declared.json")
    first.call("PUT", f"{GROUPS}/g", group_body())
    first.call("PUT", f"{DEPLOYMENTS}/d", deployment(template([])))
    first.call("PUT", f"{SUBSCRIPTION}/resourceGroups/without-location", {})

    assert list(Declared(tmp_path / "declared.json").calls()) == []


@pytest.mark.parametrize("status", [400, 404, 500])
def test_only_what_succeeded_is_remembered(tmp_path: Path, status: int) -> None:
    declared = Declared(tmp_path / "declared.json")
    body: Any = {}

    declared.note(Call(method="PUT", path=RG, body=body), Reply(status=status))

    assert not (tmp_path / "declared.json").exists()


def test_what_is_kept_can_be_read_by_its_owner_only_and_be_forgotten(tmp_path: Path) -> None:
    declare(noting(tmp_path / "declared.json"))
    assert (tmp_path / "declared.json").stat().st_mode & 0o777 == 0o600

    Declared(tmp_path / "declared.json").forget()

    assert not (tmp_path / "declared.json").exists()


VAULT = f"{RG}/providers/Microsoft.KeyVault/vaults/keeper"
NETWORK = f"{RG}/providers/Microsoft.Network/virtualNetworks/net"
TENANT = "22222222-2222-4222-8222-222222222222"
POLICY = {"tenantId": TENANT, "objectId": "aaaaaaaa-0000-4000-8000-000000000001", "permissions": {"secrets": ["get"]}}


def put_vault(world: World, **properties: Any) -> None:
    given = {"tenantId": TENANT, "sku": {"name": "standard"}, "accessPolicies": [], **properties}
    assert act(world, "PUT", VAULT, {**PLACE, "properties": given}).status < 300


def act(world: World, method: str, path: str, body: Any = None) -> Reply:
    version = "2023-09-01" if "Network" in path else "2023-07-01" if "KeyVault" in path else "2023-01-31"
    answer = world.call(method, path, body, **{"api-version": version if "providers" in path else "2021-04-01"})
    assert answer.status < 300, answer.body
    return answer


def policies(world: World) -> list[Any]:
    return list(act(world, "GET", VAULT).body["properties"]["accessPolicies"])


@pytest.mark.parametrize("how", ["PUT of the vault", "remove"])
def test_access_that_was_taken_away_stays_away(tmp_path: Path, how: str) -> None:
    first = noting(tmp_path / "declared.json")
    act(first, "PUT", RG, PLACE)
    put_vault(first)
    act(first, "PUT", f"{VAULT}/accessPolicies/add", {"properties": {"accessPolicies": [POLICY]}})
    assert policies(noting(tmp_path / "declared.json")) == [POLICY]
    if how == "remove":
        act(first, "PUT", f"{VAULT}/accessPolicies/remove", {"properties": {"accessPolicies": [POLICY]}})
    else:
        put_vault(first)

    assert policies(noting(tmp_path / "declared.json")) == []


def test_the_order_of_the_last_writes_counts_for_what_is_in_its_parent_too(tmp_path: Path) -> None:
    first = noting(tmp_path / "declared.json")
    act(first, "PUT", RG, PLACE)
    subnets = [{"name": name, "properties": {"addressPrefix": f"10.0.{at}.0/24"}} for at, name in enumerate("abc")]
    for given in (subnets[:1], subnets):
        act(first, "PUT", NETWORK, {**PLACE, "properties": {"subnets": given}})
        act(first, "PUT", f"{NETWORK}/subnets/d", subnets[0])
    act(first, "PUT", NETWORK, {**PLACE, "properties": {"subnets": subnets}})
    act(first, "DELETE", f"{NETWORK}/subnets/b")

    again = noting(tmp_path / "declared.json")

    assert [one["name"] for one in act(again, "GET", f"{NETWORK}/subnets").body["value"]] == ["a", "c"]


def test_a_vault_that_was_deleted_and_recovered_survives_and_one_that_was_purged_does_not(tmp_path: Path) -> None:
    first = noting(tmp_path / "declared.json")
    act(first, "PUT", RG, PLACE)
    put_vault(first, accessPolicies=[POLICY])
    act(first, "DELETE", VAULT)
    second = noting(tmp_path / "declared.json")
    put_vault(second, createMode="recover")
    assert policies(noting(tmp_path / "declared.json")) == [POLICY]

    put_vault(second, createMode="recover", accessPolicies=None)
    third = noting(tmp_path / "declared.json")
    assert policies(third) == [POLICY]
    act(third, "DELETE", VAULT)
    act(third, "POST", f"{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/keeper/purge")
    assert [one.path for one in Declared(tmp_path / "declared.json").calls()] == [RG]


def test_an_identity_is_the_same_after_a_restart_and_another_when_it_was_made_again(tmp_path: Path) -> None:
    first = noting(tmp_path / "declared.json")
    act(first, "PUT", RG, PLACE)
    principals = []
    for _ in range(2):
        call = Call(method="PUT", path=IDENTITY, body=PLACE, query={"api-version": "2023-01-31"}, actor="")
        owner = Call(**{**vars(call), "actor": first.state.settings.owners[0]})
        principals.append(first.state.answer(owner)[0].body["properties"]["principalId"])
        found_again = act(noting(tmp_path / "declared.json"), "GET", IDENTITY)
        assert found_again.body["properties"]["principalId"] == principals[-1]
        act(first, "DELETE", IDENTITY)

    assert principals[0] != principals[1]


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    call = {"method": "PUT", "path": RG, "query": {"api-version": "2021-04-01"}, "body": PLACE}
    (tmp_path / "declared.json").write_text(json.dumps({RG.lower(): [call]}))

    assert [one.path for one in Declared(tmp_path / "declared.json").calls()] == [RG]
