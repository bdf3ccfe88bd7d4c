"""Stop, start, restart, tags and updates of container groups, on a clock that stands still."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.arm import Quotas
from localcloud.arm.calls import Reply
from tests.unit.localcloud.worlds import GROUPS, World, group_body, make_world


def running(**changes: Any) -> World:
    world = make_world()
    assert world.put_group(**changes).status == 201
    world.clock.advance(15)
    return world


def do(world: World, action: str, name: str = "g") -> Reply:
    return world.call("POST", f"{GROUPS}/{name}/{action}")


def operation(world: World, reply: Reply) -> str:
    path = reply.headers["Azure-AsyncOperation"].removeprefix("https://management.azure.com").partition("?")[0]
    return str(world.call("GET", path).body["status"])


class TestStop:
    def test_a_stopped_group_shows_who_stopped_it_and_no_exit_code(self) -> None:
        world = running()
        assert do(world, "stop").status == 204
        assert world.view()["instanceView"]["state"] == "Stopped"
        assert world.container()["currentState"] == {
            "state": "Terminated",
            "finishTime": "2026-01-01T00:00:15.0000000Z",
            "detailStatus": "Container stopped per client request",
        }
        assert world.container()["previousState"] == {"state": "Running", "startTime": "2026-01-01T00:00:15.000Z", "detailStatus": ""}
        assert world.view()["provisioningState"] == "Succeeded"
        assert world.runtime.started[0].stopped
        assert world.runtime.forgotten == ["g"]
        assert do(world, "stop").status == 204
        assert world.runtime.forgotten == ["g"]

    def test_what_has_ended_by_itself_keeps_its_exit_code(self) -> None:
        world = running()
        world.runtime.started[0].ended(3)
        do(world, "stop")
        assert world.container()["currentState"]["exitCode"] == 3

    def test_there_are_no_logs_of_a_stopped_group(self) -> None:
        world = running()
        do(world, "stop")
        error = world.call("GET", f"{GROUPS}/g/containers/main/logs").body["error"]
        assert error == {"code": "ContainerGroupStopped", "message": "Container Group 'g' in resource group 'rg' is stopped."}

    def test_a_stopped_group_takes_nothing_of_the_cores_until_it_is_started(self) -> None:
        world = make_world(quotas=Quotas(cores=1))
        world.put_group("a")
        world.clock.advance(15)
        do(world, "stop", "a")
        assert world.put_group("b").status == 201
        assert do(world, "start", "a").body["error"]["code"] == "ContainerGroupQuotaReached"

    def test_the_end_of_what_was_stopped_changes_nothing(self) -> None:
        world = running(policy="Always")
        do(world, "stop")
        world.runtime.started[0].ended(143)
        world.clock.advance(1000)
        assert (len(world.runtime.started), world.view()["instanceView"]["state"]) == (1, "Stopped")

    @pytest.mark.parametrize("action", ["stop", "start", "restart"])
    def test_nothing_can_be_done_while_a_group_is_being_made_or_when_it_is_not_there(self, action: str) -> None:
        world = make_world()
        assert do(world, action).body["error"]["code"] == "ResourceNotFound"
        world.put_group()
        reply = do(world, action)
        assert (reply.status, reply.body["error"]["code"]) == (409, "ContainerGroupTransitioning")


class TestStart:
    def test_a_stopped_group_is_started_anew(self) -> None:
        world = running()
        do(world, "stop")
        reply = do(world, "start")
        assert (reply.status, operation(world, reply)) == (202, "Pending")
        assert world.view()["instanceView"] == {"events": [], "state": "Pending"}
        world.clock.advance(15)
        assert (operation(world, reply), world.view()["instanceView"]["state"]) == ("Succeeded", "Running")
        assert [event["count"] for event in world.container()["events"]] == [1, 1, 1]
        assert len(world.runtime.started) == 2

    def test_a_group_that_runs_is_left_alone(self) -> None:
        world = running()
        assert do(world, "start").status == 204
        assert len(world.runtime.started) == 1

    def test_a_group_that_has_ended_runs_again(self) -> None:
        world = running()
        world.runtime.started[0].ended(0)
        assert do(world, "start").status == 202
        world.clock.advance(15)
        assert world.view()["instanceView"]["state"] == "Running"


class TestRestart:
    def test_all_containers_are_started_again_in_place(self) -> None:
        """As recorded: for a moment all is as before, then it has been started twice, which is no restart of its own."""
        world = running()
        reply = do(world, "restart")
        assert (reply.status, operation(world, reply)) == (204, "Updating")
        assert (world.view()["instanceView"]["state"], world.container()["currentState"]["state"]) == ("Running", "Running")
        assert not world.runtime.started[0].stopped
        world.clock.advance(2)
        assert (operation(world, reply), len(world.runtime.started)) == ("Succeeded", 2)
        assert world.runtime.started[0].stopped
        assert world.runtime.forgotten == []
        events = {event["name"]: event["count"] for event in world.container()["events"]}
        assert events == {"Pulling": 1, "Pulled": 1, "Started": 2, "Killing": 1}
        assert (world.container()["restartCount"], world.container()["currentState"]["startTime"]) == (0, "2026-01-01T00:00:17.000Z")

    def test_whoever_follows_it_comes_to_an_end(self) -> None:
        world = running()
        reply = do(world, "restart")
        for refused in (world.call("DELETE", f"{GROUPS}/g"), world.put_group(image="other")):
            assert (refused.status, refused.body["error"]["code"]) == (409, "ContainerGroupTransitioning")
        world.clock.advance(2)
        assert operation(world, reply) == "Succeeded"
        assert world.call("DELETE", f"{GROUPS}/g").status == 200
        assert operation(world, reply) == "Succeeded"

    def test_one_that_is_cut_short_has_an_end(self) -> None:
        world = running()
        reply = do(world, "restart")
        world.state.containers.abandon()
        world.clock.advance(100)
        assert operation(world, reply) == "Canceled"

    def test_its_result_is_there_once_it_is_over(self) -> None:
        world = running()
        url = do(world, "restart").headers["Azure-AsyncOperation"].removeprefix("https://management.azure.com").partition("?")[0]
        path = url.replace("/operations/", "/operationResults/")
        assert world.call("GET", path).status == 202
        world.clock.advance(2)
        assert world.call("GET", path).status == 200

    def test_it_may_be_asked_for_again_at_once(self) -> None:
        world = running()
        assert [do(world, "restart").status, do(world, "restart").status] == [204, 204]
        world.clock.advance(10)
        assert len(world.runtime.started) == 2

    def test_what_waits_for_its_next_start_is_started_once(self) -> None:
        world = running(policy="Always")
        world.runtime.started[0].ended(1)
        do(world, "restart")
        world.clock.advance(100)
        assert (len(world.runtime.started), world.container()["restartCount"]) == (2, 0)

    def test_a_stop_comes_before_a_restart_that_is_under_way(self) -> None:
        world = running()
        do(world, "restart")
        do(world, "stop")
        world.clock.advance(100)
        assert (len(world.runtime.started), world.view()["instanceView"]["state"]) == (1, "Stopped")

    def test_a_group_that_is_stopped_or_has_ended_must_be_started(self) -> None:
        world = running()
        world.runtime.started[0].ended(0)
        assert do(world, "restart").body["error"]["code"] == "ContainerGroupStopped"
        do(world, "stop")
        assert do(world, "restart").body["error"]["code"] == "ContainerGroupStopped"


class TestUpdate:
    def test_an_update_that_changes_nothing_restarts_nothing(self) -> None:
        world = running()
        reply = world.put_group()
        assert (reply.status, reply.body["properties"]["instanceView"]["state"], operation(world, reply)) == (200, "Running", "Succeeded")
        assert len(world.runtime.started) == 1
        assert not world.runtime.started[0].stopped

    def test_the_same_put_of_a_group_that_has_ended_runs_it_again(self) -> None:
        world = running()
        world.runtime.started[0].ended(0)
        assert world.put_group().status == 200
        world.clock.advance(15)
        assert len(world.runtime.started) == 2

    def test_an_update_replaces_all_that_it_does_not_name(self) -> None:
        world = running(variables=[{"name": "A", "value": "1"}], ipAddress={"type": "Public", "ports": [{"port": 80}]})
        assert "ipAddress" in world.view()
        world.put_group()
        world.clock.advance(15)
        assert "ipAddress" not in world.view()
        assert world.runtime.started[1].launch.environment == {}

    @pytest.mark.parametrize("changes", [{"cpu": 2.0}, {"memory": 2.0}, {"policy": "Always"}, {"subnetIds": [{"id": "/v/subnets/s"}]}])
    def test_what_cannot_be_changed_is_refused(self, changes: dict[str, Any]) -> None:
        world = running()
        reply = world.put_group(**changes)
        assert (reply.status, reply.body["error"]["code"]) == (400, "InvalidContainerGroupUpdate")
        assert not world.runtime.started[0].stopped

    def test_a_group_stays_in_its_region(self) -> None:
        world = running()
        world.runtime.started[0].ended(0)
        error = world.put_group(location="northeurope").body["error"]
        assert (error["code"], "already exists in location 'westeurope' in resource group 'rg'" in error["message"]) == (
            "InvalidResourceLocation",
            True,
        )
        assert world.put_group(location="West Europe").status == 200

    def test_a_stopped_group_may_become_another_one(self) -> None:
        world = running()
        do(world, "stop")
        assert world.put_group(cpu=2.0, policy="Always").status == 200

    def test_tags_and_zones_can_be_set_without_a_restart(self) -> None:
        world = running()
        patched = world.call("PATCH", f"{GROUPS}/g", {"tags": {"a": "b"}, "zones": ["1"]})
        assert (patched.status, patched.body["tags"], patched.body["zones"]) == (200, {"a": "b"}, ["1"])
        assert world.call("GET", f"{GROUPS}/g").body["tags"] == {"a": "b"}
        world.call("PUT", f"{GROUPS}/g", {**group_body(), "tags": {"c": "d"}})
        assert world.call("GET", f"{GROUPS}/g").body["tags"] == {"c": "d"}
        assert len(world.runtime.started) == 1
        refused = world.call("PATCH", f"{GROUPS}/g", {"properties": {"osType": "Linux"}})
        assert refused.body["error"]["code"] == "InvalidContainerGroupPatch"


class TestBackOff:
    def test_each_restart_waits_twice_as_long_up_to_five_minutes(self) -> None:
        world = running(policy="Always")
        waits = []
        for _ in range(7):
            world.runtime.started[-1].ended(1)
            waits.append(world.container()["currentState"]["detailStatus"].removeprefix("CrashLoopBackOff: Back-off "))
            world.clock.advance(300)
        assert [wait.partition(" ")[0] for wait in waits] == ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]
        assert waits[0].endswith(" restarting failed")
        assert world.container()["restartCount"] == 7

    def test_a_long_run_is_a_new_beginning(self) -> None:
        world = running(policy="OnFailure")
        for seconds in (10, 600):
            world.runtime.started[-1].ended(1)
            world.clock.advance(20)
            world.clock.advance(seconds)
        world.runtime.started[-1].ended(1)
        assert "Back-off 10s" in world.container()["currentState"]["detailStatus"]


class TestEvents:
    def test_a_container_that_has_ended_is_taken_away(self) -> None:
        world = running()
        world.runtime.started[0].ended(2)
        *others, last = world.container()["events"]
        assert [event["name"] for event in others] == ["Pulling", "Pulled", "Started"]
        assert (last["name"], last["type"]) == ("Killing", "Normal")

    def test_an_operation_tells_the_events_of_the_containers(self) -> None:
        world = make_world()
        path = world.put_group().headers["Azure-AsyncOperation"].removeprefix("https://management.azure.com").partition("?")[0]
        assert world.call("GET", path).body["properties"] == {"events": []}
        world.clock.advance(15)
        assert world.call("GET", path).body["properties"] == {"events": world.container()["events"]}
