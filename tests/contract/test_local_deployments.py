"""Deployments and template specs of the local ARM, judged by the genuine SDKs over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from localcloud.arm import ArmSettings, Limits
from tests.contract.local_arm import GROUP, MANAGEMENT, LocalArm, running_arm, wait_for

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
NAME = {"name": {"type": "string"}}


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalArm]:
    with running_arm(tmp_path_factory.mktemp("arm"), ArmSettings()) as running:
        yield running


def template(*resources: dict[str, Any], **sections: Any) -> dict[str, Any]:
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    return {"$schema": schema, "contentVersion": "1.0.0.0", "resources": list(resources), **sections}


def identity(name: str, **more: Any) -> dict[str, Any]:
    return {"type": IDENTITY, "apiVersion": "2023-01-31", "name": name, "location": "westeurope", **more}


def nested(name: str, source: dict[str, Any], **more: Any) -> dict[str, Any]:
    properties = {"mode": "Incremental", "template": source, "expressionEvaluationOptions": {"scope": "inner"}}
    return {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": name, "properties": properties, **more}


def body(source: dict[str, Any], location: str | None = None, **parameters: Any) -> dict[str, Any]:
    given = {name: {"value": value} for name, value in parameters.items()}
    properties = {"mode": "Incremental", "template": source, "parameters": given}
    return {"properties": properties, **({"location": location} if location else {})}


def test_a_deployment_with_loops_references_and_nested_ones_gives_its_outputs(arm: LocalArm) -> None:
    inner = template(identity("deep"), outputs={"id": {"type": "string", "value": "[reference('deep').clientId]"}})
    source = template(
        identity("[concat(parameters('name'), copyIndex())]", copy={"name": "all", "count": 3}),
        nested("inner", inner, dependsOn=["all"]),
        parameters=NAME,
        outputs={
            "First": {"type": "string", "value": "[reference(concat(parameters('name'), 0)).clientId]"},
            "Deep": {"type": "string", "value": "[reference('inner').outputs.id.value]"},
        },
    )
    with arm.deployments() as client:
        done = client.deployments.begin_create_or_update(GROUP, "loops", body(source, name="i")).result(timeout=60)
        operations = list(client.deployment_operations.list(GROUP, "loops"))
        one = client.deployment_operations.get(GROUP, "loops", operations[0].operation_id)
    assert done.properties.outputs.keys() == {"first", "deep"}
    assert [dependency.resource_name for dependency in done.properties.dependencies] == ["inner"]
    assert sorted(operation.properties.target_resource.resource_name for operation in operations[:-1]) == ["i0", "i1", "i2", "inner"]
    assert one.properties.provisioning_operation == "Create"
    assert [resource.id.rpartition("/")[2] for resource in done.properties.output_resources] == ["i0", "i1", "i2", "deep"]


def test_validation_gives_resources_or_the_error(arm: LocalArm) -> None:
    with arm.deployments() as client:
        good = client.deployments.begin_validate(GROUP, "checked", body(template(identity("a")))).result(timeout=60)
        with pytest.raises(HttpResponseError) as caught:
            client.deployments.begin_validate(GROUP, "checked", body(template(identity("a", dependsOn=["b"]))))
        assert not client.deployments.check_existence(GROUP, "checked")
    assert [resource.id.rpartition("/")[2] for resource in good.properties.validated_resources] == ["a"]
    assert (caught.value.status_code, caught.value.error.code) == (400, "InvalidTemplate")


def test_what_if_is_polled_to_its_end(arm: LocalArm) -> None:
    with arm.deployments() as client:
        client.deployments.begin_create_or_update(GROUP, "before", body(template(identity("known", tags={"a": "1"})))).result(timeout=60)
        asked = body(template(identity("known", tags={"a": "2"}), identity("unknown")))
        found = client.deployments.begin_what_if(GROUP, "tried", asked).result(timeout=60)
        asked["properties"]["whatIfSettings"] = {"resultFormat": "ResourceIdOnly"}
        short = client.deployments.begin_what_if(GROUP, "tried", asked).result(timeout=60)
        wrong = client.deployments.begin_what_if(GROUP, "tried", body(template(identity("a", dependsOn=["b"])))).result(timeout=60)
    assert found.status == "Succeeded"
    by_name = {change.resource_id.rpartition("/")[2]: change for change in found.properties.changes}
    assert (by_name["known"].change_type, by_name["unknown"].change_type) == ("Modify", "Create")
    (delta,) = by_name["known"].delta
    assert (delta.path, delta.property_change_type, delta.before, delta.after) == ("tags.a", "Modify", "1", "2")
    assert {change.change_type for change in short.properties.changes} >= {"Deploy", "Create"}
    assert (wrong.status, wrong.error.code) == ("Failed", "InvalidTemplate")


def test_a_deployment_is_cancelled_exported_and_deleted(arm: LocalArm) -> None:
    group = {
        "type": "Microsoft.ContainerInstance/containerGroups",
        "apiVersion": "2023-05-01",
        "name": "slow",
        "location": "westeurope",
        "properties": {
            "osType": "Linux",
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "main",
                    "properties": {
                        "image": "loadme.local/shell:1",
                        "command": ["true"],
                        "resources": {"requests": {"cpu": 1, "memoryInGB": 1}},
                    },
                }
            ],
        },
    }
    with arm.deployments() as client:
        client.deployments.begin_create_or_update(GROUP, "cancelled", body(template(group)), polling=False)
        client.deployments.cancel(GROUP, "cancelled")
        assert client.deployments.get(GROUP, "cancelled").properties.provisioning_state == "Canceled"
        with pytest.raises(ResourceExistsError) as caught:
            client.deployments.cancel(GROUP, "cancelled")
        assert client.deployments.export_template(GROUP, "cancelled").template["resources"][0]["name"] == "slow"
        client.deployments.begin_delete(GROUP, "cancelled").result(timeout=60)
        assert not client.deployments.check_existence(GROUP, "cancelled")
        assert client.deployments.calculate_template_hash(template()).template_hash.isdecimal()
    assert caught.value.error.code == "DeploymentCannotBeCancelled"


def test_the_subscription_has_deployments_of_its_own(arm: LocalArm) -> None:
    group = {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2022-09-01", "name": "made", "location": "westeurope"}
    inner = nested("within", template(identity("one")), resourceGroup="made", dependsOn=["made"])
    asked = body(template(group, inner), location="westeurope")
    with arm.deployments() as client:
        here = client.deployments
        changes = here.begin_what_if_at_subscription_scope("all", asked).result(timeout=60).properties.changes
        checked = here.begin_validate_at_subscription_scope("all", asked).result(timeout=60)
        done = here.begin_create_or_update_at_subscription_scope("all", asked).result(timeout=60)
        assert here.get("made", "within").properties.provisioning_state == "Succeeded"
        assert [one.name for one in here.list_at_subscription_scope()] == ["all"]
        assert here.check_existence_at_subscription_scope("all")
        operations = list(client.deployment_operations.list_at_subscription_scope("all"))
        assert here.export_template_at_subscription_scope("all").template["resources"][0]["name"] == "made"
        with pytest.raises(ResourceExistsError):
            here.cancel_at_subscription_scope("all")
        here.begin_delete_at_subscription_scope("all").result(timeout=60)
        with pytest.raises(ResourceNotFoundError):
            here.get_at_subscription_scope("all")
    assert {change.change_type for change in changes} == {"Create"}
    assert len(checked.properties.validated_resources) == 2
    assert (done.location, done.properties.provisioning_state) == ("westeurope", "Succeeded")
    assert [operation.properties.target_resource.resource_name for operation in operations] == ["made", "within"]


def test_a_failed_deployment_is_raised_by_the_poller_with_all_its_details(arm: LocalArm) -> None:
    wrong = nested("wrong", template(identity("x", tags={"a": "[reference('y').absent]"}), identity("y")))
    with arm.deployments() as client, pytest.raises(HttpResponseError) as caught:
        client.deployments.begin_create_or_update(GROUP, "fails", body(template(wrong))).result(timeout=60)
    assert (caught.value.status_code, caught.value.error.code) == (200, "DeploymentFailed")
    (detail,) = caught.value.error.details
    assert (detail.code, detail.details[0].code) == ("DeploymentFailed", "InvalidTemplate")
    assert "'absent' doesn't exist" in detail.details[0].message


def test_a_template_spec_with_linked_templates_is_published_listed_tagged_and_deployed(arm: LocalArm) -> None:
    linked = {"path": "parts/identity.json", "template": template(identity("[parameters('name')]"), parameters=NAME)}
    resource = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": "linked",
        "properties": {
            "mode": "Incremental",
            "templateLink": {"relativePath": "parts/identity.json"},
            "parameters": {"name": {"value": "from-a-spec"}},
        },
    }
    main = template(resource)
    with arm.specs() as specs, arm.deployments() as client:
        specs.template_specs.create_or_update(MANAGEMENT, "linked", {"location": "westeurope", "properties": {"displayName": "Linked"}})
        version = specs.template_spec_versions.create_or_update(
            MANAGEMENT, "linked", "1.0", {"location": "westeurope", "properties": {"mainTemplate": main, "linkedTemplates": [linked]}}
        )
        specs.template_specs.update(MANAGEMENT, "linked", {"tags": {"a": "b"}})
        shown = specs.template_specs.get(MANAGEMENT, "linked", expand="versions")
        assert "linked" in [one.name for one in specs.template_specs.list_by_subscription()]
        assert [one.name for one in specs.template_spec_versions.list(MANAGEMENT, "linked")] == ["1.0"]
        asked = {"properties": {"mode": "Incremental", "templateLink": {"id": version.id}}}
        done = client.deployments.begin_create_or_update(GROUP, "of-a-spec", asked).result(timeout=60)
        inner = client.deployments.get(GROUP, "linked")
        specs.template_specs.delete(MANAGEMENT, "linked")
        with pytest.raises(ResourceNotFoundError):
            specs.template_spec_versions.get(MANAGEMENT, "linked", "1.0")
    assert (shown.tags, shown.display_name, list(shown.versions)) == ({"a": "b"}, "Linked", ["1.0"])
    assert done.properties.template_link.id == version.id
    assert inner.properties.template_link.relative_path == "parts/identity.json"
    assert [one.id.rpartition("/")[2] for one in done.properties.output_resources] == ["from-a-spec"]


def test_the_oldest_records_give_way_unseen(tmp_path: Any) -> None:
    settings = ArmSettings(limits=Limits(deployment_clean_up=(6, 3)))
    with running_arm(tmp_path, settings) as running, running.deployments() as client:
        for number in range(7):
            client.deployments.begin_create_or_update(GROUP, f"d-{number}", body(template())).result(timeout=60)
        wait_for(lambda: len(list(client.deployments.list_by_resource_group(GROUP))) == 3, "the clean-up")
        assert [one.name for one in client.deployments.list_by_resource_group(GROUP)] == ["d-6", "d-5", "d-4"]
