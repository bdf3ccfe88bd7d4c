"""What-if: what a deployment would change, without changing it, and without showing a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.localcloud.deploying import IDENTITY, RG, deploy, identity, inner, nested, puts, registry, waited
from tests.unit.localcloud.worlds import DEPLOYMENTS, GROUPS, World, deployment, group_body, group_resource, make_world, template


def what_if(world: World, source: dict[str, Any], mode: str = "Incremental", result: str = "", **parameters: Any) -> dict[str, Any]:
    body = deployment(source, **parameters)
    body["properties"]["mode"] = mode
    if result:
        body["properties"]["whatIfSettings"] = {"resultFormat": result}
    reply = waited(world, world.call("POST", f"{DEPLOYMENTS}/w/whatIf", body))
    assert reply.status == 200
    return dict(reply.body)


def changes(world: World, source: dict[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
    """By the last words of the resources' ids."""
    found = what_if(world, source, **more)
    assert found["status"] == "Succeeded", found
    return {one["resourceId"].rpartition("/")[2]: one for one in found["properties"]["changes"]}


def test_what_is_new_what_stays_what_changes_and_what_is_not_in_the_template() -> None:
    world = make_world()
    deploy(world, template([group_resource("same"), group_resource("other"), group_resource("left")]))
    before = puts(world)
    changed = group_resource("other", tags={"new": "tag"})
    changed["properties"]["containers"][0]["properties"]["image"] = "alpine"
    found = changes(world, template([group_resource("same"), changed, identity("fresh")]))
    assert {name: one["changeType"] for name, one in found.items()} == {
        "same": "NoChange",
        "other": "Modify",
        "fresh": "Create",
        "left": "Ignore",
    }
    assert found["fresh"]["after"] == {
        "apiVersion": "2023-01-31",
        "id": f"{RG}/providers/{IDENTITY}/fresh",
        "name": "fresh",
        "type": IDENTITY,
        "location": "westeurope",
    }
    assert "before" not in found["fresh"]
    assert found["left"]["before"]["location"] == "westeurope"
    assert "provisioningState" not in json.dumps(found["same"])
    image = {"path": "properties.image", "propertyChangeType": "Modify", "before": "busybox", "after": "alpine"}
    assert found["other"]["delta"] == [
        {
            "path": "properties.containers",
            "propertyChangeType": "Array",
            "children": [{"path": "0", "propertyChangeType": "Modify", "children": [image]}],
        },
        {"path": "tags", "propertyChangeType": "Create", "after": {"new": "tag"}},
    ]
    assert puts(world) == before


def test_a_property_that_the_template_leaves_out_is_deleted() -> None:
    world = make_world()
    deploy(world, template([identity("a", tags={"one": "1", "two": "2"})]))
    delta = changes(world, template([identity("a", tags={"one": "1"})]))["a"]["delta"]
    assert delta == [{"path": "tags.two", "propertyChangeType": "Delete", "before": "2"}]


