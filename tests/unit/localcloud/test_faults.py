"""Scripted faults."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.arm.calls import Call
from localcloud.arm.faults import Fault, Faults, no_capacity
from tests.unit.localcloud.worlds import GROUPS, make_world


def test_a_fault_hits_the_calls_it_describes_and_no_other_and_no_more_often() -> None:
    world = make_world()
    world.state.faults.add(
        Fault(method="PUT", path="containerGroups/g", skip=1, count=1, status=503, code="Busy", headers={"Retry-After": "9"})
    )
    assert world.put_group("g-1").status == 201
    assert world.call("GET", f"{GROUPS}/g-1").status == 200
    hit = world.put_group("g-2")
    assert (hit.status, hit.body["error"]["code"], hit.headers["Retry-After"]) == (503, "Busy", "9")
    assert world.put_group("g-2").status == 201
    assert world.state.faults.listing() == []


@pytest.mark.parametrize("code", ["ServiceUnavailable", "InsufficientCapacity"])
def test_a_region_can_be_out_of_capacity_while_others_are_not(code: str) -> None:
    world = make_world()
    world.state.faults.add(no_capacity("westeurope", count=2, code=code))

    assert world.put_group("a", location="northeurope").status == 201
    for name in ("b", "c"):
        refused = world.put_group(name, location="West Europe")
        assert (refused.status, refused.body["error"]["code"]) == (409, code)
        assert "is not available in the location 'westeurope' at this moment" in refused.body["error"]["message"]
    assert world.put_group("d").status == 201


def test_a_fault_for_a_region_lets_reads_pass() -> None:
    world = make_world()
    world.put_group()
    world.state.faults.add(Fault(location="westeurope", status=500))
    assert world.call("GET", f"{GROUPS}/g").status == 200


def test_a_lost_reply_acts_and_answers_504() -> None:
    world = make_world()
    world.state.faults.add(Fault(method="PUT", lost=True))
    reply = world.put_group()
    assert (reply.status, reply.body["error"]["code"]) == (504, "GatewayTimeout")
    assert world.call("GET", f"{GROUPS}/g").status == 200


def test_a_delay_is_given_to_the_server_and_changes_nothing_else() -> None:
    world = make_world()
    world.state.faults.add(Fault(delay=0.5))
    reply, delay = world.state.answer(Call(method="GET", path=GROUPS, query={"api-version": "2023-05-01"}))
    assert (reply.status, delay) == (200, 0.5)


@pytest.mark.parametrize("body", [[], {"colour": 1}, {"path": "("}])
def test_a_fault_that_makes_no_sense_is_refused(body: Any) -> None:
    with pytest.raises(ValueError, match=r"a fault is an object|regular expressions"):
        Fault.read(body)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("count", "2"),
        ("count", -1),
        ("count", True),
        ("skip", "1"),
        ("skip", -1),
        ("route", 5),
        ("location", 5),
        ("by", "nobody"),
        ("priority", "spot?"),
        ("status", "503"),
        ("lost", "false"),
        ("probability", "x"),
        ("delay", "x"),
        ("delay", float("nan")),
        ("delay", -1),
        ("lasts", -5),
        ("lasts", "x"),
        ("lasts", 1e300),
        ("headers", ["a"]),
        ("headers", {"é☃": "1"}),
        ("headers", {"a": "☃"}),
        ("headers", {"a": "1\r\nb: 2"}),
        ("headers", {"Retry-After": 5}),
    ],
)
def test_a_mistyped_key_is_named_and_nothing_is_asked_for(key: str, value: Any) -> None:
    world = make_world()

    with pytest.raises(ValueError, match=f"^{key} "):
        world.state.faults.add(Fault.read({"name": "throttled", key: value}))
    with pytest.raises(ValueError, match=f"^{key} "):
        world.state.faults.add(Fault(**{"status": 429, key: value}))

    assert world.state.faults.listing() == []


def test_a_fault_that_does_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="does nothing"):
        Fault.read({"count": 3})


def test_a_fault_whose_end_cannot_be_set_is_not_there() -> None:
    faults = Faults(later=lambda _seconds, _call: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        faults.add(Fault(status=500, lasts=1))

    assert faults.listing() == []


def test_a_bug_in_a_fault_is_one_call_s_500(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    monkeypatch.setattr(world.state.faults, "pick", lambda _call: 1 // 0)

    assert world.call("GET", GROUPS).status == 500


def test_every_call_is_on_record_with_its_status() -> None:
    world = make_world()
    world.call("GET", f"{GROUPS}/absent")
    last = world.state.journal.listing()[-1]
    assert (last["method"], last["path"], last["status"], last["by"]) == ("GET", f"{GROUPS}/absent", 404, "client")
