"""What a user does about a run, and what loadme does by itself: tried again, cancelled, resumed, deleted, waiting, told, swept up.

Everything is started at once in one local cloud, and each test looks at its own part of it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from loadme.core.ids import newest_first
from localcloud.arm import Latencies
from localcloud.cloud import Cloud
from tests.e2e.conftest import cloud_settings
from tests.e2e.outside import Arm, Receiver, Storage, processes, receiver
from tests.e2e.test_runs import Api, Shown
from tests.waiting import wait_for

FOLDER = Path(__file__).parent / "recovery"
LONG = 300  # seconds: a step that waits for quota looks again after 15, then 30, 60 and 120
OLD_RUN = "00000000000000000abc"
"""The id of a run of 1970, of which nobody knows anything."""

LEAKED = "a-group-of-ours"
FOREIGN = {"another's": "a-database", "another app's": f"lm-{OLD_RUN}-work-0-3", "perhaps another's": f"lm-{OLD_RUN}-work-0-2"}
TAGS = {"loadme-run": OLD_RUN, "loadme-step": "work", "loadme-item": "0", "loadme-attempt": "1"}


class Night:
    """All the runs of this module, in one cloud."""

    def __init__(self, api: Api, arm: Arm, told: Receiver, flag: Path) -> None:
        self.api, self.arm, self.told, self.flag = api, arm, told, flag
        self.storage = Storage(api.cloud)
        missing = str(flag) + "-that-is-not-there"
        flag.touch()
        given: dict[str, tuple[str, dict[str, Any]]] = {
            "silent": ("silent", {}),
            "third-time": ("third-time", {}),
            "first": ("one-place", {}),
            "second": ("one-place", {}),
            "waiting": ("waiting", {}),
            "patient": ("patient", {}),
            "failed": ("mending", {"flag": f"{flag}-later"}),
            "changed": ("mending", {"flag": missing}),
            "succeeded": ("mending", {"flag": str(flag)}),
            "leaving": ("leaving-much", {"text": "x" * 50_000}),
        }
        self.ids = {name: api.start(workflow, {"Idempotency-Key": f"night {name}"}, **values) for name, (workflow, values) in given.items()}

    def ended(self, name: str) -> Shown:
        return self.api.ended(self.ids[name], LONG)

    def step(self, name: str, step: str) -> Shown:
        return self.api.step(self.ids[name], step)

    def attempt(self, name: str, step: str, number: int = 1) -> str:
        return f"lm-{self.ids[name]}-{step}-0-{number}"

    def post(self, name: str, action: str, **body: Any) -> httpx.Response:
        return self.api.client.post(f"/api/runs/{self.ids[name]}/{action}", json=body)

    def resume(self, name: str, status: int = 202, **body: Any) -> None:
        """Its end must have been told before a run can be resumed."""
        answer = wait_for(
            lambda: found if (found := self.post(name, "resume", **body)).status_code != 503 else None, 20, "the end to be told"
        )
        assert answer.status_code == status, answer.text

    def is_gone(self, name: str) -> None:
        wait_for(lambda: not self.api.left(self.ids[name]), LONG, "nothing to be left in ARM")

    def starts(self, name: str) -> dict[str, int]:
        """How often each attempt's container was started, by step and number."""
        prefix = f"lm-{self.ids[name]}-"
        return {attempt.removeprefix(prefix).replace("-0-", " "): count for attempt, count in self.api.starts(self.ids[name]).items()}

    def patrol(self) -> None:
        """The patrol now, and not at the next minute."""
        key = {"x-functions-key": self.api.cloud.master_key}
        assert self.api.client.post("/admin/functions/patrol", json={}, headers=key).status_code == 202


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """On a cloud that takes two seconds to start a container, and in which the patrol sweeps whenever it comes."""
    usual = cloud_settings(tmp_path_factory.mktemp("recovery"))
    arm = dataclasses.replace(usual.arm, latencies=Latencies(start=40.0))
    with receiver() as told:
        extra = {"LOADME_QUOTA_CORES": "31", "LOADME_EVENTS_WEBHOOK": told.url, "LOADME_SWEEP_PERIOD": "1"}
        settings = dataclasses.replace(usual, workflows=FOLDER, arm=arm, environment={**usual.environment, **extra})
        with Cloud(settings) as cloud, Api(cloud) as api, Arm(cloud) as arm:
            yield Night(api, arm, told, tmp_path_factory.mktemp("flags") / "flag")


def test_one_of_two_runs_with_room_for_one_says_what_it_waits_for(night: Night) -> None:
    waits = wait_for(lambda: [w for name in ("first", "second") if (w := night.step(name, "work")["waiting"])], LONG, "one of them to wait")

    assert [one["why"] for one in waits] == ["quota"]
    assert None not in (waits[0]["until"], waits[0]["estimate"])


