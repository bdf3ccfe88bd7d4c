"""The local ARM, judged by the genuine SDKs over TLS."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError

from localcloud.arm import ArmSettings
from localcloud.arm.faults import Fault
from tests.contract.local_arm import GROUP, MANAGEMENT, SPEC, TEMPLATE, LocalArm, running_arm, wait_for

NUMBERS = itertools.count(1)
SHELL = "loadme.local/shell:1"


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalArm]:
    settings = ArmSettings(restart_probability=0.0)
    with running_arm(tmp_path_factory.mktemp("arm"), settings) as running:
        publish(running)
        yield running


def publish(arm: LocalArm) -> None:
    with arm.specs() as specs:
        specs.template_specs.create_or_update(MANAGEMENT, SPEC, {"location": "westeurope"})
        body = {"location": "westeurope", "properties": {"mainTemplate": TEMPLATE}}
        specs.template_spec_versions.create_or_update(MANAGEMENT, SPEC, "1.0", body)


def fresh_name() -> str:
    return f"lm-test-{next(NUMBERS)}"


def deployment_of(arm: LocalArm, name: str, script: str, **parameters: Any) -> dict[str, Any]:
    values = {"name": name, "image": SHELL, "command": ["sh", "-c", script], **parameters}
    return {
        "properties": {
            "mode": "Incremental",
            "templateLink": {"id": arm.spec_id},
            "parameters": {key: {"value": value} for key, value in values.items()},
        }
    }


def deploy(arm: LocalArm, name: str, script: str, **parameters: Any) -> None:
    with arm.deployments() as client:
        client.deployments.begin_create_or_update(GROUP, name, deployment_of(arm, name, script, **parameters), polling=False)


def finished_deployment(arm: LocalArm, name: str) -> Any:
    with arm.deployments() as client:

        def look() -> Any:
            found = client.deployments.get(GROUP, name)
            return found if found.properties.provisioning_state in ("Succeeded", "Failed") else None

        return wait_for(look, f"deployment {name} to finish")


def group_in(arm: LocalArm, name: str, *states: str) -> Any:
    with arm.containers() as client:

        def look() -> Any:
            try:
                found = client.container_groups.get(GROUP, name)
            except ResourceNotFoundError:
                return None
            return found if found.instance_view.state in states else None

        return wait_for(look, f"group {name} to be {states}")


def log_of(arm: LocalArm, name: str, **options: Any) -> str:
    with arm.containers() as client:
        return str(client.containers.list_logs(GROUP, name, "main", **options).content)


def test_a_template_spec_comes_back_word_for_word(arm: LocalArm) -> None:
    with arm.specs() as specs:
        version = specs.template_spec_versions.get(MANAGEMENT, SPEC, "1.0")
    assert version.main_template == TEMPLATE
    assert version.name == "1.0"


def test_a_deployment_runs_a_container_to_its_end(arm: LocalArm) -> None:
    name = fresh_name()
    deploy(arm, name, 'echo "hello $WHO $TOKEN"; pwd; ls -A | wc -l', environment={"WHO": "world"}, secrets={"TOKEN": "s3cret"})
    deployment = finished_deployment(arm, name)
    group = group_in(arm, name, "Succeeded", "Failed")
    state = group.containers[0].instance_view.current_state

    assert deployment.properties.provisioning_state == "Succeeded"
    assert deployment.properties.outputs == {"name": {"type": "String", "value": name}}
    assert deployment.properties.parameters["secrets"] == {"type": "SecureObject"}
    assert [resource.id for resource in deployment.properties.output_resources] == [group.id]
    assert (group.instance_view.state, state.state, state.exit_code, state.detail_status) == ("Succeeded", "Terminated", 0, "Completed")
    assert group.tags == {"app": "test"}
    assert {item.name: (item.value, item.secure_value) for item in group.containers[0].environment_variables} == {
        "WHO": ("world", None),
        "TOKEN": (None, None),
    }
    first, _folder, count = log_of(arm, name).splitlines()
    assert (first, count.strip()) == ("hello world s3cret", "0")
    assert log_of(arm, name, tail=1).strip() == "0"
    assert log_of(arm, name, tail=1, timestamps=True).split()[0].endswith("Z")


def test_the_sdk_s_own_poller_ends_when_the_deployment_does(arm: LocalArm) -> None:
    name = fresh_name()
    with arm.deployments() as client:
        poller = client.deployments.begin_create_or_update(GROUP, name, deployment_of(arm, name, "true"))
        assert poller.result(timeout=60).properties.provisioning_state == "Succeeded"


def test_an_image_that_cannot_be_pulled_fails_the_deployment_late_with_aci_s_words(arm: LocalArm) -> None:
    name = fresh_name()
    deploy(arm, name, "true", image="contoso.azurecr.io/absent:1")
    error = finished_deployment(arm, name).properties.error

    assert error.code == "DeploymentFailed"
    assert error.details[0].code == "InaccessibleImage"
    assert error.details[0].message == (
        f"The image 'contoso.azurecr.io/absent:1' in container group '{name}' is not accessible. "
        "Please check the image and registry credential."
    )
    advice = error.details[0].details[0]
    assert (advice.code, advice.message) == (
        "LocalCloudImageMap",
        "contoso.azurecr.io/absent:1 is not in any image map: give one with --images",
    )
    with arm.containers() as client:
        group = client.container_groups.get(GROUP, name)
    assert group.provisioning_state == "Failed"
    assert "Failed" in [event.name for event in group.containers[0].instance_view.events]
    with arm.deployments() as client:
        operation = next(iter(client.deployment_operations.list(GROUP, name)))
    assert operation.properties.provisioning_state == "Failed"
    assert operation.properties.status_message.error.code == "InaccessibleImage"


def test_an_active_deployment_cannot_be_put_again_and_a_finished_one_runs_again(arm: LocalArm) -> None:
    name = fresh_name()
    deploy(arm, name, "true")
    with pytest.raises(ResourceExistsError) as caught:
        deploy(arm, name, "true")
    assert caught.value.error is not None
    assert caught.value.error.code == "DeploymentActive"
    finished_deployment(arm, name)
    group_in(arm, name, "Succeeded")

    deploy(arm, name, "true")
    finished_deployment(arm, name)
    group_in(arm, name, "Succeeded")
    assert arm.state.containers.summary()[name]["starts"] == 2


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"colour": "red"}, "The template parameters 'colour' in the parameters file are not valid"),
        ({"command": "echo"}, "but received a value of type 'String'"),
        ({"cpu": "many"}, "cannot convert provided value 'many' to integer value"),
        ({"name": "x" * 64}, "less than or equal to '63'"),
    ],
)
def test_wrong_parameters_are_refused_at_once(arm: LocalArm, parameters: dict[str, Any], words: str) -> None:
    body = deployment_of(arm, **{"name": fresh_name(), "script": "true", **parameters})
    with arm.deployments() as client, pytest.raises(HttpResponseError) as caught:
        client.deployments.begin_create_or_update(GROUP, fresh_name(), body, polling=False)
    assert (caught.value.status_code, caught.value.error.code) == (400, "InvalidTemplate")
    assert words in caught.value.error.message


def test_a_missing_parameter_is_named(arm: LocalArm) -> None:
    body = deployment_of(arm, "x", "true")
    del body["properties"]["parameters"]["image"]
    with arm.deployments() as client, pytest.raises(HttpResponseError) as caught:
        client.deployments.begin_create_or_update(GROUP, fresh_name(), body, polling=False)
    place = caught.value.error.additional_info[0].info
    assert place["path"] == "properties.template.parameters.image"
    assert (
        f"The value for the template parameter 'image' at line '{place['lineNumber']}' and column '{place['linePosition']}' is not provided"
        in caught.value.error.message
    )


def test_a_deployment_s_record_is_deleted_a_moment_later(arm: LocalArm) -> None:
    name = fresh_name()
    deploy(arm, name, "true")
    finished_deployment(arm, name)
    with arm.deployments() as client:
        client.deployments.begin_delete(GROUP, name).result(timeout=60)
        with pytest.raises(ResourceNotFoundError):
            client.deployments.get(GROUP, name)
        client.deployments.begin_delete(GROUP, name).result(timeout=60)


def test_deleting_a_running_group_ends_its_processes(arm: LocalArm) -> None:
    name = fresh_name()
    deploy(arm, name, "trap 'echo asked' TERM; echo up; sleep 600 & wait; sleep 600")
    group_in(arm, name, "Running")
    wait_for(lambda: "up" in log_of(arm, name), "the container to be up")
    container = arm.state.containers.groups.by_id[group_in(arm, name, "Running").id.lower()].containers[0]
    with arm.containers() as client:
        deleted = client.container_groups.begin_delete(GROUP, name).result()
        assert deleted.instance_view.state == "Running"
        with pytest.raises(ResourceNotFoundError) as caught:
            client.container_groups.get(GROUP, name)
        assert caught.value.error.code == "ContainerGroupNotFound"
        assert client.container_groups.begin_delete(GROUP, name).result() is None
    process = container.process._process
    wait_for(lambda: process.poll() is not None, "the container's processes to end")


def test_a_group_that_is_being_created_cannot_be_deleted(arm: LocalArm) -> None:
    name = fresh_name()
    path = f"/resourceGroups/{GROUP}/providers/Microsoft.ContainerInstance/containerGroups/{name}"
    assert arm.direct("PUT", path, group_body()).status == 201
    with arm.containers() as client, pytest.raises(ResourceExistsError) as caught:
        client.container_groups.begin_delete(GROUP, name)
    assert caught.value.error.code == "ContainerGroupTransitioning"


def group_body() -> dict[str, Any]:
    requests = {"cpu": 1.0, "memoryInGB": 1.0}
    container = {"name": "main", "properties": {"image": SHELL, "resources": {"requests": requests}}}
    return {"location": "westeurope", "properties": {"osType": "Linux", "restartPolicy": "Never", "containers": [container]}}


def test_a_list_has_no_instance_views(arm: LocalArm) -> None:
    name = fresh_name()
    deploy(arm, name, "true")
    group_in(arm, name, "Succeeded")
    with arm.containers() as client:
        found = [group for group in client.container_groups.list_by_resource_group(GROUP) if group.name == name]
    assert len(found) == 1
    assert found[0].instance_view is None


def test_a_non_zero_exit_fails_the_group_and_not_the_deployment(arm: LocalArm) -> None:
    name = fresh_name()
    deploy(arm, name, "echo broken >&2; exit 3")
    assert finished_deployment(arm, name).properties.provisioning_state == "Succeeded"
    group = group_in(arm, name, "Failed")
    state = group.containers[0].instance_view.current_state
    assert (state.exit_code, state.detail_status) == (3, "Error")
    assert log_of(arm, name) == "broken\n"


def test_a_token_is_required_and_must_be_good(arm: LocalArm) -> None:
    with arm.containers(token="forged") as client, pytest.raises(ClientAuthenticationError) as caught:
        list(client.container_groups.list())
    assert caught.value.error.code == "InvalidAuthenticationToken"
    answer = httpx.get(f"{arm.url}/subscriptions/{arm.subscription}/resourceGroups", verify=context(arm))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AuthenticationFailed")
    assert answer.headers["www-authenticate"].startswith("Bearer authorization_uri=")


def context(arm: LocalArm) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(arm.ca))


def test_an_api_version_is_required_and_headers_tell_what_is_left(arm: LocalArm) -> None:
    with httpx.Client(verify=context(arm), headers={"Authorization": f"Bearer {arm.token}"}, base_url=arm.url) as client:
        path = f"/SUBSCRIPTIONS/{arm.subscription}/resourcegroups/{GROUP.upper()}"
        without = client.get(path)
        given = client.get(path, params={"api-version": "2022-09-01"})
    assert (without.status_code, without.json()["error"]["code"]) == (400, "MissingApiVersionParameter")
    assert given.json()["name"] == GROUP
    assert int(given.headers["x-ms-ratelimit-remaining-subscription-reads"]) < 250
    assert {"x-ms-request-id", "x-ms-correlation-request-id"} <= set(given.headers)


def test_a_lost_reply_acts_all_the_same(arm: LocalArm) -> None:
    name = fresh_name()
    arm.state.faults.add(Fault(method="PUT", path=f"deployments/{name}", lost=True))
    with pytest.raises(HttpResponseError) as caught:
        deploy(arm, name, "true")
    assert (caught.value.status_code, caught.value.error.code) == (504, "GatewayTimeout")
    assert finished_deployment(arm, name).properties.provisioning_state == "Succeeded"


def test_a_scripted_fault_reaches_into_a_deployment(arm: LocalArm) -> None:
    name = fresh_name()
    fault = {"method": "PUT", "path": f"containerGroups/{name}", "status": 409, "code": "ServiceUnavailable", "message": "No capacity."}
    answer = httpx.post(f"{arm.url}/localcloud/faults", json=fault, verify=context(arm))
    assert len(answer.json()["faults"]) == 1
    deploy(arm, name, "true")
    error = finished_deployment(arm, name).properties.error
    assert (error.details[0].code, error.details[0].message) == ("ServiceUnavailable", "No capacity.")


def test_deployments_come_in_pages_that_the_sdk_follows(arm: LocalArm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.arm.deployments.pages.PAGE", 2)
    names = [fresh_name() for _ in range(5)]
    for name in names:
        deploy(arm, name, "true")
    with arm.deployments() as client:
        found = [one.name for one in client.deployments.list_by_resource_group(GROUP)]
    assert found[:5] == names[::-1]
    assert len(found) == len(set(found))


def test_no_capacity_in_a_region_fails_the_deployment_late_and_another_region_has_room(arm: LocalArm) -> None:
    there, elsewhere = fresh_name(), fresh_name()
    message = "The requested resource is not available in the location 'francecentral' at this moment."
    fault = {"method": "PUT", "location": "francecentral", "count": 9, "status": 409, "code": "ServiceUnavailable", "message": message}
    httpx.post(f"{arm.url}/localcloud/faults", json=fault, verify=context(arm)).raise_for_status()
    try:
        deploy(arm, there, "true", location="France Central")
        deploy(arm, elsewhere, "true", location="northeurope")
        error = finished_deployment(arm, there).properties.error
        assert (error.details[0].code, error.details[0].message) == ("ServiceUnavailable", message)
        assert finished_deployment(arm, elsewhere).properties.provisioning_state == "Succeeded"
    finally:
        httpx.delete(f"{arm.url}/localcloud/faults", verify=context(arm))


def test_an_unknown_region_is_refused_at_once(arm: LocalArm) -> None:
    with pytest.raises(HttpResponseError) as caught:
        deploy(arm, fresh_name(), "true", location="atlantis")
    assert (caught.value.status_code, caught.value.error.code) == (400, "LocationNotAvailableForResourceType")


def test_the_side_door_lists_calls_and_counts_starts(arm: LocalArm) -> None:
    name = fresh_name()
    deploy(arm, name, "true")
    group_in(arm, name, "Succeeded")
    calls = httpx.get(f"{arm.url}/localcloud/calls", verify=context(arm)).json()["calls"]
    groups = httpx.get(f"{arm.url}/localcloud/groups", verify=context(arm)).json()["groups"]
    puts = [(call["by"], call["status"]) for call in calls if call["method"] == "PUT" and call["path"].endswith(name)]
    assert puts == [("client", 201), ("deployment", 201)]
    assert groups[name]["starts"] == 1
