"""The side door's faults, holds and record of calls, without a network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from localcloud.arm import by_hand
from localcloud.arm.calls import Call
from localcloud.arm.faults import Fault, Faults
from localcloud.arm.journal import Asked, Journal
from localcloud.arm.matching import route_pattern
from localcloud.arm.ready_made import READY_MADE
from localcloud.arm.shapes import shape
from localcloud.clock import ManualClock
from localcloud.controls import Controls
from tests.unit.localcloud.worlds import DEPLOYMENTS, GROUPS, World, deployment, group_body, group_resource, make_world, template

PATH = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups/g"


def seconds(world: World, much: float = 60.0) -> None:
    world.clock.advance(much)


def hits(faults: Faults, paths: list[str], method: str = "GET") -> list[bool]:
    return [bool(faults.pick(Call(method=method, path=path)).status) for path in paths]


@pytest.mark.parametrize(
    ("route", "path", "matches"),
    [
        ("containerGroups/{name}", PATH, True),
        ("containergroups/{name}", PATH + "/", True),
        ("containerGroups/{name}", PATH + "/containers/main/logs", False),
        ("containerGroups/{name}/**", PATH + "/containers/main/logs", True),
        ("containerGroups/lm-{rest}", PATH, False),
        ("Groups/{name}", PATH, False),
        ("/localcloud/{it}", "/localcloud/calls", True),
    ],
)
def test_a_route_is_the_end_of_a_path_segment_by_segment(route: str, path: str, matches: bool) -> None:
    assert bool(route_pattern(route).search(path)) is matches


def test_a_fault_by_route_hits_a_group_and_not_its_logs() -> None:
    faults = Faults()
    faults.add(Fault.read({"route": "containerGroups/{name}", "status": 500, "count": None}))

    assert hits(faults, [PATH, PATH + "/containers/main/logs", PATH]) == [True, False, True]


def test_the_same_seed_makes_the_same_decisions_whatever_else_is_called() -> None:
    def decisions(between: int, seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add(Fault.read({"path": "/chosen", "status": 500, "probability": 0.5}))
        made = []
        for _ in range(40):
            hits(faults, ["/other"] * between)
            made += hits(faults, ["/chosen"])
        return made

    first = decisions(0, seed=7)
    assert first == decisions(3, seed=7)
    assert first != decisions(0, seed=8)
    assert 10 < sum(first) < 30


def test_a_fault_with_a_seed_of_its_own_does_not_follow_the_cloud_s() -> None:
    def decisions(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add(Fault.read({"status": 500, "probability": 0.5, "seed": 3}))
        return hits(faults, ["/a"] * 20)

    assert decisions(1) == decisions(2)


def test_a_fault_ends_after_its_time() -> None:
    clock = ManualClock()
    faults = Faults(later=clock.call_later)
    faults.add(Fault.read({"status": 500, "count": None, "lasts": 30}))

    before = hits(faults, ["/a"])
    clock.advance(31)

    assert (before, hits(faults, ["/a"]), faults.listing()) == ([True], [False], [])


def test_one_of_two_faults_can_be_dropped_and_each_says_how_often_it_has_happened() -> None:
    faults = Faults()
    first = faults.add(Fault.read({"path": "/a", "status": 500, "count": 5}))
    faults.add(Fault.read({"path": "/b", "status": 500, "count": 5}))
    hits(faults, ["/b", "/b"])

    assert (faults.drop(first), faults.drop(first)) == (True, False)
    assert [(one["path"], one["hits"], one["count"]) for one in faults.listing()] == [("/b", 2, 3)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "no-capacty"}, "there is no ready-made fault no-capacty"),
        ({"service": "dns", "status": 500}, "there is no service dns"),
        ({"probability": 2}, "from 0 to 1"),
        ({"hold": "Succeeded"}, "hold is one of"),
        ({"status": 200}, "no error's"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_advice(body: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault.read(body)


def test_a_fault_of_a_service_that_does_not_pass_the_side_door_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="--relay storage"):
        Faults().add(Fault.read({"name": "storage-busy"}))


@pytest.mark.parametrize("name", list(READY_MADE))
def test_each_ready_made_fault_is_one_and_can_be_changed(name: str) -> None:
    fault = Fault.read({"name": name, "count": 3, "location": "northeurope"})

    assert (fault.name, fault.count) == (name, 3)
    assert "{" not in fault.message
    assert fault.status or fault.lost or fault.hold or fault.slow or fault.evict
    assert READY_MADE[name].does


def test_an_image_that_is_not_accessible_is_found_out_when_it_is_pulled() -> None:
    world = make_world()
    world.state.faults.add(Fault.read({"name": "image-not-accessible"}))
    world.put_group("g")
    seconds(world)

    assert world.view("g")["provisioningState"] == "Failed"


def test_a_slow_container_group_is_pending_for_so_much_longer() -> None:
    world = make_world()
    world.state.faults.add(Fault.read({"name": "slow-provisioning", "slow": 100}))
    world.put_group("g")
    seconds(world, 99)
    before = world.view("g")["provisioningState"]
    seconds(world, 20)

    assert (before, world.view("g")["provisioningState"]) == ("Pending", "Succeeded")


@pytest.mark.parametrize("state", ["Pending", "Creating"])
def test_a_held_container_group_stays_where_it_is_until_it_is_released(state: str) -> None:
    world = make_world()
    world.state.faults.add(Fault.read({"name": "held", "hold": state}))
    world.put_group("g")
    seconds(world, 3600)
    held = world.view("g")["provisioningState"]
    by_hand.release(world.state, "g")
    seconds(world)

    assert (held, world.view("g")["provisioningState"]) == (state, "Succeeded")


def test_a_group_that_is_released_before_it_was_held_does_not_stop() -> None:
    world = make_world()
    world.state.faults.add(Fault.read({"name": "held"}))
    world.put_group("g")
    by_hand.release(world.state, "G")
    seconds(world)

    assert world.view("g")["provisioningState"] == "Succeeded"


def test_a_held_deployment_stays_running_although_its_resources_are_there() -> None:
    world = make_world()
    world.state.faults.add(Fault.read({"name": "held-deployment"}))
    world.call("PUT", f"{DEPLOYMENTS}/d", deployment(template([group_resource("g")])))
    seconds(world, 3600)
    held = world.call("GET", f"{DEPLOYMENTS}/d").body["properties"]["provisioningState"]
    group = world.view("g")["provisioningState"]
    by_hand.release(world.state, "d")

    assert (held, group) == ("Running", "Succeeded")
    assert world.call("GET", f"{DEPLOYMENTS}/d").body["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(("given", "code", "detail"), [({"code": 3}, 3, "Error"), ({"oom": True}, 137, "OOMKilled"), ({}, 0, "Completed")])
def test_a_container_ends_by_hand_with_the_code_and_keeps_its_log(given: dict[str, Any], code: int, detail: str) -> None:
    world = make_world()
    world.put_group("g")
    seconds(world)
    world.runtime.started[0].lines.append(b"working")
    by_hand.act(world.state, "g", "exit", given)

    state = world.container("g")["currentState"]
    assert (state["state"], state["exitCode"], state["detailStatus"]) == ("Terminated", code, detail)
    assert world.runtime.started[0].stopped
    assert "working" in world.call("GET", f"{GROUPS}/g/containers/main/logs").body["content"]


def test_a_container_is_started_again_by_hand_and_counts_it() -> None:
    world = make_world()
    world.put_group("g")
    seconds(world)
    by_hand.act(world.state, "g", "restart", {})
    seconds(world)

    assert (len(world.runtime.started), world.container("g")["restartCount"]) == (2, 1)
    assert world.container("g")["currentState"]["state"] == "Running"


@pytest.mark.parametrize(("gone", "starts"), [(False, 2), (True, 1)])
def test_a_group_is_evicted_by_hand(gone: bool, starts: int) -> None:
    world = make_world()
    world.put_group("g")
    seconds(world)
    by_hand.act(world.state, "g", "evict", {"gone": gone})
    seconds(world)

    assert len(world.runtime.started) == starts


@pytest.mark.parametrize(
    ("name", "action", "given", "error", "message"),
    [
        ("absent", "exit", {}, by_hand.Absent, "no container group absent"),
        ("absent", "release", {}, by_hand.Absent, "neither a container group nor a deployment"),
        ("g", "exit", {"container": "other"}, by_hand.Absent, "no container other"),
        ("g", "exit", {}, ValueError, "does not run"),
        ("g", "explode", {}, ValueError, "no action explode"),
        ("g", "evict", {"code": 1}, ValueError, "evict does not know code"),
        ("g", "evict", {"gone": "false"}, ValueError, "gone is true or false"),
        ("g", "exit", {"code": "a"}, ValueError, "code is a whole number"),
        ("g", "exit", {"code": 256}, ValueError, "code is a whole number from 0 to 255"),
        ("g", "exit", {"oom": 1}, ValueError, "oom is true or false"),
        ("g", "restart", {"container": 5}, ValueError, "container is a text"),
    ],
)
def test_what_cannot_be_done_by_hand_is_said(name: str, action: str, given: dict[str, Any], error: type[Exception], message: str) -> None:
    world = make_world()
    world.put_group("g")

    with pytest.raises(error, match=message):
        by_hand.act(world.state, name, action, given)


def test_a_body_is_shown_by_its_shape_and_says_nothing() -> None:
    body = {"name": "secret", "size": 1, "on": True, "none": None, "list": [{"value": "secret"}, 2.5]}

    assert shape(body) == {"name": "string", "size": "number", "on": "boolean", "none": "null", "list": [{"value": "string"}, "number"]}
    assert len(shape(dict.fromkeys(map(str, range(1000)), "x"))) == 200


def test_calls_are_read_back_by_what_is_asked_for() -> None:
    world = make_world()
    world.state.journal.names = {"me": "deployer"}
    world.put_group("g")
    world.state.answer(Call(method="GET", path=f"{GROUPS}/absent", query={"api-version": "2023-05-01", "sig": "secret"}, actor="me"))
    last = world.state.journal.listing()[-1]["number"]

    def found(**asked: Any) -> list[tuple[str, int]]:
        return [(call["method"], call["status"]) for call in world.state.journal.listing(Asked.read(asked))]

    assert found(route="containerGroups/{name}", status="4..") == [("GET", 403)]
    assert found(who="deployer") == [("GET", 403)]
    assert found(method="PUT", path="containerGroups/g$") == [("PUT", 201)]
    assert found(since=last) == found(service="vault") == []
    assert "secret" not in str(world.state.journal.listing())
    assert world.state.journal.listing(Asked(method="PUT", route="containerGroups/{name}"))[0]["body"]["location"] == "string"


def test_a_fault_that_has_hit_a_call_is_on_its_record() -> None:
    world = make_world()
    world.state.faults.add(Fault.read({"name": "throttled"}))

    world.call("GET", f"{GROUPS}/g")

    assert [(call["status"], call["fault"]) for call in world.state.journal.listing()][-1] == (429, "throttled")


def test_waiting_for_calls_that_are_there_already_takes_no_time() -> None:
    journal = Journal()
    journal.write(Call(method="GET", path="/a"), 200, ManualClock().now())

    assert len(journal.wait(Asked(path="/a"), timeout=0)) == 1
    assert journal.wait(Asked(path="/b"), timeout=0) == []


@pytest.mark.parametrize("given", [{"colour": "red"}, {"path": "("}, {"status": "["}, {"service": "dns"}])
def test_calls_cannot_be_asked_for_by_nonsense(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"cannot be asked for|regular expression|no service"):
        Asked.read(given)


def test_everything_is_forgotten_and_nothing_of_it_goes_on() -> None:
    world = make_world()
    world.put_group("g")
    seconds(world)

    world.state.forget()
    seconds(world, 3600)

    assert world.runtime.started[0].stopped
    assert world.call("PUT", f"{GROUPS}/g", group_body()).status == 404
    assert len(world.runtime.started) == 1


def test_a_fault_and_a_container_s_new_start_are_asked_for_in_python_too() -> None:
    world = make_world()
    controls = controls_of(world)
    world.put_group("g")
    seconds(world)
    dropped = controls.add_fault("throttled", count=9)
    kept = controls.add_fault("arm-down", service="arm", path="nowhere")

    controls.drop_fault(dropped)
    controls.restart_container("g", container="main")
    seconds(world)

    assert [one["id"] for one in controls.faults()] == [kept]
    assert (len(world.runtime.started), world.container("g")["restartCount"]) == (2, 1)


def controls_of(world: World) -> Controls:
    class Here(Controls):
        azure: Any = SimpleNamespace(state=world.state)

    return Here()
