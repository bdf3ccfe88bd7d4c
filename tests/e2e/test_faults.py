"""Runs of the real app while ARM misbehaves by script: each ends right, and no container is started twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.arm import Latencies
from localcloud.cloud import Cloud
from tests.e2e.conftest import cloud_settings
from tests.e2e.test_runs import Api, Shown
from tests.waiting import wait_for

NO_ROOM = "The requested resource is not available in the location 'westeurope' at this moment."
NO_CAPACITY = {"method": "PUT", "by": "deployment", "status": 409, "code": "ServiceUnavailable", "message": NO_ROOM}
FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "throttled": (
        "deployments",
        {"method": "PUT", "status": 429, "code": "SubscriptionRequestsThrottled", "headers": {"Retry-After": "2"}},
    ),
    "unanswered": ("deployments", {"method": "PUT", "lost": True}),
    "unreadable": ("containerGroups", {"method": "GET", "status": 500, "count": 6}),
    "refused": ("containerGroups", NO_CAPACITY),
    "full": ("containerGroups", NO_CAPACITY | {"location": "westeurope"}),
    "full-late": ("containerGroups", NO_CAPACITY | {"location": "westeurope", "late": True}),
    "stubborn": ("containerGroups", {"method": "DELETE", "status": 409, "code": "ContainerGroupTransitioning"}),
}
"""What goes wrong with the only step of the workflow of that name."""

WORKFLOW = """
name: {name}
steps:
  {name}: {{image: "loadme.local/shell:1", command: [sh, -c, "echo at work; sleep 1"], {more}}}
"""
ELSEWHERE = "locations: [westeurope, northeurope]"
MORE = {"refused": "retry: {capacity: 0}", "full": ELSEWHERE, "full-late": ELSEWHERE}
"""What the step says besides."""


class Runs:
    """One run of every workflow, all at the same time."""

    def __init__(self, api: Api) -> None:
        self.api = api
        for name, (kind, fault) in FAULTS.items():
            api.cloud.azure.add_fault(**{"path": f"/{kind}/lm-[^/]*-{name}-0-1$", "by": "client", **fault})
        self.ids = {name: api.start(name) for name in ("hidden", *FAULTS)}

    def ended(self, name: str) -> Shown:
        """The run of that workflow, once nothing of it is left in ARM."""
        shown = self.api.ended(self.ids[name], 90)
        wait_for(lambda: not self.api.left(self.ids[name]), 90, "nothing to be left in ARM")
        return shown

    def calls(self, name: str, kind: str, method: str) -> list[int]:
        """The statuses of the app's calls about the container group or deployment of the step."""
        end = f"/{kind}/lm-{self.ids[name]}-{name}-0-1"
        mine = [call for call in self.api.cloud.arm_calls() if (call["method"], call["by"]) == (method, "client")]
        return [call["status"] for call in mine if call["path"].endswith(end)]

    def starts(self, name: str) -> list[int]:
        return list(self.api.starts(self.ids[name]).values())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """On a cloud that shows no container group until its container is at work."""
    workflows = tmp_path_factory.mktemp("workflows")
    for name in ("hidden", *FAULTS):
        (workflows / f"{name}.yaml").write_text(WORKFLOW.format(name=name, more=MORE.get(name, "")))
    usual = cloud_settings(tmp_path_factory.mktemp("faulty"))
    arm = dataclasses.replace(usual.arm, hidden_probability=1.0, latencies=Latencies(hidden=40.0))
    # A message that failed is delivered again at once: half a minute of waiting would prove no more.
    soon = {"AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01"}
    settings = dataclasses.replace(usual, workflows=workflows, arm=arm, environment={**usual.environment, **soon})
    with Cloud(settings) as cloud, Api(cloud) as api:
        yield Runs(api)


@pytest.mark.parametrize("name", ["hidden", "throttled", "unanswered", "unreadable", "stubborn"])
def test_a_run_that_met_a_fault_succeeds_with_one_start(runs: Runs, name: str) -> None:
    shown = runs.ended(name)

    assert (shown["status"], shown["error"]) == ("succeeded", None)
    assert runs.starts(name) == [1]


def test_checks_meet_a_group_that_cannot_be_seen_yet(runs: Runs) -> None:
    runs.ended("hidden")

    seen = runs.calls("hidden", "containerGroups", "GET")
    assert 404 in seen[: seen.index(200)]


def test_a_throttled_deployment_is_made_when_arm_allows(runs: Runs) -> None:
    runs.ended("throttled")

    assert runs.calls("throttled", "deployments", "PUT") == [429, 201]


def test_a_deployment_whose_answer_was_lost_is_not_made_again(runs: Runs) -> None:
    runs.ended("unanswered")

    assert runs.calls("unanswered", "deployments", "PUT") == [504]


def test_a_group_that_cannot_be_read_for_a_while_is_asked_about_again(runs: Runs) -> None:
    runs.ended("unreadable")

    assert runs.calls("unreadable", "containerGroups", "GET").count(500) == 6


def test_a_group_whose_deletion_is_refused_goes_all_the_same(runs: Runs) -> None:
    runs.ended("stubborn")

    assert runs.calls("stubborn", "containerGroups", "DELETE")[:2] == [409, 200]


def test_want_of_capacity_that_shows_late_fails_the_run_with_azures_words(runs: Runs) -> None:
    shown = runs.ended("refused")

    assert runs.calls("refused", "deployments", "PUT") == [201]
    assert (shown["status"], shown["error"]["kind"]) == ("failed", "capacity")
    assert NO_ROOM in shown["error"]["message"]
    assert runs.starts("refused") == []


@pytest.mark.parametrize("name", ["full", "full-late"])
def test_a_step_that_finds_no_room_runs_in_the_next_location_and_leaves_nothing(runs: Runs, name: str) -> None:
    shown = runs.ended(name)

    run = runs.ids[name]
    attempts = runs.api.client.get(f"/api/runs/{run}/steps/{name}/items").json()["items"][0]["attempts"]
    assert (shown["status"], shown["error"]) == ("succeeded", None)
    assert [(one["location"], one["status"]) for one in attempts] == [("westeurope", "failed"), ("northeurope", "succeeded")]
    assert attempts[0]["error"]["kind"] == "capacity"
    assert {group: count for group, count in runs.api.starts(run).items() if count} == {f"lm-{run}-{name}-0-2": 1}