def test_items_that_come_and_go_are_told_by_their_place() -> None:
    world = make_world()
    command = ["sh", "-c", "true"]
    world.put_group("g", variables=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    resource = group_resource("g", **group_body(variables=[{"name": "A", "value": "9"}]))
    resource["properties"]["containers"][0]["properties"]["command"] = command
    (array,) = changes(world, template([resource]))["g"]["delta"]
    (container,) = array["children"]
    assert container["children"] == [
        {"path": "properties.command", "propertyChangeType": "Create", "after": command},
        {
            "path": "properties.environmentVariables",
            "propertyChangeType": "Array",
            "children": [
                {
                    "path": "0",
                    "propertyChangeType": "Modify",
                    "children": [{"path": "value", "propertyChangeType": "Modify", "before": "1", "after": "9"}],
                },
                {"path": "1", "propertyChangeType": "Delete", "before": {"name": "B", "value": "2"}},
            ],
        },
    ]


def test_ids_alone_say_that_what_exists_is_deployed_again() -> None:
    world = make_world()
    deploy(world, template([group_resource("same"), group_resource("left")]))
    found = changes(world, template([group_resource("same"), identity("new")]), result="resourceidonly")
    assert {name: one["changeType"] for name, one in found.items()} == {"same": "Deploy", "new": "Create", "left": "Ignore"}
    assert all(one.keys() == {"resourceId", "changeType"} for one in found.values())


def test_the_mode_complete_deletes_what_is_left() -> None:
    world = make_world()
    deploy(world, template([group_resource("left")]))
    assert changes(world, template(), mode="Complete")["left"]["changeType"] == "Delete"
    assert world.call("GET", f"{GROUPS}/left").status == 200


def test_nested_deployments_are_looked_into_where_they_can_be() -> None:
    world = make_world()
    source = template([identity("[parameters('name')]")], parameters={"name": {"type": "string"}})
    late = nested("late", inner(source, name="[reference('first').clientId]"))
    found = changes(world, template([nested("n", inner(source, name="deep")), late, identity("first")]))
    assert {name: one["changeType"] for name, one in found.items()} == {"deep": "Create", "late": "Unsupported", "first": "Create"}
    assert "depend on resources that are not deployed yet" in found["late"]["unsupportedReason"]


def test_what_waits_for_other_resources_is_shown_as_it_stands() -> None:
    world = make_world()
    found = changes(world, template([identity("a", tags={"id": "[reference('b').clientId]"}), identity("b")]))
    assert found["a"]["after"]["tags"] == {"id": "[reference('b').clientId]"}


SECRETS = {"secret": {"type": "secureString"}, "more": {"type": "secureObject", "defaultValue": {"key": "d3fault"}}}


def test_secrets_and_what_is_made_of_them_are_masked() -> None:
    world = make_world()
    variables = [
        {"name": "PLAIN", "value": "[concat('a', 'b')]"},
        {"name": "SECURE", "secureValue": "[parameters('secret')]"},
        {"name": "DERIVED", "value": "[base64(parameters('secret'))]"},
        {"name": "PART", "value": "[concat('key=', parameters('more').key)]"},
        {"name": "LITERAL", "secureValue": "lit3ral"},
    ]
    source = template([group_resource("g", **group_body(variables=variables))], parameters=SECRETS)
    shown = changes(world, source, secret="s3cret")["g"]["after"]
    assert shown["properties"]["containers"][0]["properties"]["environmentVariables"] == [
        {"name": "PLAIN", "value": "ab"},
        {"name": "SECURE", "secureValue": "*******"},
        {"name": "DERIVED", "value": "*******"},
        {"name": "PART", "value": "*******"},
        {"name": "LITERAL", "secureValue": "*******"},
    ]
    for word in ("s3cret", "d3fault", "lit3ral", "czNjcmV0"):
        assert word not in json.dumps(shown)


def test_bounds_of_a_secret_parameter_do_not_show_it() -> None:
    world = make_world()
    parameters = {"secret": {"type": "secureString", "maxLength": 6, "allowedValues": ["s3cret"]}}
    source = template([identity("a", tags={"t": "[parameters('secret')]", "plain": "x"})], parameters=parameters)
    assert changes(world, source, secret="s3cret")["a"]["after"]["tags"] == {"t": "*******", "plain": "x"}


def test_nothing_is_shown_when_other_secrets_cannot_be_tried() -> None:
    world = make_world()
    source = template([identity("a", tags={"t": "[string(int(parameters('secret')))]"})], parameters={"secret": {"type": "secureString"}})
    assert changes(world, source, secret="42")["a"]["after"].keys() == {"apiVersion", "id", "name", "type"}


def test_a_secret_in_a_nested_deployment_is_masked_too() -> None:
    world = make_world()
    source = template([identity("a", tags={"t": "[parameters('secret')]"})], parameters={"secret": {"type": "secureString"}})
    outer = template([nested("n", inner(source, secret="[parameters('secret')]"))], parameters={"secret": {"type": "secureString"}})
    assert changes(world, outer, secret="s3cret")["a"]["after"]["tags"] == {"t": "*******"}


def test_a_new_guid_is_no_secret() -> None:
    parameters = {"id": {"type": "string", "defaultValue": "[newGuid()]"}}
    shown = changes(make_world(), template([identity("a", tags={"t": "[parameters('id')]"})], parameters=parameters))
    assert len(shown["a"]["after"]["tags"]["t"]) == 36


def test_an_existing_secret_is_not_said_to_change() -> None:
    world = make_world()
    variables = [{"name": "SECURE", "secureValue": "[parameters('secret')]"}]
    source = template([group_resource("g", **group_body(variables=variables))], parameters={"secret": {"type": "secureString"}})
    deploy(world, source, secret="one")
    assert changes(world, source, secret="two")["g"]["changeType"] == "NoChange"


def test_what_is_wrong_with_a_template_is_the_result_and_what_is_wrong_with_the_request_is_refused() -> None:
    world = make_world()
    found = what_if(world, template([identity("a", dependsOn=["nobody"])]))
    assert (found["status"], found["error"]["code"]) == ("Failed", "InvalidTemplate")
    refused = world.call("POST", f"{DEPLOYMENTS}/w/whatIf", {"properties": {"mode": "Sideways"}})
    assert (refused.status, refused.body["error"]["code"]) == (400, "InvalidRequestContent")
    result = deployment(template())
    result["properties"]["whatIfSettings"] = {"resultFormat": "Everything"}
    assert world.call("POST", f"{DEPLOYMENTS}/w/whatIf", result).status == 400


def test_a_registry_s_own_properties_are_no_changes() -> None:
    world = make_world()
    deploy(world, template([registry()]))
    assert changes(world, template([registry()]))["registry1"]["changeType"] == "NoChange"


def test_what_is_empty_or_the_service_s_own_is_no_change() -> None:
    world = make_world()
    rule = {"name": "r", "properties": {"protocol": "*", "access": "Allow", "direction": "Inbound", "priority": 100}}
    rule["properties"].update(sourceAddressPrefix="*", destinationAddressPrefix="*", sourcePortRange="*", destinationPortRange="22")
    security = {
        "type": "Microsoft.Network/networkSecurityGroups",
        "apiVersion": "2023-04-01",
        "name": "nsg",
        "location": "westeurope",
        "tags": "[parameters('nothing')]",
        "properties": {"securityRules": [rule], "flushConnection": False},
    }
    source = template([security], parameters={"nothing": {"type": "object", "defaultValue": {}}})
    deploy(world, source)
    assert changes(world, source)["nsg"]["changeType"] == "NoChange"
    security["properties"] = {"securityRules": [{**rule, "properties": {**rule["properties"], "priority": 200}}]}
    (array,) = changes(world, template([security], parameters=source["parameters"]))["nsg"]["delta"]
    assert array["children"][0]["children"] == [
        {"path": "properties.priority", "propertyChangeType": "Modify", "before": 100, "after": 200}
    ]


def test_what_is_left_alone_is_shown_without_its_secrets() -> None:
    world = make_world()
    component = {
        "type": "Microsoft.Insights/components",
        "apiVersion": "2020-02-02",
        "name": "telemetry",
        "location": "westeurope",
        "kind": "web",
        "properties": {"Application_Type": "web"},
    }
    deploy(world, template([component]))
    shown = changes(world, template())["telemetry"]
    assert shown["changeType"] == "Ignore"
    assert "InstrumentationKey=" not in json.dumps(shown)


_APART = {"_clock", "clock", "journal", "results", "ids", "lock", "_lock", "throttle", "_coincidences"}


def picture(value: Any, seen: set[int]) -> Any:
    """All that an object of the local cloud knows, but for the time and the calls that were made."""
    if isinstance(value, dict):
        return {str(key): picture(item, seen) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [picture(item, seen) for item in value]
    if not type(value).__module__.startswith("localcloud.") or not hasattr(value, "__dict__"):
        return repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    if id(value) in seen:
        return "seen"
    seen.add(id(value))
    return {key: picture(item, seen) for key, item in vars(value).items() if key not in _APART}


def test_nothing_is_changed() -> None:
    world = make_world()
    vault = {
        "type": "Microsoft.KeyVault/vaults",
        "apiVersion": "2023-07-01",
        "name": "contoso",
        "location": "westeurope",
        "properties": {"tenantId": "22222222-2222-4222-8222-222222222222", "sku": {"name": "standard"}, "accessPolicies": []},
    }
    config = {"appSettings": [{"name": "A", "value": "1"}], "connectionStrings": [{"name": "C", "connectionString": "x", "type": "Custom"}]}
    site = {"type": "Microsoft.Web/sites", "apiVersion": "2023-12-01", "name": "app", "location": "westeurope"}
    account = {
        "type": "Microsoft.Storage/storageAccounts",
        "apiVersion": "2023-01-01",
        "name": "contoso",
        "location": "westeurope",
        "sku": {"name": "Standard_LRS"},
    }
    others = [account, registry(), group_resource("g"), identity("i")]
    assert deploy(world, template([vault, {**site, "properties": {"siteConfig": config}}, *others]))["provisioningState"] == "Succeeded"
    world.clock.advance(60)
    before = picture(world.state, set())
    other = {"appSettings": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}], "connectionStrings": []}
    changed = {**vault, "properties": {**vault["properties"], "enablePurgeProtection": True}}
    found = changes(world, template([changed, {**site, "properties": {"siteConfig": other}}, identity("new"), *others]), mode="Complete")
    assert found["new"]["changeType"] == "Create"
    assert picture(world.state, set()) == before


