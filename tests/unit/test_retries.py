"""Another attempt: after which failures, when, where, and what it may cost."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from loadme.core.messages import StepCheck, StepCleanup, StepRequest
from loadme.errors import Retryable, Terminal
from loadme.handlers import callback as callbacks
from loadme.handlers import queries
from tests.unit.test_callbacks import status_of
from tests.world import World, attempt_id

CAPACITY = "ServiceUnavailable"
QUOTA = "ContainerGroupQuotaReached"


def one_step(**keys: Any) -> str:
    """A workflow of one step with these keys."""
    return json.dumps({"name": "sample", "steps": {"only": {"image": "img", **keys}}})


class Nights:
    """One run of one step; `launched` waits for an attempt to be deployed."""

    def __init__(self, **keys: Any) -> None:
        self.world = World(one_step(**keys))
        self.run = self.world.start()

    def launched(self, number: int, within: float = 1.0) -> str:
        """The attempt's name, once it is deployed; fails if that takes more than so many hours."""
        name = attempt_id(self.run, "only", attempt=number)
        for _ in range(int(within * 60)):
            if name in self.world.arm.container_groups:
                return name
            self.world.live(1 / 60)
        raise AssertionError(f"{name} was not launched: {self.world.show(self.run)}")

    def step(self) -> dict[str, Any]:
        """The step as the API shows it."""
        found: dict[str, Any] = self.world.show(self.run)["steps"][0]
        return found

    def succeed(self, number: int, **outputs: Any) -> None:
        """The attempt's container runs, reports and ends."""
        name = self.launched(number, within=2.0)
        self.world.arm.start(name, at=self.world.moment)
        self.world.report(name, **outputs)
        self.world.arm.finish(name, log="words\n", at=self.world.moment)
        self.world.live(0.2)

    def fail(self, number: int, exit_code: int = 1) -> None:
        """The attempt's container ends with this exit code, and that is seen."""
        name = self.launched(number)
        self.world.arm.finish(name, exit_code=exit_code, log="words\n", at=self.world.moment)
        self.world.live(1 / 12)


def test_a_failed_attempt_is_followed_by_another_which_succeeds():
    night = Nights(retry={"attempts": 3}, outputs={"rows": "integer"})
    night.fail(1)
    night.succeed(2, rows=3)
    shown = night.world.show(night.run)
    assert (shown["status"], shown["outputs"], night.step()["attempts"]) == ("succeeded", {"rows": 3}, 2)
    night.world.assert_nothing_left()


def test_the_last_attempt_decides_and_each_of_them_can_be_looked_at():
    night = Nights(retry={"attempts": 2})
    night.fail(1, exit_code=3)
    night.fail(2, exit_code=4)
    assert night.world.ended(night.run)["exit_code"] == 4
    (item,) = queries.list_items(night.world.services, night.run.id, "only")["items"]
    assert [(one["attempt"], one["status"], one["error"]["exit_code"]) for one in item["attempts"]] == [(1, "failed", 3), (2, "failed", 4)]
    for number in (1, 2):
        assert queries.read_log(night.world.services, night.run.id, "only", queries.LogQuery(attempt=str(number))) == "words\n"
    assert status_of(queries.read_log, night.world.services, night.run.id, "only", queries.LogQuery(attempt="3")) == 404


def test_without_a_word_about_retries_the_work_is_tried_once():
    night = Nights()
    night.fail(1)
    night.world.ended(night.run)
    assert list(night.world.arm.starts.values()) == [1]


@pytest.mark.parametrize(("on", "attempts"), [(["failed"], 2), (["exit_code"], 2), (["timed_out"], 1), (["heartbeat", "image"], 1)])
def test_only_the_kinds_that_are_named_are_tried_again(on, attempts):
    night = Nights(retry={"attempts": 2, "on": on})
    night.fail(1)
    night.world.live(0.2)
    assert night.step()["attempts"] == attempts