def test_a_run_that_is_cancelled_while_its_container_is_provisioned_leaves_nothing(night: Night) -> None:
    # Started here: its container is at work two seconds later.
    night.ids["starting"] = night.api.start("starting")
    attempt = night.attempt("starting", "start")
    wait_for(lambda: night.api.cloud.groups().get(attempt), LONG, "the container group")

    answer = night.post("starting", "cancel", reason="changed my mind")
    starts = night.starts("starting")

    assert answer.status_code == 202, answer.text
    assert is_cancelled(night, "starting", attempt)["cancel"]["reason"] == "changed my mind"
    assert starts == {"start 1": 0}, "it was cancelled too late for this test"


def test_a_run_that_is_cancelled_while_its_container_works_leaves_nothing(night: Night) -> None:
    attempt = night.attempt("waiting", "wait")
    wait_for(lambda: processes(attempt), LONG, "the container's processes")

    assert night.post("waiting", "cancel").status_code == 202

    shown = is_cancelled(night, "waiting", attempt)
    assert [step["status"] for step in shown["steps"]] == ["cancelled", "cancelled"]
    assert night.api.log(night.ids["waiting"], "wait") == "waiting\n"


def test_a_run_that_is_cancelled_while_it_waits_for_its_next_try_leaves_nothing(night: Night) -> None:
    retry = wait_for(lambda: night.step("patient", "fail")["retry"], LONG, "the failure")
    attempts = night.step("patient", "fail")["attempts"], night.step("patient", "fail")["max_attempts"]

    assert night.post("patient", "cancel").status_code == 202

    assert (retry["attempt"], "exit code 5" in retry["why"], attempts) == (2, True, (1, 5))
    is_cancelled(night, "patient", night.attempt("patient", "fail"))
    assert night.starts("patient") == {"fail 1": 1}


def is_cancelled(night: Night, name: str, attempt: str) -> Shown:
    """The run, after nothing of it is left and its container can report nothing any more."""
    shown = night.ended(name)
    reports = [night.api.callback(attempt, body, path).status_code for path, body in (("", {}), ("/failure", {}), ("/heartbeat", {}))]
    night.is_gone(name)
    assert (shown["status"], reports, processes(attempt)) == ("cancelled", [410, 410, 410], [])
    assert night.post(name, "cancel").status_code == 409
    return shown


@pytest.fixture(scope="module")
def resumed(night: Night) -> dict[str, tuple[Shown, Shown]]:
    """Three runs, each before it was resumed and at its end afterwards."""
    names = ("failed", "changed", "succeeded")
    before = {name: night.ended(name) for name in names}
    night.flag.with_name("flag-later").touch()
    night.resume("failed")
    night.resume("changed", variables={"flag": str(night.flag)})
    night.resume("succeeded", status=409)  # nothing of it failed
    night.resume("succeeded", **{"from": "work"})
    return {name: (before[name], night.ended(name)) for name in names}


def test_a_failed_run_goes_on_with_the_outputs_that_it_has(night: Night, resumed: dict[str, tuple[Shown, Shown]]) -> None:
    before, after = resumed["failed"]

    assert (before["status"], before["error"]["step"]) == ("failed", "work")
    assert (after["status"], after["error"], after["resumes"]) == ("succeeded", None, 1)
    assert night.starts("failed") == {"prepare 1": 1, "work 1": 1, "work 2": 1, "after 1": 1}
    assert night.api.log(night.ids["failed"], "after") == f"after {before['outputs']['stamp']}\n"


def test_a_failed_run_goes_on_with_a_variable_that_was_changed(night: Night, resumed: dict[str, tuple[Shown, Shown]]) -> None:
    before, after = resumed["changed"]

    assert (before["status"], after["status"]) == ("failed", "succeeded")
    assert after["variables"] == {"flag": str(night.flag)}
    assert night.starts("changed") == {"prepare 1": 1, "work 1": 1, "work 2": 1, "after 1": 1}
    assert night.api.log(night.ids["changed"], "work") == f"with {before['outputs']['stamp']} and {night.flag}\n"


def test_a_run_that_succeeded_is_run_again_from_a_step(night: Night, resumed: dict[str, tuple[Shown, Shown]]) -> None:
    before, after = resumed["succeeded"]

    assert (before["status"], after["status"], after["outputs"]) == ("succeeded", "succeeded", before["outputs"])
    assert night.starts("succeeded") == {"prepare 1": 1, "work 1": 1, "work 2": 1, "after 1": 1, "after 2": 1}


def test_both_runs_with_room_for_one_succeed(night: Night) -> None:
    for name in ("first", "second"):
        assert (night.ended(name)["status"], night.starts(name)) == ("succeeded", {"work 1": 1})
    one, other = sorted((night.step(name, "work") for name in ("first", "second")), key=lambda step: step["ended_at"])
    items = [night.api.client.get(f"/api/runs/{night.ids[name]}/steps/work/items").json()["items"][0] for name in ("first", "second")]
    launched = sorted(item["attempts"][0]["launched_at"] for item in items)
    assert one["ended_at"] < launched[1], "they were there at the same time"
    assert other["waiting"] is None


