"""Tags: the same rules for all that can have them."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.arm.errors import ArmError
from localcloud.arm.tags import read_tags
from tests.unit.localcloud.worlds import DEPLOYMENTS, GROUPS, SUBSCRIPTION, deployment, group_body, make_world, template

RG = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
IDENTITY = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"
HERE = {"location": "westeurope"}


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({f"tag{number}": "" for number in range(51)}, "InvalidTagCount"),
        ({"a" * 513: ""}, "InvalidTagName"),
        ({"": "x"}, "InvalidTagName"),
        *(({f"a{sign}b": ""}, "InvalidTagNameCharacters") for sign in "<>%&\\?/\n"),
        ({"a": "b" * 257}, "InvalidTagValueLength"),
        ({"Name": "1", "name": "2"}, "DuplicateTagNames"),
        ({"a": 1}, "InvalidRequestContent"),
        (["a"], "InvalidRequestContent"),
    ],
)
def test_what_is_no_tag_is_refused(tags: Any, code: str) -> None:
    with pytest.raises(ArmError) as refused:
        read_tags(tags)

    assert (refused.value.status, refused.value.code) == (400, code)


def test_as_many_and_as_long_ones_as_there_may_be() -> None:
    tags = {f"{number:0512d}": "v" * 256 for number in range(50)}

    assert (read_tags(tags), read_tags(None)) == (tags, {})


@pytest.mark.parametrize(
    ("path", "body", "version"),
    [
        (RG, HERE, "2021-04-01"),
        (IDENTITY, HERE, "2023-01-31"),
        (f"{GROUPS}/g", group_body(), "2023-05-01"),
        (f"{DEPLOYMENTS}/d", deployment(template()), "2022-09-01"),
    ],
)
def test_every_kind_of_thing_has_the_rules(path: str, body: dict[str, Any], version: str) -> None:
    world = make_world()
    wrong = {"tags": {"a/b": "c"}}
    put = world.call("PUT", path, {**body, **wrong}, **{"api-version": version})
    assert put.body["error"]["code"] == "InvalidTagNameCharacters"

    if path != f"{DEPLOYMENTS}/d":
        world.call("PUT", path, body, **{"api-version": version})
        patch = world.call("PATCH", path, wrong, **{"api-version": version})
        assert patch.body["error"]["code"] == "InvalidTagNameCharacters"


def test_a_patch_does_not_move_a_resource() -> None:
    world = make_world()
    world.call("PUT", IDENTITY, HERE, **{"api-version": "2023-01-31"})

    moved = world.call("PATCH", IDENTITY, {"location": "northeurope"}, **{"api-version": "2023-01-31"})
    same = world.call("PATCH", IDENTITY, {"location": "West Europe", "tags": {"a": "b"}}, **{"api-version": "2023-01-31"})

    assert (moved.status, moved.body["error"]["code"]) == (409, "InvalidResourceLocation")
    assert (same.status, same.body["location"], same.body["tags"]) == (200, "westeurope", {"a": "b"})
