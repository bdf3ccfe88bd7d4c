"""What can be done with deployments besides making them: validate, cancel, export, list, clean up; the mode Complete; rights."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.arm import Limits
from localcloud.arm.calls import Call
from tests.unit.localcloud.deploying import IDENTITY, RG, deploy, identity, inner, nested, put, puts, registry, shown, waited
from tests.unit.localcloud.worlds import DEPLOYMENTS, GROUPS, World, deployment, group_resource, make_world, template

SPECS = f"{RG}/providers/Microsoft.Resources/templateSpecs"


def validate(world: World, source: dict[str, Any], **parameters: Any) -> Any:
    return world.call("POST", f"{DEPLOYMENTS}/v/validate", deployment(source, **parameters))


def test_validation_shows_what_would_be_done_and_keeps_nothing() -> None:
    world = make_world()
    source = template(
        [identity("[parameters('name')]", dependsOn=["n"]), nested("n", inner(template([identity("deep")])))],
        parameters={"name": {"type": "string"}, "secret": {"type": "secureString"}},
        outputs={"o": {"type": "string", "value": "[reference('n').x]"}},
    )
    reply = validate(world, source, name="a", secret="s3cret")
    properties = reply.body["properties"]
    assert (reply.status, reply.body["id"]) == (200, f"{DEPLOYMENTS}/v")
    assert [properties[key] for key in ("provisioningState", "timestamp", "duration")] == ["Succeeded", "0001-01-01T00:00:00Z", "PT0S"]
    assert properties["parameters"] == {"name": {"type": "String", "value": "a"}, "secret": {"type": "SecureString"}}
    assert [one["id"].rpartition("/")[2] for one in properties["validatedResources"]] == ["a", "deep"]
    assert "outputs" not in properties
    assert (world.call("GET", DEPLOYMENTS).body["value"], puts(world)) == ([], [])


def test_validation_says_what_is_wrong() -> None:
    world = make_world()
    missing = validate(world, template(parameters={"p": {"type": "string"}}))
    assert (missing.status, missing.body["error"]["code"]) == (400, "InvalidTemplate")
    assert missing.body["error"]["additionalInfo"][0]["info"]["path"] == "properties.template.parameters.p"


def test_a_deployment_that_runs_can_be_cancelled_once() -> None:
    world = make_world()
    deep = nested("n", inner(template([group_resource("b"), group_resource("c", dependsOn=["b"])])))
    put(world, template([group_resource("a"), identity("after", dependsOn=["a"]), deep]))
    world.clock.advance(5)
    assert world.call("POST", f"{DEPLOYMENTS}/d/cancel").status == 204
    assert [shown(world, name)["provisioningState"] for name in ("d", "n")] == ["Canceled", "Canceled"]
    states = [one["properties"]["provisioningState"] for one in world.call("GET", f"{DEPLOYMENTS}/d/operations").body["value"]]
    assert states == ["Canceled", "Canceled"]
    world.clock.advance(60)
    assert puts(world) == ["a", "n", "b"]
    assert shown(world)["provisioningState"] == "Canceled"
    assert world.call("GET", f"{GROUPS}/a").status == 200
    again = world.call("POST", f"{DEPLOYMENTS}/d/cancel")
    assert (again.status, again.body["error"]["code"]) == (409, "DeploymentCannotBeCancelled")
    assert put(world, template()).status == 200
    assert world.call("POST", f"{DEPLOYMENTS}/absent/cancel").body["error"]["code"] == "DeploymentNotFound"


def test_the_status_of_a_cancelled_deployment_says_so() -> None:
    world = make_world()
    url = put(world, template([group_resource()])).headers["Azure-AsyncOperation"]
    world.call("POST", f"{DEPLOYMENTS}/d/cancel")
    assert world.call("GET", url.removeprefix("https://management.azure.com").partition("?")[0]).body == {"status": "Canceled"}


def test_a_template_is_exported_in_arm_s_own_form_without_values() -> None:
    world = make_world()
    source = template([identity("a")], parameters={"secret": {"type": "securestring", "metadata": {"a": 1}}})
    deploy(world, source, secret="s3cret")
    exported = world.call("POST", f"{DEPLOYMENTS}/d/exportTemplate").body
    assert list(exported) == ["template"]
    assert list(exported["template"]) == ["$schema", "contentVersion", "parameters", "variables", "resources"]
    assert exported["template"]["parameters"] == {"secret": {"type": "SecureString", "metadata": {"a": 1}}}
    assert list(exported["template"]["resources"][0]) == ["type", "apiVersion", "name", "location"]
    assert "s3cret" not in json.dumps(exported)


def test_operations_are_shown_one_by_one_and_page_by_page() -> None:
    world = make_world()
    deploy(world, template([identity("a"), identity("b")], outputs={"o": {"type": "int", "value": 1}}))
    listed = world.call("GET", f"{DEPLOYMENTS}/d/operations").body["value"]
    assert [one["properties"]["provisioningOperation"] for one in listed] == ["Create", "Create", "EvaluateDeploymentOutput"]
    for path in (DEPLOYMENTS, DEPLOYMENTS.replace("/providers/Microsoft.Resources", "")):
        assert [world.call("GET", f"{path}/d/operations/{one['operationId']}").body for one in listed] == listed
    assert world.call("GET", f"{DEPLOYMENTS}/d/operations/0").status == 404
    page = world.call("GET", f"{DEPLOYMENTS}/d/operations", **{"$top": "2"}).body
    token = page["nextLink"].partition("skiptoken=")[2].partition("&")[0]
    rest = world.call("GET", f"{DEPLOYMENTS}/d/operations", **{"$skiptoken": token}).body
    assert [*page["value"], *rest["value"]] == listed
    assert world.call("GET", f"{DEPLOYMENTS}/d/operations", **{"$top": "none"}).status == 400


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"mode": "Sideways"}, "InvalidRequestContent"),
        ({"mode": "Incremental", "colour": "red"}, "InvalidRequestContent"),
        ({"mode": "Incremental", "template": []}, "InvalidRequestContent"),
        ({"mode": "Incremental", "template": None}, "InvalidRequestContent"),
        ({"mode": "Incremental", "template": template(), "templateLink": {"id": "/x"}}, "InvalidTemplate"),
        ({"mode": "Incremental", "templateLink": {"uri": "https://example.org/a.json"}}, "LocalCloudNotSupported"),
        ({"mode": "Incremental", "template": template(), "debugSetting": {"detailLevel": "requestContent"}}, "LocalCloudNotSupported"),
        ({"mode": "Incremental", "template": template(), "onErrorDeployment": {"type": "LastSuccessful"}}, "LocalCloudNotSupported"),
        ({"mode": "Incremental", "template": template(), "parameters": []}, "InvalidRequestContent"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(properties: dict[str, Any], code: str) -> None:
    if code == "InvalidRequestContent" and properties.get("parameters") == []:
        properties = {**properties, "parameters": ["a"]}
    reply = make_world().call("PUT", f"{DEPLOYMENTS}/d", {"properties": properties})
    assert (reply.status, reply.body["error"]["code"]) == (400, code)


def test_the_mode_complete_deletes_what_the_template_does_not_have() -> None:
    world = make_world()
    deploy(world, template([identity("kept"), group_resource("group"), registry()]), "before")
    world.call("PUT", f"{SPECS}/spec", {"location": "westeurope"})
    body = deployment(template([identity("kept"), identity("new"), registry(condition=True), group_resource("group", condition=False)]))
    body["properties"]["mode"] = "Complete"
    world.call("PUT", f"{DEPLOYMENTS}/d", body)
    world.clock.advance(60)
    assert (shown(world)["mode"], shown(world)["provisioningState"]) == ("Complete", "Succeeded"), shown(world)
    deletes = [one for one in world.state.journal.listing() if one["method"] == "DELETE"]
    assert sorted(one["path"].rpartition("/")[2] for one in deletes) == ["group", "spec"]
    assert [world.call("GET", path).status for path in (f"{GROUPS}/group", f"{SPECS}/spec")] == [404, 404]
    operations = world.call("GET", f"{DEPLOYMENTS}/d/operations").body["value"]
    kinds = [one["properties"]["provisioningOperation"] for one in operations]
    assert (kinds.count("Create"), kinds.count("Delete")) == (3, 2)
    assert world.call("GET", f"{DEPLOYMENTS}/before").status == 200


def test_the_mode_complete_deletes_nothing_when_the_template_fails() -> None:
    world = make_world()
    deploy(world, template([identity("kept")]), "before")
    body = deployment(template([group_resource("g", location="westeurope")]))
    body["properties"]["template"]["resources"][0]["properties"]["containers"][0]["properties"]["image"] = "absent"
    body["properties"]["mode"] = "Complete"
    world.call("PUT", f"{DEPLOYMENTS}/d", body)
    world.clock.advance(60)
    assert shown(world)["provisioningState"] == "Failed"
    assert world.call("GET", f"{RG}/providers/{IDENTITY}/kept").status == 200


def test_the_oldest_give_way_before_the_history_is_full() -> None:
    world = make_world(limits=Limits(deployment_history=12, deployment_clean_up=(8, 5), writes=(1000, 100.0)))
    for number in range(9):
        put(world, template(), f"d-{number}")
        world.clock.advance(1)
    assert len(world.call("GET", DEPLOYMENTS).body["value"]) == 9
    world.clock.advance(60)
    assert [one["name"] for one in world.call("GET", DEPLOYMENTS).body["value"]] == ["d-8", "d-7", "d-6", "d-5", "d-4"]


def test_a_burst_is_faster_than_the_clean_up_and_what_runs_stays() -> None:
    world = make_world(limits=Limits(deployment_history=10, deployment_clean_up=(8, 5), writes=(1000, 100.0)))
    put(world, template([group_resource()]), "runs")
    for number in range(9):
        assert put(world, template(), f"d-{number}").status == 201
    full = put(world, template(), "more")
    assert (full.status, full.body["error"]["code"]) == (409, "DeploymentQuotaExceeded")
    world.clock.advance(60)
    assert put(world, template(), "more").status == 201


ACTOR = "99999999-9999-4999-8999-999999999999"


def as_actor(world: World, method: str, path: str, body: Any = None) -> Any:
    query = {"api-version": "2022-09-01"}
    return world.state.answer(Call(method=method, path=path, body=body, query=query, actor=ACTOR))[0]


def allow(world: World, *actions: str) -> None:
    scope = RG.partition("/resourceGroups")[0]
    role = f"{scope}/providers/Microsoft.Authorization/roleDefinitions/aaaaaaaa-0000-4000-8000-000000000000"
    permissions = [{"actions": list(actions), "notActions": []}]
    body = {"properties": {"roleName": "r", "permissions": permissions, "assignableScopes": [scope]}}
    assert world.call("PUT", role, body).status in (200, 201)
    name = f"{scope}/providers/Microsoft.Authorization/roleAssignments/bbbbbbbb-0000-4000-8000-000000000000"
    assigned = {"properties": {"roleDefinitionId": role, "principalId": ACTOR, "principalType": "ServicePrincipal"}}
    assert world.call("PUT", name, assigned).status in (200, 201)


def test_a_deployment_needs_the_right_to_write_each_of_its_resources() -> None:
    world = make_world()
    allow(world, "Microsoft.Resources/deployments/*", f"{IDENTITY}/*")
    source = template([identity("a"), registry(), nested("n", inner(template([registry("registry2")])))])
    reply = as_actor(world, "PUT", f"{DEPLOYMENTS}/d", deployment(source))
    assert (reply.status, reply.body["error"]["code"]) == (403, "InvalidTemplateDeployment")
    assert "'registry1'" in reply.body["error"]["message"]
    deep = as_actor(world, "PUT", f"{DEPLOYMENTS}/d", deployment(template([nested("n", inner(template([registry()])))])))
    assert deep.status == 403
    assert as_actor(world, "PUT", f"{DEPLOYMENTS}/d", deployment(template([identity("a")]))).status == 201
    world.clock.advance(30)
    assert shown(world)["provisioningState"] == "Succeeded"


def test_less_can_be_validated() -> None:
    world = make_world()
    allow(world, "Microsoft.Resources/deployments/*")

    def status(level: str, resource: dict[str, Any]) -> int:
        body = deployment(template([resource]))
        body["properties"]["validationLevel"] = level
        return int(as_actor(world, "POST", f"{DEPLOYMENTS}/v/validate", body).status)

    odd = {**identity("a"), "apiVersion": "1999-01-01"}
    assert [status(level, identity("a")) for level in ("Provider", "ProviderNoRbac", "Template", "Nothing")] == [403, 200, 200, 400]
    assert [status(level, odd) for level in ("ProviderNoRbac", "Template")] == [400, 200]


def test_a_deployment_acts_with_its_caller_s_rights() -> None:
    world = make_world()
    deploy(world, template([registry()]), "before")
    allow(world, "Microsoft.Resources/deployments/*", f"{IDENTITY}/write")
    key = "resourceId('Microsoft.ContainerRegistry/registries', 'registry1')"
    source = template([identity("a", tags={"user": f"[listCredentials({key}, '2023-07-01').username]"})])
    assert as_actor(world, "PUT", f"{DEPLOYMENTS}/d", deployment(source)).status == 201
    world.clock.advance(30)
    (detail,) = shown(world)["error"]["details"]
    assert (detail["code"], "listCredentials/action" in detail["message"]) == ("AuthorizationFailed", True)


def test_a_template_spec_must_be_readable_to_its_deployer() -> None:
    world = make_world()
    world.call("PUT", f"{SPECS}/spec", {"location": "westeurope"})
    version = {"location": "westeurope", "properties": {"mainTemplate": template()}}
    world.call("PUT", f"{SPECS}/spec/versions/1.0", version)
    body = {"properties": {"mode": "Incremental", "templateLink": {"id": f"{SPECS}/spec/versions/1.0"}}}
    allow(world, "Microsoft.Resources/deployments/*")
    refused = as_actor(world, "PUT", f"{DEPLOYMENTS}/d", body)
    assert (refused.status, refused.body["error"]["code"]) == (403, "LinkedAuthorizationFailed")
    allow(world, "Microsoft.Resources/deployments/*", "Microsoft.Resources/templateSpecs/versions/read")
    assert as_actor(world, "PUT", f"{DEPLOYMENTS}/d", body).status == 201


def test_the_clean_up_needs_the_deployer_s_right_to_delete() -> None:
    world = make_world(limits=Limits(deployment_clean_up=(2, 1)))
    allow(world, "Microsoft.Resources/deployments/read", "Microsoft.Resources/deployments/write")
    for number in range(4):
        assert as_actor(world, "PUT", f"{DEPLOYMENTS}/d-{number}", deployment(template())).status == 201
    world.clock.advance(90)
    assert len(world.call("GET", DEPLOYMENTS).body["value"]) == 4


def test_a_deployment_s_record_is_deleted_and_its_resources_stay() -> None:
    world = make_world()
    deploy(world, template([identity("a")]))
    assert waited(world, world.call("DELETE", f"{DEPLOYMENTS}/d")).status == 204
    assert world.call("GET", f"{RG}/providers/{IDENTITY}/a").status == 200


def test_the_hash_of_a_template_is_calculated_as_that_of_a_deployment() -> None:
    world = make_world()
    source = template([identity("ä")])
    reply = world.call("POST", "/providers/Microsoft.Resources/calculateTemplateHash", source)
    assert reply.body["templateHash"] == deploy(world, source)["templateHash"]
    assert json.loads(reply.body["minifiedTemplate"]) == source


def test_a_deployment_does_not_tell_its_secrets_by_itself() -> None:
    world = make_world()
    outputs = {"me": {"type": "object", "value": "[deployment()]"}}
    parameters = {"secret": {"type": "secureString"}, "plain": {"type": "string"}}
    me = deploy(world, template(parameters=parameters, outputs=outputs), secret="s3cret", plain="p")["outputs"]["me"]["value"]
    assert me["properties"]["parameters"] == {"secret": {}, "plain": {"value": "p"}}


def test_a_bug_ends_a_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    put(world, template([identity()]))
    monkeypatch.setattr(world.state, "answer", None)
    world.clock.advance(10)
    monkeypatch.undo()
    assert (shown(world)["provisioningState"], shown(world)["error"]["code"]) == ("Failed", "InternalServerError")


def test_a_reset_ends_what_runs() -> None:
    world = make_world()
    put(world, template([identity("a"), group_resource("g")]))
    world.state.forget()
    world.clock.advance(30)
    assert puts(world) == []
