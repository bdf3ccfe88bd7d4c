"""What was declared to ARM and is declared again at the next start."""

from __future__ import annotations

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