def test_a_step_that_fails_twice_succeeds_at_its_third_attempt_and_each_has_its_log(night: Night) -> None:
    run = night.ids["third-time"]
    shown = night.ended("third-time")

    items = night.api.client.get(f"/api/runs/{run}/steps/work/items").json()["items"]
    logs = [night.api.client.get(f"/api/runs/{run}/steps/work/logs", params={"attempt": number}).text for number in (1, 2, 3)]
    assert (shown["status"], shown["error"]) == ("succeeded", None)
    assert [one["status"] for one in items[0]["attempts"]] == ["failed", "failed", "succeeded"]
    assert [one["error"]["exit_code"] for one in items[0]["attempts"][:2]] == [4, 4]
    assert logs == [f"this is attempt {number}\n" for number in (1, 2, 3)]
    assert night.starts("third-time") == {"work 1": 1, "work 2": 1, "work 3": 1}


def test_a_container_that_falls_silent_fails_by_its_heartbeat(night: Night) -> None:
    shown = night.ended("silent")

    assert (shown["status"], shown["error"]["kind"]) == ("failed", "heartbeat")
    assert night.step("silent", "hang")["progress"]["text"] == "one of four"
    night.is_gone("silent")
    assert processes(night.attempt("silent", "hang")) == []


def test_a_deleted_run_is_gone_with_all_that_belongs_to_it(night: Night) -> None:
    run = night.ids["leaving"]
    assert night.ended("leaving")["status"] == "succeeded"
    kept = night.storage.naming(run, newest_first(run))

    def deleted() -> int:
        """0 while its container is still being removed."""
        status = night.api.client.delete(f"/api/runs/{run}").status_code
        return status if status != 409 else 0

    status = wait_for(deleted, LONG, "the deletion")

    assert any("a.txt" in one for one in kept)
    assert any(f"logs/lm-{run}-write-0-1" in one for one in kept)
    assert status in {204, 202}, "at once, or in a while"
    wait_for(lambda: night.api.client.get(f"/api/runs/{run}").status_code == 404, LONG, "the run to be gone")
    assert run not in night.api.ids("leaving-much")
    assert night.storage.naming(run, newest_first(run)) == []
    assert night.api.start("leaving-much", {"Idempotency-Key": "night leaving"}) != run


def test_the_end_of_a_run_is_told_on_the_queue_and_to_a_webhook_that_was_busy_first(night: Night) -> None:
    run = night.ids["first"]
    night.ended("first")

    def posted() -> list[Shown]:
        return [event for event in night.told.events if event["data"]["run"] == run]

    event = wait_for(posted, LONG, "the webhook to be told")[0]
    queued = {one["id"]: one for one in night.storage.messages("loadme-events")}

    assert (event["type"], event["subject"], event["data"]["status"]) == ("io.loadme.run.succeeded", "one-place", "succeeded")
    assert night.told.told[event["id"]] == 2
    assert queued[event["id"]] == event


def test_the_patrol_removes_what_leaked_and_touches_nothing_else(night: Night) -> None:
    # One that is tagged as ours, and one without tags whose attempt is known to be over: as if an old PUT had come late.
    arm, leaked, late = night.arm, LEAKED, night.attempt("third-time", "work")
    night.ended("third-time")
    night.is_gone("third-time")
    arm.put(FOREIGN["another's"], team="theirs")
    arm.put(FOREIGN["another app's"], **{"loadme-app": "another"}, **TAGS)
    arm.put(FOREIGN["perhaps another's"])
    arm.put(late)
    arm.put(leaked, **{"loadme-app": "loadme"}, **TAGS)
    # Or not: the patrol comes by itself too, at each full minute.
    wait_for(lambda: processes(leaked) or not arm.exists(leaked), LONG, "the leaked container")

    def is_swept() -> bool:
        night.patrol()  # again: a group that is still being created is left for the next sweep
        time.sleep(1)
        return not arm.exists(leaked) and not arm.exists(late)

    wait_for(is_swept, LONG, "the leaked groups to be gone")

    assert {what: arm.exists(name) for what, name in FOREIGN.items()} == dict.fromkeys(FOREIGN, True)
    assert processes(leaked) == []
    assert processes(FOREIGN["another's"])


def test_a_message_that_cannot_be_read_is_kept_shown_and_counted(night: Night) -> None:
    night.api.cloud.send("loadme-steps", "no message of loadme's")

    def kept() -> list[Shown]:
        night.patrol()
        time.sleep(0.5)
        return night.api.client.get("/api/poison").json()["messages"]

    message = wait_for(kept, LONG, "the message to be kept")[0]

    assert (message["queue"], message["run"], message["step"]) == ("loadme-steps", "", "")
    assert message["why"]
    replayed = night.api.client.post(f"/api/poison/{message['id']}/replay")
    assert (replayed.status_code, replayed.json()["status"]) == (202, "sent")
