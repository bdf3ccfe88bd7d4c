"""Deployments within deployments: inner and outer scope, other resource groups, templates of a template spec."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.localcloud.deploying import IDENTITY, RG, deploy, deployed, identity, inner, nested, puts, refused, shown
from tests.unit.localcloud.worlds import DEPLOYMENTS, SUBSCRIPTION, World, group_resource, make_world, template

NAME = {"name": {"type": "string"}}


def test_an_inner_template_has_parameters_of_its_own_and_its_outputs_are_referred_to() -> None:
    world = make_world()
    source = template(
        [identity("[parameters('name')]")],
        parameters=NAME,
        variables={"where": "[parameters('name')]"},
        outputs={"Id": {"type": "string", "value": "[concat(variables('where'), ':', reference(parameters('name')).clientId)]"}},
    )
    outer = template(
        [nested("n", inner(source, name="[variables('name')]"))],
        variables={"name": "deep"},
        outputs={"id": {"type": "string", "value": "[reference('n').outputs.id.value]"}},
    )
    found = deployed(world, outer)
    client = world.call("GET", f"{RG}/providers/{IDENTITY}/deep").body["properties"]["clientId"]
    assert found == {"id": f"deep:{client}"}
    assert shown(world, "n")["parameters"] == {"name": {"type": "String", "value": "deep"}}
    assert shown(world, "n")["correlationId"] == shown(world)["correlationId"]
    assert [one["id"] for one in shown(world)["outputResources"]] == [f"{RG}/providers/{IDENTITY}/deep"]
    assert shown(world)["providers"][0]["resourceTypes"] == [{"resourceType": "deployments", "locations": [None]}]


def test_an_outer_template_sees_the_parameters_and_loops_of_its_parent() -> None:
    world = make_world()
    source = template([identity("[concat(parameters('name'), copyIndex())]", tags={"literal": "[[concat('a')]"})])
    outer = template([nested("[concat('n', copyIndex())]", {"template": source}, copy={"name": "l", "count": 2})], parameters=NAME)
    deploy(world, outer, name="x")
    assert sorted(puts(world)) == ["n0", "n1", "x0", "x1"]
    assert world.call("GET", f"{RG}/providers/{IDENTITY}/x0").body["tags"] == {"literal": "[concat('a')]"}


def test_a_loop_within_an_outer_template_goes_round_there() -> None:
    world = make_world()
    source = template([identity("[concat('i', copyIndex())]", copy={"name": "l", "count": "[parameters('count')]"})])
    deploy(world, template([nested("n", {"template": source})], parameters={"count": {"type": "int"}}), count=2)
    assert puts(world) == ["n", "i0", "i1"]


def test_values_for_a_nested_deployment_are_data_even_if_they_look_like_expressions() -> None:
    world = make_world()
    source = template(parameters=NAME, outputs={"name": {"type": "string", "value": "[parameters('name')]"}})
    outer = template(
        [nested("n", inner(source, name="[parameters('name')]")), nested("m", {"template": template(outputs=_echo("name"))})],
        parameters=NAME,
        outputs={
            "n": {"type": "string", "value": "[reference('n').outputs.name.value]"},
            "m": {"type": "string", "value": "[reference('m').outputs.name.value]"},
        },
    )
    assert deployed(world, outer, name="[concat('no')]") == {"n": "[concat('no')]", "m": "[concat('no')]"}


def _echo(name: str) -> dict[str, Any]:
    return {name: {"type": "string", "value": f"[parameters('{name}')]"}}


def test_what_a_nested_deployment_is_given_may_wait_for_another_resource() -> None:
    world = make_world()
    source = template([identity("[parameters('name')]")], parameters=NAME)
    deploy(world, template([nested("n", inner(source, name="[concat('i', reference('first').clientId)]")), identity("first")]))
    client = world.call("GET", f"{RG}/providers/{IDENTITY}/first").body["properties"]["clientId"]
    assert puts(world) == ["first", "n", f"i{client}"]


def test_a_failure_deep_down_is_told_at_the_top() -> None:
    world = make_world()
    broken = group_resource("g")
    broken["properties"]["containers"][0]["properties"]["image"] = "absent"
    error = deploy(world, template([nested("n", inner(template([broken])))]))["error"]
    (detail,) = error["details"]
    assert (error["code"], detail["code"], detail["target"]) == ("DeploymentFailed", "DeploymentFailed", f"{DEPLOYMENTS}/n")
    assert detail["details"][0]["code"] == "InaccessibleImage"
    operation = world.call("GET", f"{DEPLOYMENTS}/d/operations").body["value"][0]["properties"]
    assert (operation["statusCode"], operation["statusMessage"]["error"]["code"]) == ("Conflict", "DeploymentFailed")


def test_what_is_wrong_deep_down_is_found_before_anything_is_done() -> None:
    source = template([identity("a", dependsOn=["nobody"])])
    assert "'nobody' is not defined" in refused(make_world(), template([nested("n", inner(source))]))
    missing = inner(template(parameters=NAME))
    assert "The value for the template parameter 'name'" in refused(make_world(), template([nested("n", missing)]))
    site = template([{"type": "Microsoft.Compute/disks", "apiVersion": "2022-01-01", "name": "x"}])
    assert "Microsoft.Compute/disks" in refused(make_world(), template([nested("n", inner(site))]))


def test_a_nested_deployment_goes_into_another_resource_group_which_must_be_there() -> None:
    world = make_world()
    resource = nested("n", inner(template([identity()])), resourceGroup="other")
    reply = world.call("PUT", f"{DEPLOYMENTS}/d", {"properties": {"mode": "Incremental", "template": template([resource])}})
    assert (reply.status, reply.body["error"]["message"]) == (404, "Resource group 'other' could not be found.")
    other = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other"
    world.call("PUT", other, {"location": "westeurope"})
    deploy(world, template([resource]))
    assert world.call("GET", f"{other}/providers/{IDENTITY}/one").status == 200
    assert shown(world, "n", DEPLOYMENTS.replace("/rg/", "/other/"))["provisioningState"] == "Succeeded"
    assert shown(world)["outputResources"] == [{"id": f"{other}/providers/{IDENTITY}/one"}]


SPEC = f"{RG}/providers/Microsoft.Resources/templateSpecs/spec"


def publish(world: World, main: dict[str, Any], **linked: dict[str, Any]) -> str:
    world.call("PUT", SPEC, {"location": "westeurope"})
    artifacts = [{"path": path.replace("__", "/") + ".json", "template": source} for path, source in linked.items()]
    properties = {"mainTemplate": main, "linkedTemplates": artifacts}
    assert world.call("PUT", f"{SPEC}/versions/1.0", {"location": "westeurope", "properties": properties}).status == 201
    return f"{SPEC}/versions/1.0"


def test_linked_templates_come_from_the_template_spec_of_the_parent_wherever_they_are_in_it() -> None:
    world = make_world()
    link = publish(
        world,
        template([nested("a", {"templateLink": {"relativePath": "parts/a.json"}})]),
        parts__a=template([nested("b", {"templateLink": {"relativePath": "b.json"}})]),
        parts__b=template([nested("c", {"templateLink": {"relativePath": "../c.json"}})]),
        c=template([identity("bottom")]),
    )
    world.call("PUT", f"{DEPLOYMENTS}/d", {"properties": {"mode": "Incremental", "templateLink": {"id": link}}})
    world.clock.advance(60)
    assert puts(world) == ["a", "b", "c", "bottom"]
    assert shown(world, "b")["templateLink"] == {"id": link, "relativePath": "parts/b.json", "contentVersion": "1.0.0.0"}


def test_a_nested_deployment_may_use_any_template_spec() -> None:
    world = make_world()
    link = publish(world, template([identity("[parameters('name')]")], parameters=NAME))
    properties = {"templateLink": {"id": link}, "parameters": {"name": {"value": "[toLower('ONE')]"}}}
    deploy(world, template([nested("n", properties)]))
    assert puts(world) == ["n", "one"]


def test_a_relative_path_needs_a_template_spec_that_has_it() -> None:
    world = make_world()
    resource = nested("n", {"templateLink": {"relativePath": "absent.json"}})
    assert "'absent.json'" in refused(world, template([resource]))
    link = publish(world, template([resource]))
    reply = world.call("PUT", f"{DEPLOYMENTS}/d", {"properties": {"mode": "Incremental", "templateLink": {"id": link}}})
    assert (reply.status, reply.body["error"]["code"]) == (404, "InvalidTemplateSpec")


def test_secure_parameters_of_an_inner_template_stay_secret() -> None:
    world = make_world()
    source = template(parameters={"secret": {"type": "secureString"}})
    outer = template([nested("n", inner(source, secret="[parameters('secret')]"))], parameters={"secret": {"type": "secureString"}})
    deploy(world, outer, secret="s3cret")
    for path in ("d", "n", "d/operations", "n/operations"):
        assert "s3cret" not in json.dumps(world.call("GET", f"{DEPLOYMENTS}/{path}").body)
    for name in "dn":
        assert "s3cret" not in json.dumps(world.call("POST", f"{DEPLOYMENTS}/{name}/exportTemplate").body)


def test_a_loop_within_an_outer_template_may_use_the_round_of_its_parent_s() -> None:
    world = make_world()
    own = {"name": "own", "count": 2}
    source = template([identity("[concat('i', copyIndex())]", tags={"outer": "[copyIndex('all')]"}, copy=own)])
    source["resources"][0]["tags"] = {"outer": "[string(copyIndex('all'))]"}
    deploy(world, template([nested("[concat('n', copyIndex())]", {"template": source}, copy={"name": "all", "count": 1})]))
    assert world.call("GET", f"{RG}/providers/{IDENTITY}/i1").body["tags"] == {"outer": "0"}


def test_a_cancelled_nested_deployment_fails_its_parent() -> None:
    world = make_world()
    world.call("PUT", f"{DEPLOYMENTS}/d", _of(template([nested("n", inner(template([group_resource("g")])))])))
    world.clock.advance(4)
    assert world.call("POST", f"{DEPLOYMENTS}/n/cancel").status == 204
    world.clock.advance(30)
    (detail,) = shown(world)["error"]["details"]
    assert detail["message"] == "The resource operation completed with terminal provisioning state 'Canceled'."


def _of(source: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"mode": "Incremental", "template": source}}


def test_nested_deployments_are_nested_only_so_deep() -> None:
    source = template([identity()])
    for number in range(12):
        source = template([nested(f"n{number}", inner(source))])
    assert "nested more than 10 deep" in refused(make_world(), source)


def test_a_secure_output_goes_from_a_nested_deployment_into_a_resource_and_is_not_shown() -> None:
    world = make_world()
    outputs = {"Secret": {"type": "secureString", "value": "[concat('s3', 'cret')]"}, "plain": {"type": "int", "value": 1}}
    group = group_resource("g")
    variable = {"name": "SECRET", "secureValue": "[listOutputsWithSecureValues('n', '2022-09-01').secret]"}
    group["properties"]["containers"][0]["properties"]["environmentVariables"] = [variable]
    deploy(world, template([group, nested("n", inner(template(outputs=outputs)))]))
    assert world.runtime.started[0].launch.environment == {"SECRET": "s3cret"}
    assert shown(world, "n")["outputs"] == {"secret": {"type": "SecureString"}, "plain": {"type": "Int", "value": 1}}
    assert world.call("POST", f"{DEPLOYMENTS}/n/listOutputsWithSecureValues").body == {"secret": "s3cret", "plain": 1}
    assert "s3cret" not in json.dumps([shown(world), shown(world, "n"), world.call("GET", f"{DEPLOYMENTS}/n/operations").body])


def test_brackets_of_data_come_through_a_nested_deployment_as_they_are() -> None:
    world = make_world()
    values = ["[x]", "[[x]", "[x", "[[x", "x]", "[", "[[[x]]"]
    source = template(outputs={"all": {"type": "array", "value": "[parameters('all')]"}}, parameters={"all": {"type": "array"}})
    outer = template(
        [nested("n", inner(source, all="[parameters('all')]")), nested("m", {"template": template(outputs=_echo_all())})],
        parameters={"all": {"type": "array"}},
        outputs={
            "n": {"type": "array", "value": "[reference('n').outputs.all.value]"},
            "m": {"type": "array", "value": "[reference('m').outputs.all.value]"},
        },
    )
    assert deployed(world, outer, all=values) == {"n": values, "m": values}


def _echo_all() -> dict[str, Any]:
    return {"all": {"type": "array", "value": "[parameters('all')]"}}