def test_the_work_can_name_a_kind_of_its_own():
    night = Nights(retry={"attempts": 2, "on": ["no-data"]})
    first = night.launched(1)
    night.world.arm.start(first, at=night.world.moment)
    callbacks.failure(night.world.services, night.world.call(first, {"kind": "no-data", "message": "not there yet"}))
    night.world.live(0.1)
    callbacks.failure(night.world.services, night.world.call(night.launched(2), {"kind": "other", "message": "no"}))
    night.world.live(0.1)
    assert night.world.show(night.run)["error"]["kind"] == "other"


def test_the_next_attempt_waits_for_its_delay_and_says_so():
    night = Nights(retry={"attempts": 2, "delay": "20m", "max_delay": "1h", "jitter": "none"})
    first = night.launched(1)
    night.world.arm.finish(first, exit_code=3, at=night.world.moment)
    night.world.live(1 / 12)
    retry = night.step()["retry"]
    assert (retry["attempt"], "exit code 3" in retry["why"]) == (2, True)
    night.world.live(0.2)
    assert night.step()["attempts"] == 1
    night.world.live(0.2)
    assert night.step()["attempts"] == 2


def test_the_next_attempt_waits_until_the_last_ones_group_is_gone():
    night = Nights(retry={"attempts": 2, "delay": "1s"})
    first = night.launched(1)
    refused = night.world.calls("arm", "delete_group", Retryable("it is still transitioning", code="ContainerGroupTransitioning"))
    night.world.arm.finish(first, exit_code=1, at=night.world.moment)
    night.world.live(0.12)
    assert (night.step()["attempts"], bool(refused)) == (1, True)
    night.world.recover("arm", "delete_group")
    night.launched(2, within=0.1)
    assert first not in night.world.arm.container_groups


def test_a_group_that_cannot_be_deleted_is_fenced_after_ten_minutes_and_reported():
    night = Nights(retry={"attempts": 2, "delay": "1s"})
    first = night.launched(1)
    call = night.world.call(first, {})
    night.world.calls("arm", "delete_group", Terminal("the resource group is locked", code="ScopeLocked"))
    night.world.arm.finish(first, exit_code=1, at=night.world.moment)
    night.world.live(0.16)
    assert night.step()["attempts"] == 1
    night.launched(2, within=0.2)
    (item,) = queries.list_items(night.world.services, night.run.id, "only")["items"]
    assert [one["cleanup"] for one in item["attempts"]] == ["leaked", "none"]
    assert status_of(callbacks.callback, night.world.services, call) == 410
    night.succeed(2)
    assert night.world.show(night.run)["status"] == "succeeded"
    night.world.recover("arm", "delete_group")
    night.world.live(0.3)
    night.world.assert_nothing_left()


def test_an_older_attempt_can_change_nothing():
    night = Nights(retry={"attempts": 2, "delay": "1s"})
    first = night.launched(1)
    call = night.world.call(first, {"late": 1})
    night.fail(1)
    night.launched(2)
    assert status_of(callbacks.callback, night.world.services, call) == 410
    assert status_of(callbacks.heartbeat, night.world.services, call) == 410
    assert night.step()["status"] == "running"


@pytest.mark.parametrize("code", ["InvalidTemplate", "AuthorizationFailed", "LocationNotAvailableForResourceType", ""])
def test_what_is_refused_for_good_is_not_tried_again(code):
    night = Nights(retry={"attempts": 5})
    night.world.arm.errors["deploy"] = [Terminal("ARM's own words", code=code)]
    night.world.live(0.5)
    error = night.world.ended(night.run)
    assert (error["kind"], error["details"]) == ("refused", (f"{code or 'Refused'}: ARM's own words",))
    assert night.world.arm.starts == {}


def test_what_azure_does_to_an_attempt_spends_no_attempt_of_the_works():
    night = Nights(retry={"attempts": 1})
    night.fail(1, exit_code=7147)
    night.fail(2, exit_code=7148)
    night.fail(3, exit_code=1)
    assert night.world.ended(night.run)["exit_code"] == 1


def test_the_budget_for_azures_own_faults_has_an_end():
    night = Nights(retry={"infrastructure": 2})
    for number in (1, 2, 3):
        night.fail(number, exit_code=7147)
    assert night.world.ended(night.run)["kind"] == "infrastructure"
    assert len(night.world.arm.starts) == 3