TYPED = {
    "refers": {"languageVersion": "2.0", "definitions": {"t": {"type": "securestring"}}, "parameters": {"p": {"$ref": "#/definitions/t"}}},
    "inside": {
        "languageVersion": "2.0",
        "definitions": {"t": {"type": "object", "properties": {"pw": {"type": "securestring"}}}},
        "parameters": {"p": {"$ref": "#/definitions/t"}},
    },
    "in place": {
        "languageVersion": "2.0",
        "parameters": {"p": {"type": "object", "properties": {"pw": {"type": "securestring"}}}},
    },
    "other case": {"parameters": {"p": {"Type": "SECUREstring"}}},
}


@pytest.mark.parametrize("how", TYPED)
def test_a_secret_is_masked_however_its_type_is_declared(how: str) -> None:
    value: Any = {"pw": "s3cret"} if how.startswith("in") else "s3cret"
    shown = "[parameters('p').pw]" if how.startswith("in") else "[parameters('p')]"
    resource = identity("a", tags={"t": shown, "given": "[string(deployment().properties.parameters)]"})
    resources: Any = {"a": resource} if "languageVersion" in TYPED[how] else [resource]
    found = what_if(make_world(), {**template(), **TYPED[how], "resources": resources}, p=value)
    assert found["status"] == "Succeeded"
    assert found["properties"]["changes"][0]["after"]["tags"]["t"] == "*******"
    assert "s3cret" not in json.dumps(found)


