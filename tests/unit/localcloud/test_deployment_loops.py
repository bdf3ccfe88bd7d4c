"""Copy loops, conditions and what waits for what."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.localcloud.deploying import IDENTITY, RG, deploy, deployed, identity, put, puts, refused, shown
from tests.unit.localcloud.worlds import DEPLOYMENTS, GROUPS, group_resource, make_world, template


def loop(count: Any, name: str = "loop", **more: Any) -> dict[str, Any]:
    return {"name": name, "count": count, **more}


def test_a_resource_is_copied_with_its_index_and_an_offset() -> None:
    world = make_world()
    source = identity("[concat('i', copyIndex(), copyIndex('loop'), copyIndex(10))]", copy=loop("[length(parameters('of'))]"))
    source["tags"] = {"of": "[parameters('of')[copyIndex()]]"}
    deploy(world, template([source], parameters={"of": {"type": "array"}}), of=["a", "b", "c"])
    assert puts(world) == ["i0010", "i1111", "i2212"]
    assert world.call("GET", f"{GROUPS.rsplit('/', 2)[0]}/{IDENTITY}/i1111").body["tags"] == {"of": "b"}


def test_a_loop_of_nothing_makes_nothing_and_can_be_waited_for() -> None:
    world = make_world()
    deploy(world, template([identity("[concat('i', copyIndex())]", copy=loop(0)), identity("after", dependsOn=["loop"])]))
    assert puts(world) == ["after"]


@pytest.mark.parametrize("count", [-1, 801, "three", True])
def test_a_loop_has_0_to_800_rounds(count: Any) -> None:
    assert "copy count" in refused(make_world(), template([identity("[concat('i', copyIndex())]", copy=loop(count))]))


def test_a_parallel_loop_begins_at_once_and_a_serial_one_by_batches() -> None:
    world = make_world()
    groups = group_resource("[concat('g', copyIndex())]", copy=loop(5, mode="Serial", batchSize=2))
    parallel = group_resource("[concat('p', copyIndex())]", copy=loop(3, "all"))
    put(world, template([groups, parallel]))
    world.clock.advance(5)
    assert puts(world) == ["g0", "g1", "p0", "p1", "p2"]
    world.clock.advance(17)
    assert puts(world)[5:] == ["g2", "g3"]
    world.clock.advance(17)
    assert puts(world)[7:] == ["g4"]
    assert [one["resourceName"] for one in shown(world)["dependencies"]] == ["g2", "g3", "g4"]
    assert [one["resourceName"] for one in shown(world)["dependencies"][-1]["dependsOn"]] == ["g2", "g3"]


def test_who_depends_on_a_loop_waits_for_all_of_its_rounds() -> None:
    world = make_world()
    source = template([identity("after", dependsOn=["LOOP"]), group_resource("[concat('g', copyIndex())]", copy=loop(2))])
    deploy(world, source)
    assert puts(world) == ["g0", "g1", "after"]
    assert len(shown(world)["dependencies"][0]["dependsOn"]) == 2


def test_a_copy_index_outside_of_a_loop_and_a_copied_child_are_refused() -> None:
    assert "copyIndex" in refused(make_world(), template([identity("[concat('i', copyIndex())]")]))
    child = {"type": "children", "apiVersion": "2023-01-31", "name": "c", "copy": loop(2)}
    assert "Copying nested resources is not supported" in refused(make_world(), template([identity(resources=[child])]))


def test_properties_variables_and_outputs_are_copied() -> None:
    world = make_world()
    group = group_resource("g")
    container = group["properties"].pop("containers")[0]
    inner = {**container, "name": "[concat('c', copyIndex('containers'))]"}
    group["properties"]["copy"] = [{"name": "containers", "count": "[variables('count')]", "input": inner}]
    source = template(
        [group],
        variables={
            "count": 2,
            "copy": [{"name": "names", "count": 3, "input": "[concat('n', copyIndex('names', 1))]"}],
            "object": {"copy": [{"name": "squares", "count": 3, "input": "[mul(copyIndex('squares'), copyIndex('squares'))]"}]},
        },
        outputs={
            "Names": {"type": "array", "value": "[variables('names')]"},
            "squares": {"type": "array", "value": "[variables('object').squares]"},
            "loop": {"type": "array", "copy": {"count": 2, "input": "[concat('o', copyIndex())]"}},
            "left": {"type": "string", "condition": "[equals(1, 2)]", "value": "[json('broken')]"},
        },
    )
    assert deployed(world, source) == {"names": ["n1", "n2", "n3"], "squares": [0, 1, 4], "loop": ["o0", "o1"]}
    assert [one["name"] for one in world.view()["containers"]] == ["c0", "c1"]


def test_dependencies_are_ids_names_types_with_names_and_paths() -> None:
    world = make_world()
    words = ["a", f"{IDENTITY}/b", f"[resourceId('{IDENTITY}', 'c')]", f"[concat('{IDENTITY.upper()}/', 'D')]"]
    source = template([identity("last", dependsOn=words), *(group_resource(name) for name in "z"), *map(identity, "abcd")])
    deploy(world, source)
    assert [one["resourceName"] for one in shown(world)["dependencies"][0]["dependsOn"]] == ["a", "b", "c", "d"]
    assert puts(world)[-1] == "last"


def test_what_depends_on_itself_through_others_is_refused() -> None:
    source = template([identity("a", dependsOn=["b"]), identity("b", dependsOn=["c"]), identity("c", dependsOn=["a"]), identity("d")])
    assert "Circular dependency detected on resource: 'a, b, c'" in refused(make_world(), source)


def test_a_resource_that_is_defined_twice_is_refused_unless_one_s_condition_is_false() -> None:
    assert "is defined multiple times in a template" in refused(make_world(), template([identity("a"), identity("A")]))
    assert deploy(make_world(), template([identity("a"), identity("A", condition=False)]))["provisioningState"] == "Succeeded"


def test_type_and_name_must_have_the_same_number_of_segments() -> None:
    assert "has incorrect segment lengths" in refused(make_world(), template([identity("a/b")]))


def test_a_condition_must_be_a_boolean() -> None:
    assert "the condition must be a boolean" in refused(make_world(), template([identity("a", condition="[createArray()]")]))


SYMBOLIC = {"languageVersion": "2.0"}


def test_symbolic_names_are_waited_for_and_loops_by_theirs() -> None:
    world = make_world()
    resources = {
        "last": identity("z", dependsOn=["first", "many"]),
        "some": identity("y", dependsOn=["many[0]"]),
        "first": identity("a"),
        "many": identity("[concat('m', copyIndex())]", copy=loop(2, "many")),
    }
    deploy(world, {**template(), **SYMBOLIC, "resources": resources})
    by_name = {one["resourceName"]: [need["resourceName"] for need in one["dependsOn"]] for one in shown(world)["dependencies"]}
    assert by_name == {"z": ["a", "m0", "m1"], "y": ["m0"]}


def test_existing_resources_are_read_and_never_written() -> None:
    world = make_world()
    deploy(world, template([identity("there", tags={"a": "b"})]), "before")
    resources = {"known": {**identity("there"), "existing": True, "dependsOn": ["new"]}, "new": identity("new")}
    resources["after"] = identity("after", dependsOn=["known"])
    outputs = {"tags": {"type": "object", "value": "[reference('known', '2023-01-31', 'Full').tags]"}}
    assert deployed(world, {**template(outputs=outputs), **SYMBOLIC, "resources": resources}) == {"tags": {"a": "b"}}
    assert puts(world) == ["there", "new", "after"]


def test_existing_resources_need_the_newer_language() -> None:
    assert "languageVersion '2.0'" in refused(make_world(), template([identity("a", existing=True)]))


def test_an_existing_resource_may_be_in_another_resource_group() -> None:
    world = make_world()
    other = RG.replace("/rg", "/other")
    world.call("PUT", other, {"location": "westeurope"})
    world.call("PUT", f"{other}/providers/{IDENTITY}/there", {"location": "westeurope", "tags": {"a": "b"}})
    known = {**identity("there"), "existing": True, "resourceGroup": "other"}
    group = {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2022-09-01", "name": "other", "existing": True}
    outputs = {
        "tags": {"type": "object", "value": "[reference('known', 'Full').tags]"},
        "where": {"type": "string", "value": "[reference('group', 'Full').location]"},
    }
    source = {**template(outputs=outputs), **SYMBOLIC, "resources": {"known": known, "group": group}}
    assert deployed(world, source) == {"tags": {"a": "b"}, "where": "westeurope"}


def test_only_deployments_and_existing_resources_may_be_elsewhere() -> None:
    assert "cannot have a resource group" in refused(make_world(), template([identity("a", resourceGroup="other")]))


def test_a_template_with_symbolic_names_can_be_stored_and_exported() -> None:
    world = make_world()
    children = {"child": {"type": "versions", "apiVersion": "2022-02-01", "name": "1", "properties": {"mainTemplate": {}}}}
    spec = {"type": "Microsoft.Resources/templateSpecs", "apiVersion": "2022-02-01", "name": "s", "location": "westeurope"}
    resources = {"one": {**spec, "resources": {"child": {**children["child"], "location": "westeurope", "dependsOn": ["one"]}}}}
    main = {**template(), **SYMBOLIC, "resources": resources}
    link = f"{RG}/providers/Microsoft.Resources/templateSpecs/stored"
    world.call("PUT", link, {"location": "westeurope"})
    world.call("PUT", f"{link}/versions/1", {"location": "westeurope", "properties": {"mainTemplate": main}})
    body = {"properties": {"mode": "Incremental", "templateLink": {"id": f"{link}/versions/1"}}}
    assert world.call("PUT", f"{DEPLOYMENTS}/d", body).status == 201
    world.clock.advance(30)
    assert shown(world)["provisioningState"] == "Succeeded", shown(world)
    assert puts(world) == ["s", "1"]
    assert world.call("POST", f"{DEPLOYMENTS}/d/exportTemplate").body["template"]["resources"] == resources


def test_eight_hundred_resources_that_refer_to_one_another_are_deployed() -> None:
    world = make_world()
    many = identity("[concat('i', copyIndex())]", copy=loop(799), tags={"id": "[reference('first').clientId]"})
    assert deploy(world, template([many, identity("first")]))["provisioningState"] == "Succeeded"
    assert len(puts(world)) == 800
    assert "The number of template resources limit exceeded" in refused(make_world(), template([identity("x"), identity("y"), many]))


def test_what_is_not_deployed_needs_no_name() -> None:
    world = make_world()
    unknown = "[last(split(tryGet(parameters('given'), 'id'), '/'))]"
    resources = {
        "known": {**identity(unknown), "condition": "[not(empty(parameters('given')))]", "existing": True},
        "made": identity(unknown, condition="[not(empty(parameters('given')))]", dependsOn=["known"]),
        "after": identity("after", dependsOn=["known", "made"]),
    }
    source = {**template(parameters={"given": {"type": "object", "defaultValue": {}}}), **SYMBOLIC, "resources": resources}
    deploy(world, source)
    assert puts(world) == ["after"]
    assert "expects its parameters to be of type string" in refused(make_world(), source, given={"other": 1})