def without_capacity(night: Nights, number: int, code: str = CAPACITY) -> str:
    """The attempt's deployment fails for want of capacity; where that was."""
    name = night.launched(number)
    night.world.arm.fail_deployment(name, code, "There is none.")
    place = night.world.arm.parameters[name]["location"]
    night.world.live(1 / 20)
    return str(place)


def test_locations_are_tried_in_order_when_there_is_no_capacity():
    night = Nights(locations=["westeurope", "northeurope"])
    assert without_capacity(night, 1) == "westeurope"
    before = night.world.moment
    assert without_capacity(night, 2) == "northeurope"
    assert night.world.moment - before < timedelta(minutes=5)
    assert without_capacity(night, 3) == "westeurope"
    night.succeed(4)
    (item,) = queries.list_items(night.world.services, night.run.id, "only")["items"]
    assert [one["location"] for one in item["attempts"]] == ["westeurope", "northeurope", "westeurope", "northeurope"]
    assert night.world.show(night.run)["status"] == "succeeded"


def test_capacity_that_is_refused_at_once_moves_on_as_well():
    night = Nights(locations=["westeurope", "northeurope"])
    night.world.arm.errors["deploy"] = [Retryable("409 ServiceUnavailable", code=CAPACITY)]
    second = night.launched(2)
    assert night.world.arm.parameters[second]["location"] == "northeurope"


def test_a_region_without_capacity_is_given_up_after_its_rounds():
    night = Nights(retry={"capacity": 1})
    without_capacity(night, 1)
    without_capacity(night, 2)
    assert night.world.ended(night.run)["kind"] == "capacity"


@pytest.mark.parametrize("code", [QUOTA, "ResourceRequestsThrottled"])
def test_a_quota_that_is_used_up_never_fails_a_step(code):
    night = Nights()
    for number in range(1, 15):
        without_capacity(night, number, code)
    night.succeed(15)
    assert night.world.show(night.run)["status"] == "succeeded"


def test_silence_past_the_heartbeat_ends_an_attempt():
    night = Nights(heartbeat="1m", retry={"attempts": 2, "on": ["heartbeat"]})
    first = night.launched(1)
    night.world.arm.start(first, at=night.world.moment)
    for _ in range(10):
        night.world.live(1 / 60)
        callbacks.heartbeat(night.world.services, night.world.call(first, {"fraction": 0.5, "text": "half way"}))
    assert (night.step()["attempts"], night.step()["progress"]["text"]) == (1, "half way")
    night.world.live(1 / 15)
    (item,) = queries.list_items(night.world.services, night.run.id, "only")["items"]
    assert item["attempts"][0]["error"]["kind"] == "heartbeat"
    night.launched(2)


def test_a_lost_request_for_the_next_attempt_is_sent_again_by_the_patrol():
    night = Nights(retry={"attempts": 2, "delay": "1s"})
    first = night.launched(1)
    night.world.arm.finish(first, exit_code=1, at=night.world.moment)
    night.world.drain(within=60, keep=(StepRequest.queue,))
    night.world.queues.sent[:] = [one for one in night.world.queues.sent if one.queue != StepRequest.queue]
    night.launched(2, within=0.3)


def test_an_item_that_is_tried_a_hundred_times_stays_small():
    night = Nights(retry={"attempts": 100, "delay": "1s", "max_delay": "1s"})
    for number in range(1, 41):
        night.fail(number)
    row = night.world.tables.read(night.run.id, "i~only~00000")
    assert row is not None
    assert len(row.body) < 40_000
    assert night.step()["attempts"] >= 40


def test_requests_that_come_twice_launch_once():
    night = Nights(retry={"attempts": 2, "delay": "1s"})
    night.fail(1)
    bodies = night.world.queues.bodies(StepRequest.queue)
    for body in bodies * 3:
        night.world.queues.send(StepRequest.queue, body)
    second = night.launched(2)
    night.world.drain(within=30, keep=(StepCheck.queue, StepCleanup.queue))
    assert night.world.arm.starts[second] == 1
