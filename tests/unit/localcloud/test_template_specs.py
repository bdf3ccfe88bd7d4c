"""Template specs: kept word for word, listed, tagged, bounded."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.localcloud.deploying import RG
from tests.unit.localcloud.worlds import SUBSCRIPTION, World, make_world, template

SPECS = f"{RG}/providers/Microsoft.Resources/templateSpecs"
BODY = {"location": "westeurope"}


def version_body(**properties: Any) -> dict[str, Any]:
    return {"location": "westeurope", "properties": {"mainTemplate": template(), **properties}}


def published(world: World, name: str = "spec", *versions: str, **spec: Any) -> None:
    assert world.call("PUT", f"{SPECS}/{name}", {**BODY, **spec}).status == 201
    for version in versions:
        assert world.call("PUT", f"{SPECS}/{name}/versions/{version}", version_body(description=f"the {version}")).status == 201
        world.clock.advance(1)


def test_a_version_comes_back_word_for_word_without_empty_links() -> None:
    world = make_world()
    published(world, "spec")
    main = {**template(), "odd": {"[x]": None}}
    world.call("PUT", f"{SPECS}/spec/versions/1.0", version_body(mainTemplate=main, linkedTemplates=[]))
    assert world.call("GET", f"{SPECS}/SPEC/VERSIONS/1.0").body["properties"] == {"mainTemplate": main}


def test_linked_templates_are_kept() -> None:
    world = make_world()
    published(world, "spec")
    linked = [{"path": "a/b.json", "template": template()}]
    reply = world.call("PUT", f"{SPECS}/spec/versions/1.0", version_body(linkedTemplates=linked, uiFormDefinition={"a": 1}))
    assert (reply.status, reply.body["properties"]["linkedTemplates"]) == (201, linked)
    assert reply.body["properties"]["uiFormDefinition"] == {"a": 1}


def test_versions_are_shown_when_they_are_asked_for() -> None:
    world = make_world()
    published(world, "spec", "1.0", "2.0", properties={"description": "d", "displayName": "n", "metadata": {"a": 1}})
    plain = world.call("GET", f"{SPECS}/spec").body["properties"]
    assert plain == {"description": "d", "displayName": "n", "metadata": {"a": 1}}
    for path in (SPECS, f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Resources/templateSpecs"):
        (spec,) = world.call("GET", path, **{"$expand": "versions"}).body["value"]
        assert spec["properties"]["versions"]["2.0"] == {
            "description": "the 2.0",
            "timeCreated": "2026-01-01T00:00:01.0000000Z",
            "timeModified": "2026-01-01T00:00:01.0000000Z",
        }
        assert "versions" not in world.call("GET", path).body["value"][0]["properties"]
    assert [one["name"] for one in world.call("GET", f"{SPECS}/spec/versions").body["value"]] == ["1.0", "2.0"]


def test_a_list_is_of_one_resource_group_or_of_the_subscription() -> None:
    world = make_world()
    other = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other"
    world.call("PUT", other, BODY)
    published(world, "a")
    world.call("PUT", SPECS.replace("/rg/", "/other/") + "/b", BODY)
    assert [one["name"] for one in world.call("GET", SPECS).body["value"]] == ["a"]
    everywhere = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Resources/templateSpecs"
    assert [one["name"] for one in world.call("GET", everywhere).body["value"]] == ["a", "b"]


def test_a_patch_changes_tags_alone() -> None:
    world = make_world()
    published(world, "spec", "1.0", tags={"a": "b"})
    for path in (f"{SPECS}/spec", f"{SPECS}/spec/versions/1.0"):
        before = world.call("GET", path).body
        reply = world.call("PATCH", path, {"tags": {"c": "d"}})
        assert (reply.status, reply.body["tags"], reply.body["properties"]) == (200, {"c": "d"}, before["properties"])
        assert reply.body["systemData"]["createdAt"] < reply.body["systemData"]["lastModifiedAt"]
    assert world.call("PATCH", f"{SPECS}/spec", {"properties": {}}).status == 400
    assert world.call("PATCH", f"{SPECS}/absent", {"tags": {}}).body["error"]["code"] == "ResourceNotFound"


def test_a_spec_goes_with_its_versions() -> None:
    world = make_world()
    published(world, "spec", "1.0")
    assert [world.call("DELETE", f"{SPECS}/spec").status, world.call("DELETE", f"{SPECS}/spec").status] == [200, 204]
    assert world.call("GET", f"{SPECS}/spec/versions/1.0").status == 404
    published(world, "spec", "1.0")
    assert [world.call("DELETE", f"{SPECS}/spec/versions/1.0").status for _ in range(2)] == [200, 204]


def test_a_version_is_replaced_and_its_creation_remembered() -> None:
    world = make_world()
    published(world, "spec", "1.0")
    reply = world.call("PUT", f"{SPECS}/spec/versions/1.0", version_body(description="new"))
    assert (reply.status, reply.body["properties"]["description"]) == (200, "new")
    assert reply.body["systemData"]["createdAt"] == "2026-01-01T00:00:00.0000000Z"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("spec/versions/1.0", {"location": "westeurope", "properties": {}}, 400, "InvalidRequestContent"),
        ("spec/versions/1.0", version_body(colour="red"), 400, "InvalidRequestContent"),
        ("spec/versions/1.0", version_body(linkedTemplates=[{"path": "a"}]), 400, "InvalidRequestContent"),
        ("spec/versions/1.0", version_body(linkedTemplates=[{"path": "../a", "template": {}}]), 400, "InvalidTemplateSpec"),
        ("spec/versions/1.0", version_body(linkedTemplates=[{"path": "a", "template": {}}] * 2), 400, "InvalidTemplateSpec"),
        ("spec/versions/1.0", version_body(mainTemplate={"x": "y" * 2_100_000}), 400, "TemplateSpecTooLarge"),
        ("spec/versions/1.0", {**version_body(), "location": "westus"}, 400, "InvalidTemplateSpecVersionLocation"),
        ("spec/versions/" + "v" * 91, version_body(), 400, "InvalidResourceName"),
        ("absent/versions/1.0", version_body(), 404, "ResourceNotFound"),
        ("spec", {"location": "westus"}, 409, "InvalidResourceLocation"),
        ("new", {"location": "atlantis"}, 400, "LocationNotAvailableForResourceType"),
        ("new", {}, 400, "LocationRequired"),
        ("new", {**BODY, "properties": {"displayName": "n" * 65}}, 400, "InvalidTemplateSpec"),
    ],
)
def test_what_is_wrong_is_refused(path: str, body: dict[str, Any], status: int, code: str) -> None:
    world = make_world()
    published(world, "spec")
    reply = world.call("PUT", f"{SPECS}/{path}", body)
    assert (reply.status, reply.body["error"]["code"]) == (status, code)