def tags_of(value: str, given: Any, **declared: Any) -> Any:
    source = template([identity("a", tags=value)], parameters={"s": {"type": "secureString", **declared}})
    return changes(make_world(), source, **({} if given is None else {"s": given}))["a"]["after"].get("tags", "*******")


@pytest.mark.parametrize(
    "expression",
    [
        "take(parameters('s'), 3)",
        "skip(parameters('s'), 3)",
        "substring(parameters('s'), 2, 4)",
        "first(split(parameters('s'), '.'))",
        "last(split(parameters('s'), '.'))",
        "last(parameters('s'))",
        "string(length(parameters('s')))",
        "toUpper(take(parameters('s'), 1))",
    ],
)
@pytest.mark.parametrize("secret", ["secret.value", "qqqqqqq.MMMMMMM", "1234.5678q", "MqMqMq.M"])
def test_parts_of_a_secret_are_masked(expression: str, secret: str) -> None:
    assert tags_of(f"[createObject('t', {expression}, 'plain', 'x')]", secret) in ({"t": "*******", "plain": "x"}, "*******")


def test_parts_of_a_secret_are_masked_in_a_nested_deployment() -> None:
    source = template([identity("a", tags={"t": "[take(parameters('p'), 2)]"})], parameters={"p": {"type": "secureString"}})
    for secret in ("secret", "MMqq", "xyz"):
        outer = nested("n", inner(source, p="[parameters('s')]"))
        for _ in range(3):
            outer = nested("o", inner(template([outer], parameters={"s": {"type": "secureString"}}), s="[parameters('s')]"))
        found = changes(make_world(), template([outer], parameters={"s": {"type": "secureString"}}), s=secret)
        assert found["a"]["after"]["tags"] == {"t": "*******"}


@pytest.mark.parametrize("value", [{"n": 4711, "b": True, "f": False, "l": ["x"]}, {"n": 0, "b": False, "f": True, "l": ["q"]}])
def test_numbers_booleans_items_and_keys_of_a_secure_object_are_masked(value: dict[str, Any]) -> None:
    shown = {
        "n": "[parameters('s').n]",
        "b": "[parameters('s').b]",
        "f": "[parameters('s').f]",
        "l": "[parameters('s').l[0]]",
        "keys": "[join(objectKeys(parameters('s')), ',')]",
        "all": "[parameters('s')]",
    }
    source = template([identity("a", properties=shown)], parameters={"s": {"type": "secureObject"}})
    assert set(changes(make_world(), source, s=value)["a"]["after"]["properties"].values()) == {"*******"}


def test_keys_and_names_that_are_secrets_are_masked() -> None:
    assert tags_of("[createObject(parameters('s'), 'x')]", "s3cret") == "*******"
    source = template([identity("[concat('n-', parameters('s'))]"), identity("b")], parameters={"s": {"type": "secureString"}})
    found = what_if(make_world(), source, s="s3cret")
    assert "s3cret" not in json.dumps(found)
    assert [one["changeType"] for one in found["properties"]["changes"]] == ["Unsupported", "Create"]


@pytest.mark.parametrize("default", ["[newGuid()]", "[concat('s3c', 'ret')]", "[uniqueString(resourceGroup().id)]", "s3cret"])
def test_a_secure_default_is_masked_whatever_it_is(default: str) -> None:
    assert tags_of("[createObject('t', parameters('s'), 'u', take(parameters('s'), 4))]", None, defaultValue=default) == {
        "t": "*******",
        "u": "*******",
    }


def test_a_bug_is_a_failure_and_no_wait_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.arm.deployments.whatif.WhatIf._changes", lambda *_: 1 / 0)
    found = what_if(make_world(), template([identity("a")]))
    assert (found["status"], found["error"]["code"]) == ("Failed", "InternalServerError")
