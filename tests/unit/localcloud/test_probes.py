"""Liveness and readiness probes, on a clock that stands still."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

from tests.unit.localcloud.worlds import FakeContainer, World, group_body, make_world

LIVE = {"exec": {"command": ["cat", "healthy"]}, "periodSeconds": 5, "initialDelaySeconds": 2}


def probed(policy: str = "Always", **probes: Any) -> World:
    world = make_world()
    world.state.containers.lifecycle.probing.aside = lambda job: job()
    (main,) = group_body()["properties"]["containers"]
    assert world.put_group(policy=policy, containers=[{**main, "properties": {**main["properties"], **probes}}]).status == 201
    world.clock.advance(15)
    return world


def first(world: World) -> FakeContainer:
    return world.runtime.started[0]


def events(world: World) -> dict[str, tuple[str, int]]:
    """The message and the count of each kind."""
    return {event["name"]: (event["message"], event["count"]) for event in world.container()["events"]}


def test_a_container_is_looked_at_again_and_again() -> None:
    world = probed(livenessProbe=LIVE)
    assert first(world).commands == []
    world.clock.advance(2)
    assert first(world).commands == [("cat", "healthy")]
    world.clock.advance(5)
    assert len(first(world).commands) == 2
    world.clock.advance(100)
    assert world.container()["restartCount"] == 0
    assert "Unhealthy" not in events(world)


def test_a_container_that_is_not_alive_any_more_is_killed_and_started_again() -> None:
    world = probed(livenessProbe=LIVE)
    first(world).codes = [0, 1, 1, 1]
    first(world).lines = [b"what it wrote"]
    world.clock.advance(2 + 3 * 5)
    assert first(world).stopped
    assert world.container()["previousState"]["exitCode"] == 137
    assert events(world)["Unhealthy"] == ("Liveness probe failed: cat healthy at 80 x 24", 3)
    message, count = events(world)["Killing"]
    assert (message.startswith("Killing container with id "), len(message.split()[-1]), count) == (True, 65, 1)
    world.clock.advance(10)
    assert (world.container()["restartCount"], world.container()["currentState"]["state"]) == (1, "Running")
    world.clock.advance(2)
    assert len(world.runtime.started[1].commands) == 1


def test_failures_must_follow_each_other() -> None:
    world = probed(livenessProbe=LIVE)
    first(world).codes = [1, 1, 0, 1, 1, 0]
    world.clock.advance(100)
    assert world.container()["restartCount"] == 0


def test_under_never_a_dead_container_stays_dead() -> None:
    world = probed(policy="Never", livenessProbe={**LIVE, "failureThreshold": 1})
    first(world).codes = [1]
    world.clock.advance(100)
    assert (world.view()["instanceView"]["state"], world.container()["currentState"]["exitCode"]) == ("Failed", 137)
    assert events(world)["Killing"][1] == 1


def test_a_container_that_is_not_ready_goes_on() -> None:
    world = probed(readinessProbe={**LIVE, "failureThreshold": 1})
    first(world).codes = [1, 1, 1]
    world.clock.advance(100)
    assert events(world)["Unhealthy"] == ("Readiness probe failed: cat healthy at 80 x 24", 3)
    assert world.container()["restartCount"] == 0


def test_nobody_looks_at_what_has_ended() -> None:
    world = probed(policy="Never", livenessProbe=LIVE)
    first(world).ended(0)
    world.clock.advance(100)
    assert first(world).commands == []


def test_what_is_seen_of_an_earlier_run_counts_for_nothing() -> None:
    world = probed(livenessProbe={**LIVE, "failureThreshold": 1})
    jobs: list[Any] = []
    world.state.containers.lifecycle.probing.aside = jobs.append
    first(world).codes = [1]
    world.clock.advance(2)
    first(world).ended(0)
    world.clock.advance(10)
    jobs[0]()
    assert (world.container()["restartCount"], world.container()["currentState"]["state"]) == (1, "Running")


def test_a_command_that_cannot_be_started_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise OSError("no such command")

    world = probed(livenessProbe=LIVE)
    monkeypatch.setattr(FakeContainer, "execute", refuse)
    world.clock.advance(2)
    assert events(world)["Unhealthy"] == ("Liveness probe failed: no such command", 1)


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_a_command_that_cannot_even_be_named_is_a_failure(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def refuse(*_: Any) -> Any:
        raise error("embedded null byte")

    world = probed(livenessProbe=LIVE)
    monkeypatch.setattr(FakeContainer, "execute", refuse)
    world.clock.advance(2)
    assert events(world)["Unhealthy"] == ("Liveness probe failed: embedded null byte", 1)


def test_a_request_that_cannot_be_sent_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ValueError("Invalid header value")

    monkeypatch.setattr(http.client.HTTPConnection, "request", refuse)
    world = probed(livenessProbe={"httpGet": {"path": "/", "port": 9}, "initialDelaySeconds": 2})
    world.clock.advance(2)
    assert events(world)["Unhealthy"] == ('Liveness probe failed: Get "http://127.0.0.1:9/": Invalid header value', 1)


@pytest.mark.parametrize(("name", "value"), [("a", "x\ny"), ("a\nb", "x"), ("a", "x\0"), ("a b", "x"), ("a", "\N{SNOWMAN}")])
def test_a_header_that_cannot_be_sent_is_refused(name: str, value: str) -> None:
    probe = {"httpGet": {"path": "/", "port": 9, "httpHeaders": [{"name": name, "value": value}]}}
    assert refusal(livenessProbe=probe) == "InvalidProbe"


@pytest.mark.parametrize("port", ["x", [None], {"a": 1}, True, 1.5])
def test_a_port_that_is_no_number_is_refused(port: Any) -> None:
    assert refusal(livenessProbe={"httpGet": {"path": "/", "port": port}}) == "InvalidRequestContent"


@pytest.mark.parametrize("port", [-1, 65536, 10**30])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    assert refusal(livenessProbe={"httpGet": {"path": "/", "port": port}}) == "InvalidPort"


def refusal(**probes: Any) -> str:
    """The code of a 400."""
    (main,) = group_body()["properties"]["containers"]
    reply = make_world().put_group(containers=[{**main, "properties": {**main["properties"], **probes}}])
    assert reply.status == 400
    return str(reply.body["error"]["code"])
