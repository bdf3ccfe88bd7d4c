"""Container groups on a clock that stands still."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localcloud.arm import ArmSettings, Limits, Quotas
from localcloud.environment import app_settings
from localcloud.settings import CloudSettings
from tests.unit.localcloud.worlds import GROUPS, SUBSCRIPTION, World, group_body, make_world


def test_a_group_goes_from_pending_through_creating_to_running_and_its_end() -> None:
    world = make_world()
    reply = world.put_group()
    assert (reply.status, reply.body["properties"]["provisioningState"]) == (201, "Pending")
    assert "instanceView" not in reply.body["properties"]["containers"][0]["properties"]

    world.clock.advance(2)
    assert world.view()["provisioningState"] == "Creating"
    assert world.container()["currentState"] == {"state": "Waiting", "detailStatus": "ContainerCreating"}
    world.clock.advance(13)
    assert (world.view()["provisioningState"], world.view()["instanceView"]["state"]) == ("Succeeded", "Running")
    assert [event["name"] for event in world.container()["events"]] == ["Pulling", "Pulled", "Started"]

    world.runtime.started[0].ended(0)
    assert world.view()["instanceView"]["state"] == "Succeeded"
    assert world.container()["currentState"]["detailStatus"] == "Completed"


def test_reading_never_moves_a_state() -> None:
    world = make_world()
    world.put_group()
    states = {world.view()["provisioningState"] for _ in range(50)}
    assert states == {"Pending"}


def test_a_secure_value_reaches_the_container_and_never_comes_back() -> None:
    world = make_world()
    reply = world.put_group(variables=[{"name": "A", "value": "1"}, {"name": "B", "secureValue": "secret", "value": None}])
    world.clock.advance(15)
    assert world.runtime.started[0].launch.environment == {"A": "1", "B": "secret"}
    assert reply.body["properties"]["containers"][0]["properties"]["environmentVariables"] == [{"name": "A", "value": "1"}, {"name": "B"}]
    assert "secret" not in str([reply.body, world.view(), world.call("GET", GROUPS).body])


def test_an_unknown_image_fails_the_provisioning_and_the_operation() -> None:
    world = make_world()
    url = world.put_group(image="absent:1").headers["Azure-AsyncOperation"]
    assert url.endswith("api-version=2018-06-01")
    world.clock.advance(15)
    path = url.removeprefix("https://management.azure.com").split("?")[0]
    operation = world.call("GET", path).body
    assert (operation["status"], operation["error"]["code"]) == ("Failed", "InaccessibleImage")
    assert operation["error"]["details"] == [{"code": "LocalCloudImageMap", "message": "absent:1 is not in images.yaml"}]
    assert world.view()["provisioningState"] == "Failed"
    assert world.runtime.started == []


def test_a_non_zero_exit_may_be_restarted_even_under_never() -> None:
    world = make_world(restart_probability=1.0)
    world.put_group()
    world.clock.advance(15)
    world.runtime.started[0].ended(2)
    assert world.container()["currentState"]["state"] == "Waiting"
    assert world.container()["previousState"]["exitCode"] == 2
    world.clock.advance(10)
    assert (world.container()["restartCount"], world.container()["currentState"]["state"]) == (1, "Running")
    world.runtime.started[1].ended(0)
    assert world.view()["instanceView"]["state"] == "Succeeded"


@pytest.mark.parametrize(
    ("policy", "code", "starts"),
    [("Never", 0, 1), ("Never", 1, 1), ("OnFailure", 0, 1), ("OnFailure", 1, 2), ("Always", 0, 2), (None, 0, 2)],
)
def test_the_restart_policy_is_kept(policy: str | None, code: int, starts: int) -> None:
    world = make_world()
    world.put_group(policy=policy)
    world.clock.advance(15)
    world.runtime.started[0].ended(code)
    world.clock.advance(10)
    assert len(world.runtime.started) == starts


def test_a_delete_answers_with_the_group_as_it_was_and_stops_it() -> None:
    world = make_world()
    world.put_group()
    world.clock.advance(15)
    reply = world.call("DELETE", f"{GROUPS}/g")
    assert (reply.status, reply.body["properties"]["instanceView"]["state"]) == (200, "Running")
    assert world.runtime.started[0].stopped
    world.runtime.started[0].ended(137)  # the end of a group that is gone changes nothing
    assert world.call("DELETE", f"{GROUPS}/g").status == 204
    gone = world.call("GET", f"{GROUPS}/g")
    assert (gone.status, gone.body["error"]["code"]) == (404, "ContainerGroupNotFound")
    assert world.call("GET", f"{GROUPS}/other").body["error"]["code"] == "ResourceNotFound"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_group_that_is_being_created_refuses_to_be_changed(method: str) -> None:
    world = make_world()
    world.put_group()
    reply = world.call(method, f"{GROUPS}/g", group_body())
    assert (reply.status, reply.body["error"]["code"]) == (409, "ContainerGroupTransitioning")


def test_a_put_restarts_a_running_group_and_runs_an_ended_one_again() -> None:
    world = make_world()
    world.put_group()
    world.clock.advance(15)
    assert world.put_group(variables=[{"name": "A", "value": "2"}]).status == 200
    assert world.runtime.started[0].stopped
    world.clock.advance(15)
    world.runtime.started[1].ended(0)
    world.put_group()
    world.clock.advance(15)
    assert world.state.containers.summary()["g"]["starts"] == 3


def test_a_running_group_cannot_change_its_resources() -> None:
    world = make_world()
    world.put_group()
    world.clock.advance(15)
    assert world.put_group(cpu=2.0).body["error"]["code"] == "InvalidContainerGroupUpdate"


def test_a_new_group_may_be_unknown_for_a_moment() -> None:
    world = make_world(hidden_probability=1.0)
    world.put_group()
    assert world.call("GET", f"{GROUPS}/g").status == 404
    world.clock.advance(2)
    assert world.call("GET", f"{GROUPS}/g").status == 200


def test_the_quota_of_groups_and_cores_is_kept() -> None:
    world = make_world(quotas=Quotas(container_groups=2, cores=3))
    world.put_group("a")
    assert world.put_group("b", cpu=3.0).body["error"] == {
        "code": "ContainerGroupQuotaReached",
        "message": "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota 'StandardCores' exceeded in region "
        "'westeurope'. Limit: '3', Usage: '1' Requested: '3'.",
    }
    world.put_group("b")
    assert "quota 'ContainerGroups' exceeded" in world.put_group("c").body["error"]["message"]
    usages = world.call("GET", f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerInstance/locations/westeurope/usages")
    assert [(item["name"]["value"], item["currentValue"], item["limit"]) for item in usages.body["value"][:2]] == [
        ("ContainerGroups", 2, 2),
        ("StandardCores", 2, 3),
    ]


def test_each_region_has_quotas_and_limits_of_its_own_however_it_is_written() -> None:
    world = make_world(quotas=Quotas(container_groups=1), limits=Limits(five_minutes=1))
    assert world.put_group("a", location="West Europe").status == 201

    there = world.put_group("b", location="westeurope")
    assert (there.status, there.body["error"]["code"]) == (429, "ResourceRequestsThrottled")
    assert world.put_group("b", location="northeurope").status == 201
    world.clock.advance(300)
    assert world.put_group("c", location="westeurope").body["error"]["code"] == "ContainerGroupQuotaReached"


def test_what_the_app_is_told_of_the_limits_may_be_used_up_at_once_although_all_else_is_quicker() -> None:
    settings = CloudSettings(scale=0.5, arm=ArmSettings(limits=Limits(five_minutes=2, hour=100)))
    world = make_world(limits=settings.limits)
    told = app_settings(settings, url="u", arm="a", vaults="v", identity="i", identity_secret="s", ca=Path("ca"), storage={})
    assert (told["LOADME_QUOTA_CREATES_5M"], told["LOADME_QUOTA_CREATES_1H"]) == ("4", "200")

    assert [world.put_group(name).status for name in "abcde"] == [201, 201, 201, 201, 429]
    world.clock.advance(599)  # five minutes of the app, to which Azure is twice as quick
    assert world.put_group("e").status == 429
    world.clock.advance(1)
    assert world.put_group("e").status == 201


def test_deletes_are_throttled_apart_from_creates() -> None:
    world = make_world(limits=Limits(five_minutes=2))
    for name in ("a", "b", "c"):
        world.put_group(name)
        world.clock.advance(200)

    replies = [world.call("DELETE", f"{GROUPS}/{name}") for name in ("a", "b", "c")]

    assert [reply.status for reply in replies] == [200, 200, 429]
    assert replies[2].headers["Retry-After"] == "300"


def test_cores_that_are_not_whole_are_rounded_up_in_the_usages() -> None:
    world = make_world()
    world.put_group("a", cpu=1.5)
    usages = world.call("GET", f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerInstance/locations/westeurope/usages")
    assert [item["currentValue"] for item in usages.body["value"][:2]] == [1, 2]


def test_a_region_without_container_groups_is_refused() -> None:
    world = make_world()
    error = world.put_group(location="Mars North").body["error"]
    assert error["code"] == "LocationNotAvailableForResourceType"
    assert error["message"].startswith(
        "The provided location 'Mars North' is not available for resource type 'Microsoft.ContainerInstance/containerGroups'. "
        "List of available regions for the resource type is 'australiaeast,"
    )
    assert world.call("GET", f"{GROUPS}/g").status == 404


def test_the_hundred_and_first_create_in_five_minutes_is_throttled() -> None:
    world = make_world(quotas=Quotas(container_groups=1000, cores=1000), limits=Limits(writes=(1000, 10.0)))
    replies = [world.put_group(f"g-{number}") for number in range(101)]
    left = [reply.headers.get("x-ms-ratelimit-remaining-subscription-resource-requests-pt5m") for reply in replies]
    assert left[:2] == ["99", "98"]
    assert [reply.status for reply in replies[99:]] == [201, 429]
    assert replies[100].headers["Retry-After"] == "300"
    world.clock.advance(300)
    assert world.put_group("g-101").status == 201


def test_writes_are_throttled_by_a_bucket() -> None:
    world = make_world(limits=Limits(writes=(2, 0.5)))
    assert world.put_group("a").status == 201
    reply = world.put_group("b")
    assert (reply.status, reply.body["error"]["code"], reply.headers["Retry-After"]) == (429, "SubscriptionRequestsThrottled", "2")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"container": "Main"}, "InvalidContainerName"),
        ({"variables": [{"name": "a-b", "value": ""}]}, "InvalidContainerEnvironmentVariable"),
        ({"variables": [{"name": "a"}]}, "InvalidContainerEnvironmentVariable"),
        ({"cpu": 0.5}, "InvalidResourceRequests"),
        ({"memory": 0.5}, "InvalidResourceRequests"),
        ({"memory": "nan"}, "ResourceRequestsNotSpecified"),
        ({"cpu": 10**400}, "ResourceRequestsNotSpecified"),
        ({"osType": None}, "InvalidOsType"),
        ({"containers": []}, "InvalidContainerGroupContainers"),
        ({"containers": [{"name": "a", "properties": {"image": "x"}}]}, "ResourceRequestsNotSpecified"),
        ({"volumes": [{"name": "source", "gitRepo": {"repository": "https://example.com"}}]}, "LocalCloudNotSupported"),
        ({"initContainers": [{"name": "a"}]}, "InvalidContainerImage"),
        ({"colour": "red"}, "InvalidRequestContent"),
        ({"imageRegistryCredentials": [{"server": "x", "identity": "/y"}]}, "InvalidImageRegistryIdentity"),
        ({"imageRegistryCredentials": "r.io"}, "InvalidRequestContent"),
        ({"policy": "Sometimes"}, "InvalidRestartPolicy"),
    ],
)
def test_a_wrong_group_is_refused(changes: dict[str, Any], code: str) -> None:
    world = make_world()
    reply = world.put_group(**changes)
    assert (reply.status, reply.body["error"]["code"]) == (400, code)
    assert world.call("GET", GROUPS).body["value"] == []


@pytest.mark.parametrize("name", ["A", "a--b", "-a", "a-", "x" * 64])
def test_a_wrong_name_is_refused(name: str) -> None:
    assert make_world().put_group(name).body["error"]["code"] == "InvalidContainerGroupName"


def test_an_ended_container_s_log_is_its_last_thousand_lines_or_sixteen_kilobytes() -> None:
    world = make_world()
    world.put_group()
    assert log(world).status == 409
    world.clock.advance(15)
    world.runtime.started[0].lines = [b"%05d" % number for number in range(3000)]
    assert log(world).body["content"].count("\n") == 3000
    assert log(world, tail="2").body["content"] == "02998\n02999\n"
    assert log(world, tail="1", timestamps="true").body["content"] == "2026-01-01T00:00:00.000000000Z 02999\n"
    world.runtime.started[0].ended(0)
    assert log(world).body["content"].count("\n") == 1000
    world.runtime.started[0].lines = ["é".encode() * 12_000]
    content = log(world).body["content"]
    assert 16_300 < len(content.encode()) <= 16_384


def log(world: World, **query: str) -> Any:
    return world.call("GET", f"{GROUPS}/g/containers/main/logs", **query)


def test_a_user_assigned_identity_is_shown_with_its_ids_and_found_by_the_group() -> None:
    world = make_world()
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app"
    created = world.call("PUT", path, {"location": "westeurope"}).body["properties"]
    body = {**group_body(), "identity": {"type": "UserAssigned", "userAssignedIdentities": {path: {}}}}
    shown = world.call("PUT", f"{GROUPS}/g", body).body["identity"]
    assert shown == {
        "userAssignedIdentities": {path: {"principalId": created["principalId"], "clientId": created["clientId"]}},
        "tenantId": world.state.settings.tenant,
        "type": "UserAssigned",
    }
    assert [identity.client_id for identity in world.state.group_identities("g")] == [created["clientId"]]
    body["identity"]["userAssignedIdentities"] = {path + "x": {}}
    assert world.call("PUT", f"{GROUPS}/h", body).body["error"]["code"] == "ResourceNotFound"


def test_a_bug_is_an_error_of_the_cloud_and_not_of_its_server(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    world = make_world()
    monkeypatch.setattr("localcloud.arm.containerinstance.handlers.check_quota", lambda *_: 1 // 0)
    reply = world.put_group()
    assert (reply.status, reply.body["error"]["code"]) == (500, "InternalServerError")
    assert "a bug in the local cloud" in caplog.text


def test_a_container_may_crash_as_often_as_it_likes() -> None:
    world = make_world()
    world.put_group(policy="Always")
    world.clock.advance(15)
    for _ in range(1100):
        world.runtime.started[-1].ended(1)
        world.clock.advance(301)
    assert world.container()["restartCount"] == 1100


def test_the_identity_of_a_group_that_was_deleted_and_made_again_is_a_new_one() -> None:
    world = make_world()

    def principal() -> str:
        return str(
            world.call("PUT", f"{GROUPS}/g", {**group_body(), "identity": {"type": "SystemAssigned"}}).body["identity"]["principalId"]
        )

    first = principal()
    world.clock.advance(600)
    assert principal() == first == world.state.group_identities("g")[0].principal_id
    world.clock.advance(600)
    assert world.call("DELETE", f"{GROUPS}/g").status == 200
    assert principal() != first
